"""From voices to an answer: candidates of the voice that decides, and whether what was heard carries them."""

from collections.abc import Callable, Sequence

from inference.abstention import Reason, Thresholds
from inference.labels import group_of
from inference.labelsets import LabelSet
from inference.stages import CONSTRAINED
from inference.types import Candidate, ModelOpinion, Opinions


def candidates_of(
    opinion: ModelOpinion, labels: LabelSet, shares: Sequence[tuple[str, float]]
) -> tuple[Candidate, ...]:
    """The model's labels, most probable first; where its server cannot score, the one label it stated."""
    if not shares:
        return () if opinion.stated is None else (_candidate(opinion.stated, None, labels),)
    return tuple(_candidate(label, probability, labels) for label, probability in shares)


def no_group() -> Reason:
    """Why stage 2 cannot be asked when its prompt is to hold a group."""
    return Reason(
        "no_group",
        "Stage 1 named a different group for each picture and its server cannot say how probable they are.",
        "Send the pictures one by one, ask with group ignored, or serve stage 1 on an engine that scores.",
    )


def model_reason(opinion: ModelOpinion, candidates: Sequence[Candidate], thresholds: Thresholds) -> Reason | None:
    """Why a served model's answer does not carry a diagnosis; None when it does."""
    if not candidates or (opinion.stated is None and opinion.method not in (CONSTRAINED, "pictures_disagree")):
        return Reason(
            "unparsed",
            f"The answer of {opinion.profile} names no disease it can be held to ({opinion.method}).",
            "Ask again with constrain true, which holds the model to its labels, or look at its answer in the trace.",
        )
    if opinion.label_mass is not None and opinion.label_mass < thresholds.label_mass:
        return Reason(
            "outside_labels",
            f"{opinion.profile} would rather answer with something else: all its labels together have a probability of "
            f"{opinion.label_mass:.2g}, at least {thresholds.label_mass:.2g} needed.",
            "The picture may show none of the diseases the model knows. Check that it shows the lesion clearly.",
        )
    first = candidates[0].probability
    if first is not None and first < thresholds.probability:
        return Reason(
            "undecided",
            f"The model is undecided: its likeliest label has {first:.0%}, {thresholds.probability:.0%} are needed.",
            "A second picture, a closer view or a note on course and symptoms may decide it.",
        )
    return None


def conflict(
    neighbours: Sequence[Candidate],
    candidates: Sequence[Candidate],
    named: Callable[[str], str],
    thresholds: Thresholds,
) -> Reason | None:
    """Where the reference cases are sure of a label that the model all but excludes: one of them is badly wrong.

    `named` gives a case's label the name the model has for it.
    """
    if not neighbours or not candidates:
        return None
    voted, first = neighbours[0], candidates[0]
    sure = voted.probability is not None and voted.probability >= thresholds.conflict_vote
    of_model = next((one.probability for one in candidates if one.label == named(voted.label)), 0.0)
    if not sure or of_model is None or of_model >= thresholds.conflict_model:
        return None
    return Reason(
        "conflict",
        f"The reference cases say {voted.label} ({voted.probability:.0%}), the model says {first.label}.",
        "Compare the evidence yourself: neither voice outweighs the other here.",
    )


def disagreements(opinions: Opinions, candidates: Sequence[Candidate], named: Callable[[str], str]) -> tuple[str, ...]:
    """What a reader must know where the voices differ. `named` as in `conflict`."""
    said: list[str] = []
    if not candidates or opinions.disease is None:
        return ()
    first, model = candidates[0], opinions.disease
    if model.stated is not None and model.stated != first.label:
        said.append(
            f"{model.profile} stated {model.stated}, but {first.label} is more probable when every label is weighed"
        )
    if model.method == "pictures_disagree":
        said.append(f"{model.profile} stated different diseases for the pictures; their probabilities were averaged")
    if opinions.neighbours and named(opinions.neighbours[0].label) != first.label:
        voted = opinions.neighbours[0]
        said.append(
            f"the reference cases vote for {voted.label} ({voted.probability:.0%}), the model for {first.label}"
        )
    if opinions.group is not None and opinions.group.shares and first.group is not None:
        group = opinions.group.shares[0]
        if group.label != first.group:
            said.append(f"stage 1 finds the group {group.label} likelier ({group.probability:.0%}) than {first.group}")
    return tuple(said)


def _candidate(label: str, probability: float | None, labels: LabelSet) -> Candidate:
    known = labels.label(label)
    shown = known.display if known.display != known.name else None
    return Candidate(label, probability, known.group or group_of(label), (), shown)
