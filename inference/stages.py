"""Stage 1 and stage 2 on a served model: which group, which disease. Pictures of one patient are asked one by one.

The models were trained on one query picture a message, so several pictures are several questions; probabilities are
averaged over them, and an answer is stated only where all of them state the same. Pictures are already prepared for the
model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from inference import label_probabilities as shares
from inference.answer_parsing import parse_label
from inference.budget import fitted
from inference.concurrent import all_of
from inference.engines import ChatRequest, Completion, LabelScore, label_mass
from inference.engines.choosing import together
from inference.profiles import Layout
from inference.prompt_texts import prompt_hash
from inference.prompts import ImagePart, Message, Reference, disease_question, group_question
from inference.served import ServedModel
from inference.types import LabelShare, ModelOpinion, StageRecord

CONSTRAINED = "constrained"  # how a label was found where the server was held to the list; else the parser's method


@dataclass(frozen=True, slots=True)
class DiseaseQuestion:
    """How stage 2 is asked. `references` are already prepared for the model, nearest first, with their evidence keys."""

    prompt: str
    layout: Layout
    references: tuple[tuple[str, Reference], ...] = ()
    group: str | None = None
    mask_captions: bool = False
    constrained: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one picture's question gave."""

    completion: Completion
    label: str | None
    method: str
    scores: tuple[LabelScore, ...]
    shown: int  # references that fitted
    known_by: str


async def ask_group(
    model: ServedModel, pictures: Sequence[ImagePart], seed: int = 0
) -> tuple[ModelOpinion, StageRecord]:
    """Stage 1: a distribution over groups. Raises EngineError."""
    heard = await all_of([partial(_ask_for_group, model, query, seed) for query in pictures])
    return _opinion(model, heard), _record(model, "group", model.profile.prompt, heard, layout=Layout.SINGLE)


async def ask_disease(
    model: ServedModel, pictures: Sequence[ImagePart], question: DiseaseQuestion
) -> tuple[ModelOpinion, StageRecord]:
    """Stage 2: a distribution over diseases. Raises EngineError; ContextTooLong when not even the query fits."""
    heard = await all_of([partial(_ask_picture, model, query, question) for query in pictures])
    shown = min(one.shown for one in heard)
    keys = tuple(key for key, _ in question.references)
    record = _record(model, "disease", question.prompt, heard, layout=question.layout, references=keys[:shown],
                     dropped=keys[shown:], group=question.group)  # fmt: skip
    return _opinion(model, heard), record


async def _ask_for_group(model: ServedModel, query: ImagePart, seed: int) -> _Heard:
    messages = group_question(query, model.profile.prompt)
    with together():
        return await _ask(model, model.label_request(messages, constrained=True, seed=seed), messages)


async def _ask_picture(model: ServedModel, query: ImagePart, question: DiseaseQuestion) -> _Heard:
    def messages(count: int) -> tuple[Message, ...]:
        references = [reference for _, reference in question.references[:count]]
        layout = question.layout if references else Layout.SINGLE
        return disease_question(
            query,
            question.prompt,
            references,
            layout=layout,
            group=question.group,
            mask_captions=question.mask_captions,
        )

    def build(count: int) -> ChatRequest:
        return model.label_request(messages(count), constrained=question.constrained, seed=question.seed)

    with together():
        fit = await fitted(model, build, len(question.references))
        return await _ask(model, fit.request, messages(fit.items), shown=fit.items, known_by=fit.known_by)


async def _ask(
    model: ServedModel, request: ChatRequest, messages: Sequence[Message], *, shown: int = 0, known_by: str = "bound"
) -> _Heard:
    """The answer first: it leaves the pictures in the server's caches, which the scores then need not make again."""
    completion = await model.engine.complete(request)
    scores: tuple[LabelScore, ...] = ()
    if model.engine.can_score:
        scores = await model.engine.score(model.scoring_request(messages), model.forms())
    label, method = _label(model, request, completion)
    return _Heard(completion, label, method, scores, shown, known_by)


def _label(model: ServedModel, request: ChatRequest, completion: Completion) -> tuple[str | None, str]:
    """The engine has checked that a constrained answer is one of the forms."""
    if request.choice is not None:
        return model.labels.labels[request.choice.index(completion.text)].name, CONSTRAINED
    parsed = parse_label(completion.text, model.labels, thinking=model.thinks)
    return parsed.label, parsed.method.value


def _opinion(model: ServedModel, heard: Sequence[_Heard]) -> ModelOpinion:
    names = [label.name for label in model.labels.labels]
    temperature = model.calibration.temperature if model.calibration else 1.0
    scored = [
        shares.probabilities({name: score.logprob for name, score in zip(names, one.scores, strict=True)}, temperature)
        for one in heard
        if one.scores
    ]
    stated = {one.label for one in heard}
    ranking = shares.ranked(shares.mean(scored))
    return ModelOpinion(
        profile=model.profile.name,
        stated=heard[0].label if len(stated) == 1 else None,
        method=heard[0].method if len(stated) == 1 else "pictures_disagree",
        shares=tuple(LabelShare(label, probability) for label, probability in ranking),
        label_mass=shares.mean_mass(label_mass(one.scores) for one in heard) if scored else None,
        calibrated=model.calibration is not None,
    )


def _record(
    model: ServedModel, stage: str, prompt: str, heard: Sequence[_Heard], *, layout: Layout,
    references: tuple[str, ...] = (), dropped: tuple[str, ...] = (), group: str | None = None,
) -> StageRecord:  # fmt: skip
    scores = [score for one in heard for score in one.scores]
    return StageRecord(
        stage=stage,
        profile=model.profile.name,
        model=model.name,
        engine=model.through,
        prompt=prompt,
        prompt_hash=prompt_hash(prompt),
        layout=layout.value if references else Layout.SINGLE.value,
        pictures=len(heard),
        references=references,
        dropped=dropped,
        fitted_by="counted" if any(one.known_by == "counted" for one in heard) else "bound",
        group=group,
        requests=len(heard) + len(scores),
        prompt_tokens=sum(one.completion.prompt_tokens for one in heard) + sum(score.prompt_tokens for score in scores),
        completion_tokens=sum(one.completion.completion_tokens for one in heard),
        raw=tuple(one.completion.text for one in heard),
    )
