"""What a consultation may ask of this service. An option that could have no effect is refused: ignored, it would
change an experiment without a word.
"""

from dataclasses import dataclass

from inference.errors import ConsultationRefused
from inference.profiles import Layout, ModelProfile, Stage
from inference.prompt_texts import slots_of
from inference.served import ServedModel
from inference.types import MAX_PICTURES, Consultation, DiagnosisOptions, GroupUse, ReportMode
from retrieval.filters import OF_CASES, OF_PASSAGES

MAX_NOTE = 4_000  # characters; longer is a document, not a note
MAX_SEED = 2**31 - 1
NO_RERANKER = "this service has no reranker; leave rerank out, or configure `reranker`"
TWO_SPACES = (
    "strategy A compares pictures with captions, and the encoders of this service do not share a space; choose B"
)


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models this service reaches, by what they are asked; None where the embedded way answers instead."""

    group: ServedModel | None = None
    disease: ServedModel | None = None
    report: ServedModel | None = None

    @property
    def all(self) -> tuple[ServedModel, ...]:
        """Those that are there."""
        return tuple(one for one in (self.group, self.disease, self.report) if one is not None)


def check(
    consultation: Consultation, options: DiagnosisOptions, models: ServedModels, *, reranks: bool, one_space: bool
) -> None:
    """Raises ConsultationRefused, saying what is possible."""
    if not 1 <= len(consultation.pictures) <= MAX_PICTURES:
        raise ConsultationRefused(f"send 1 to {MAX_PICTURES} pictures, not {len(consultation.pictures)}")
    if len(consultation.note) > MAX_NOTE:
        raise ConsultationRefused(f"the note is longer than {MAX_NOTE} characters; shorten it")
    if options.alpha is not None and not 0 <= options.alpha <= 1:
        raise ConsultationRefused("alpha is the share of the picture: 0 to 1")
    if options.k is not None and not 0 <= options.k <= 20:
        raise ConsultationRefused("k is how many reference cases are shown: 0 to 20")
    if not 0 <= options.seed <= MAX_SEED:
        raise ConsultationRefused(f"a seed is a whole number from 0 to {MAX_SEED}")
    if options.group is not GroupUse.IGNORED and models.group is None:
        raise ConsultationRefused("this service asks no group model; leave group as it is, or configure `grouper`")
    if options.rerank and not reranks:
        raise ConsultationRefused(NO_RERANKER)
    if options.strategy == "A" and not one_space:
        raise ConsultationRefused(TWO_SPACES)
    _check_filters(options)
    _check_report(options, models.report)
    if models.disease is None:
        _check_nothing_for_stage_2(options)
    else:
        _check_stage_2(options, models.disease.profile)


def report_modes(profile: ModelProfile | None) -> tuple[ReportMode, ...]:
    """What a reporter can do, the default last."""
    if profile is None:
        return (ReportMode.EXTRACTIVE,)
    if profile.grounded:
        return (ReportMode.EXTRACTIVE, ReportMode.GROUNDED)
    guided = (ReportMode.GUIDED,) if profile.guided_prompt else ()
    return (ReportMode.EXTRACTIVE, ReportMode.PLAIN, *guided)


def can_report(profile: ModelProfile) -> bool:
    """Whether the model writes text about pictures: a captioning model, or one that reads evidence and cites it."""
    return profile.stage is Stage.CAPTION or profile.grounded


def prompt_of(options: DiagnosisOptions, profile: ModelProfile) -> str:
    """Stage 2's prompt by name: the caller's, else the profile's for what is asked."""
    if options.prompt is not None:
        return options.prompt
    return profile.guided_prompt or profile.prompt if options.group is GroupUse.USED else profile.prompt


def references_of(options: DiagnosisOptions, profile: ModelProfile) -> int:
    """How many reference cases the stage 2 model is shown."""
    if not options.cases:
        return 0
    return profile.references if options.references is None else options.references


def layout_of(options: DiagnosisOptions, profile: ModelProfile) -> Layout:
    """How they stand in its message."""
    return profile.layout if options.layout is None else options.layout


def _check_filters(options: DiagnosisOptions) -> None:
    for kind, searched, other in (("cases", options.cases, OF_PASSAGES), ("passages", options.passages, OF_CASES)):
        idle = [name for name in options.filters.active if name not in other]
        if idle and not searched:
            raise ConsultationRefused(f"{', '.join(idle)}: filters {kind}, which are switched off")


def _check_report(options: DiagnosisOptions, reporter: ServedModel | None) -> None:
    able = report_modes(reporter.profile if reporter else None)
    if options.report is not None and options.report not in able:
        raise ConsultationRefused(f"the reporter of this service cannot write a {options.report} report; it can: "
                                  f"{', '.join(able)}")  # fmt: skip


def _check_nothing_for_stage_2(options: DiagnosisOptions) -> None:
    given = {
        "references": options.references, "layout": options.layout, "prompt": options.prompt,
        "constrain": options.constrain, "captions": None if options.captions == "shown" else options.captions,
    }  # fmt: skip
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise ConsultationRefused(
            f"{', '.join(wrong)}: for a served stage 2 model, and the classifier of this service is the neighbours' vote"
        )


def _check_stage_2(options: DiagnosisOptions, profile: ModelProfile) -> None:
    most = profile.image_limit - 1
    if options.references and not options.cases:
        raise ConsultationRefused("without cases there are no references to show; leave cases on, or references out")
    wanted = references_of(options, profile)
    if not 0 <= wanted <= most:
        raise ConsultationRefused(f"{profile.name} is shown 0 to {most} references, its image limit less the query")
    if wanted and layout_of(options, profile) is Layout.SINGLE:
        raise ConsultationRefused(
            "the single layout shows no references; choose training or evaluation, or 0 references"
        )
    if options.layout not in (None, Layout.SINGLE) and not wanted:
        raise ConsultationRefused(
            "without references there is nothing to lay out; leave layout out, or show references"
        )
    if options.captions == "masked" and (not wanted or layout_of(options, profile) is not Layout.EVALUATION):
        raise ConsultationRefused("only the evaluation layout with references shows captions that could be masked")
    prompt = prompt_of(options, profile)
    if prompt not in profile.prompts:
        raise ConsultationRefused(
            f"{profile.name} was not asked {prompt!r} before; its prompts: {', '.join(profile.prompts)}"
        )
    takes_group = "group" in slots_of(prompt)
    if takes_group is not (options.group is GroupUse.USED):
        able = ", ".join(name for name in profile.prompts if ("group" in slots_of(name)) is not takes_group) or "none"
        other = "ask with group used" if takes_group else "ask with group ignored or soft"
        raise ConsultationRefused(
            f"prompt {prompt} {'needs' if takes_group else 'takes no'} group, and group is {options.group}: {other}, or "
            f"choose a prompt that would do: {able}"
        )
