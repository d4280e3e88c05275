"""Stage 2 within a consultation: the nearest cases become its references, its shares become candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.admission import layout_of, prompt_of
from inference.judging import candidates_of
from inference.label_probabilities import ranked, tempered_by_group
from inference.labelsets import LabelSet
from inference.prompts import ImagePart, Reference, mask_label
from inference.reference_shelf import ReferenceShelf
from inference.retrieved import Neighbours
from inference.served import ServedModel
from inference.stages import DiseaseQuestion, ask_disease
from inference.types import Candidate, DiagnosisOptions, GroupUse, LabelShare, ModelOpinion, StageRecord
from knowledge.types import ReferenceCase
from retrieval.types import Hit


@dataclass(frozen=True, slots=True)
class Decided:
    """What stage 2 said, the candidates that follow, what it cost, and what a reader must be told."""

    opinion: ModelOpinion
    candidates: tuple[Candidate, ...]
    record: StageRecord
    warnings: tuple[str, ...]


def references(
    model: ServedModel, shelf: ReferenceShelf, found: Neighbours, hits: Sequence[Hit], keys: Mapping[str, str],
    options: DiagnosisOptions = DiagnosisOptions(),
) -> tuple[tuple[str, Reference], ...]:  # fmt: skip
    """The hits as the model is shown them, with their evidence keys. A label it knows stands as the model writes it.

    Reads pictures: call it in a thread. Raises KnowledgeError when one cannot be read.
    """
    cases = [found.cases[hit.id] for hit in hits]

    def caption(case: ReferenceCase) -> str:
        own = found.relabelled.get(case.id)
        return mask_label(case.caption, own) if own is not None and options.captions == "masked" else case.caption

    return tuple(
        (
            keys[case.id],
            Reference(shelf.picture(case.picture, model), _as_written(case.label, model.labels), caption(case)),
        )
        for case in cases
    )


async def decide(
    model: ServedModel, pictures: Sequence[ImagePart], shown: tuple[tuple[str, Reference], ...], options: DiagnosisOptions,
    group: ModelOpinion | None,
) -> Decided:  # fmt: skip
    """Ask stage 2; pictures and references are already prepared for the model. Raises EngineError."""
    profile = model.profile
    constrained = profile.answer.constrained if options.constrain is None else options.constrain
    passed_on = likeliest(group) if options.group is GroupUse.USED else None
    question = DiseaseQuestion(
        prompt_of(options, profile), layout_of(options, profile), shown, passed_on, options.captions == "masked",
        constrained, options.seed,
    )  # fmt: skip
    opinion, record = await ask_disease(model, pictures, question)
    weighing = group if options.group is GroupUse.SOFT else None
    shares = _weighted(opinion, model.labels, weighing)
    unknown = sorted({one.label for _, one in shown if model.labels.known_as(one.label) is None})
    remarks = _remarks(profile.name, record, unknown)
    if weighing is not None and not (weighing.shares and opinion.shares):
        remarks += ("the group could weigh nothing: a server does not say how probable its answers are",)
    return Decided(opinion, candidates_of(opinion, model.labels, shares), record, remarks)


def likeliest(group: ModelOpinion | None) -> str | None:
    """The group to pass on; where its server cannot score, the one it stated. None where the pictures disagree then."""
    if group is None:
        return None
    return group.shares[0].label if group.shares else group.stated


def _weighted(opinion: ModelOpinion, labels: LabelSet, group: ModelOpinion | None) -> list[tuple[str, float]]:
    shares = {one.label: one.probability for one in opinion.shares}
    if group is not None:
        groups = {label.name: label.group for label in labels.labels}
        shares = tempered_by_group(shares, groups, _by_label(group.shares))
    return ranked(shares)


def _by_label(shares: Sequence[LabelShare]) -> dict[str, float]:
    return {one.label: one.probability for one in shares}


def _as_written(label: str, labels: LabelSet) -> str:
    known = labels.known_as(label)
    return label if known is None else known.answer


def _remarks(profile: str, record: StageRecord, unknown: Sequence[str]) -> tuple[str, ...]:
    said = []
    if record.dropped:
        said.append(f"{len(record.dropped)} references did not fit into the context of {profile}")
    if unknown:
        said.append(f"{profile} cannot answer with labels that its references carry: {', '.join(unknown)}")
    return tuple(said)
