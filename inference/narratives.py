"""Stage 3: what a model writes about the picture, told nothing, told a diagnosis, or held to numbered evidence."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from inference.answer_context import Manner, manners
from inference.answer_text import spoken, words_of
from inference.budget import Fitted, fitted
from inference.disease_names import Names
from inference.engines import ChatRequest
from inference.engines.errors import MalformedAnswer
from inference.grounded import report_schema
from inference.labels import names_of
from inference.labelsets import LabelSet
from inference.profiles import Layout
from inference.prompt_texts import prompt_hash
from inference.prompts import GROUNDED_HASH, ImagePart, Message, caption_question, grounded_question
from inference.served import ServedModel
from inference.types import Evidence, ReportMode, StageRecord


@dataclass(frozen=True, slots=True)
class NarrativeQuestion:
    """How stage 3 is asked. `evidence` is best first: what does not fit is left out from its end."""

    mode: ReportMode
    disease: str | None = None
    note: str = ""
    evidence: tuple[Evidence, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PreparedNarrative:
    """A question that fits, and which evidence stands in it."""

    fit: Fitted
    used: tuple[str, ...]
    dropped: tuple[str, ...]
    pictures: int
    prompt: str


async def prepare(model: ServedModel, pictures: Sequence[ImagePart], question: NarrativeQuestion) -> PreparedNarrative:
    """The question within the model's context, about pictures already prepared for it.

    A captioning model sees the first picture only: it was trained on one.
    """
    grounded = question.mode is ReportMode.GROUNDED
    images = pictures[: model.profile.image_limit] if grounded else pictures[:1]
    disease = None if question.mode is ReportMode.PLAIN else question.disease

    def messages(count: int) -> tuple[Message, ...]:
        if not grounded:
            return caption_question(images[0], disease)
        return grounded_question(images, question.evidence[:count], question.note, disease)

    def build(count: int) -> ChatRequest:
        keys = [item.key for item in question.evidence[:count]]
        schema = report_schema(keys) if grounded else None
        return model.request(messages(count), schema=schema, seed=question.seed)

    keys = tuple(item.key for item in question.evidence) if grounded else ()
    fit = await fitted(model, build, len(keys))
    prompt = "grounded" if grounded else "caption" if disease is None else "caption-guided"
    return PreparedNarrative(fit, keys[: fit.items], keys[fit.items :], len(images), prompt)


async def written(model: ServedModel, prepared: PreparedNarrative) -> AsyncGenerator[str, None]:
    """The answer piece by piece, without the thought where the model thinks first. Raises EngineError."""
    async with aclosing(model.engine.stream(prepared.fit.request)) as pieces:
        if not model.thinks:
            async for piece in pieces:
                yield piece
            return
        # Which words are thought is known only at its end.
        said = spoken("".join([piece async for piece in pieces]))
        if not said.closed:
            raise MalformedAnswer("the text was cut off while the model still thought")
        yield said.text


def record_of(model: ServedModel, prepared: PreparedNarrative, mode: ReportMode) -> StageRecord:
    """What was asked. Not every server tells the tokens of a streamed answer, so none are reported here."""
    return StageRecord(
        stage=f"report ({mode})",
        profile=model.profile.name,
        model=model.name,
        engine=model.through,
        prompt=prepared.prompt,
        prompt_hash=GROUNDED_HASH if mode is ReportMode.GROUNDED else prompt_hash(prepared.prompt),
        layout=Layout.SINGLE.value,
        pictures=prepared.pictures,
        references=prepared.used,
        dropped=prepared.dropped,
        fitted_by=prepared.fit.known_by,
        group=None,
        requests=1,
        prompt_tokens=None,
        completion_tokens=None,
        raw=(),  # the narrative itself
    )


def asserted_diseases(text: str, labels: LabelSet) -> tuple[str, ...]:
    """The diseases a text asserts, of the set or of all we know, in the order of their first mention."""
    words = words_of(text)
    mentions = Names(labels).mentions(words)
    said = manners(words, mentions)
    return tuple(dict.fromkeys(one.name for one in mentions if said[one] is Manner.ASSERTED))


def conflict_of(names: Sequence[str], label: str) -> str | None:
    """What to tell where a text asserts diseases and the diagnosis is not among them; None otherwise."""
    known = {name.casefold() for name in names_of(label)} | {label.casefold()}
    if not names or any(name.casefold() in known for name in names):
        return None
    return f"the text speaks of {', '.join(names)}, the diagnosis is {label}"
