"""The nouns of an answer. Everything a reader needs to check it is inside; nothing of the patient is.

Character spans are half-open `[start, end)` in code points. Probabilities are 0..1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from inference.profiles.types import Layout
from knowledge.pictures import Picture
from knowledge.types import Role, Standing
from retrieval.filters import Filters
from retrieval.hybrid import Fusion
from retrieval.types import Explanation

MAX_PICTURES = 4


@dataclass(frozen=True, slots=True)
class Consultation:
    """What the caller sends. `lesion`, `subject` and `source` are what the leak guard should exclude, for studies.

    `source` says which original the pictures are: an address, a file name or an identifier.
    """

    pictures: tuple[Picture, ...]
    note: str = ""
    age: int | None = None
    sex: str | None = None
    body_site: str | None = None
    lesion: str | None = None
    subject: str | None = None
    source: str | None = None


class GroupUse(StrEnum):
    """What becomes of stage 1's group. A hard cascade loses every case whose group was wrong, so it is not the default."""

    IGNORED = "ignored"  # asked where a group model is configured, shown, and nothing else
    USED = "used"  # the likeliest group stands in stage 2's prompt
    SOFT = "soft"  # stage 2's probabilities are weighted by the groups'


class ReportMode(StrEnum):
    """Who writes about the picture. Quotes of the evidence stand in every report."""

    EXTRACTIVE = "extractive"  # quotes alone
    PLAIN = "plain"  # a captioning model's text, told nothing
    GUIDED = "guided"  # the same, told the diagnosis of stage 2, which it then follows even where it is wrong
    GROUNDED = "grounded"  # an instruct model that reads the evidence and must cite it


class EngineFailure(StrEnum):
    """What an engine's failure leads to; without any it is an error."""

    ABSTAIN = "abstain"
    EXEMPLAR = "exemplar"  # the neighbours' vote and quotes answer instead, and the answer says so


@dataclass(frozen=True, slots=True)
class DiagnosisOptions:
    """What a caller may switch. None means: as the service or the model's profile is configured."""

    k: int | None = None  # reference cases shown in the ledger, 0..20
    alpha: float | None = None  # share of the picture in case retrieval, 0..1
    strategy: Literal["A", "B"] | None = None  # how a note finds cases: see retrieval.cases
    fusion: Fusion | None = None  # how the legs of a passage search become one ranking
    rerank: bool = False  # True: the configured reranker reads the best passages of each search and orders them anew
    cases: bool = True  # False: no reference cases, hence no vote and no references for a model
    passages: bool = True  # False: no guideline passages
    leak_guard: bool = True  # False marks the answer
    leak_report: bool = False  # True lists in the trace which cases the leak guard kept back, and why
    references: int | None = None  # reference cases shown to the stage 2 model, 0 to its image limit less one
    layout: Layout | None = None  # how they stand in its message
    prompt: str | None = None  # stage 2's prompt, by name
    captions: Literal["shown", "masked"] = "shown"  # masked: captions lose the diagnosis they state
    group: GroupUse = GroupUse.IGNORED
    constrain: bool | None = None  # whether the server holds stage 2 to its labels; False: its free text is parsed
    report: ReportMode | None = None
    on_engine_failure: EngineFailure | None = None
    seed: int = 0  # for models that sample
    filters: Filters = field(default_factory=Filters)  # which cases and passages may be evidence at all


class EvidenceKind(StrEnum):
    """What a piece of evidence is."""

    CASE = "case"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One hit, complete enough to be shown, cited and opened. `start` and `end` lie in the version's (or caption's) text.

    `scores` and `ranks` are per leg of the search that found it; `found_by` says which parts of the consultation did,
    `used_in` which prompts of served models it stood in. Where parts were fused, `score` is theirs: retrieval.subqueries.
    Of a passage: `standing` (one that is not in force was asked for), `role` in its document, `header` of the table whose
    rows it is, `ocr` how sure text recognition was (0..1; None: the file's own text was read).
    """

    key: str
    kind: EvidenceKind
    id: str
    text: str
    title: str
    found_by: tuple[str, ...]
    score: float
    scores: Mapping[str, float]
    ranks: Mapping[str, int | None]
    start: int
    end: int
    licence: str | None = None
    label: str | None = None
    group: str | None = None
    picture: str | None = None
    document_id: str | None = None
    version_id: str | None = None
    section: tuple[str, ...] = ()
    first_page: int | None = None
    last_page: int | None = None
    used_in: tuple[str, ...] = ()
    standing: Standing | None = None
    role: Role | None = None
    header: str | None = None
    ocr: float | None = None


class Verdict(StrEnum):
    """What checking a citation found. `supported`: the quote is there byte for byte and says what the statement says."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote of one piece of evidence. `page` is where the quote begins; `problem` says why it is not supported.

    `ocr` is there where text recognition read the quote: how sure it was. Compare such numbers with the page.
    """

    evidence: str
    quote: str
    start: int
    end: int
    page: int | None = None
    verdict: Verdict = Verdict.UNSUPPORTED
    problem: str | None = None
    ocr: float | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence about the label `about`. `verdict` is that of its weakest citation; without any: unsupported."""

    text: str
    about: str
    citations: tuple[Citation, ...]
    verdict: Verdict = Verdict.UNSUPPORTED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible diagnosis. `evidence` are the keys of the reference cases with this label.

    `probability` is None where a served model answered and its server cannot say how sure it is. `display` is how the
    label is shown where that differs from its name.
    """

    label: str
    probability: float | None
    group: str | None
    evidence: tuple[str, ...]
    display: str | None = None


@dataclass(frozen=True, slots=True)
class LabelShare:
    """A label, or a group, and its probability within its set."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class ModelOpinion:
    """What a served model says by itself. `stated` is the label it answered with, None where it named none.

    `method` says how that was found ("constrained", or how its text was read). `label_mass` is the probability that it
    answers with any of its labels at all; it and the shares are missing where the server cannot score.
    """

    profile: str
    stated: str | None
    method: str
    shares: tuple[LabelShare, ...]
    label_mass: float | None
    calibrated: bool


@dataclass(frozen=True, slots=True)
class Opinions:
    """Each voice by itself, side by side: the reference cases, the stage 2 model, the stage 1 model."""

    neighbours: tuple[Candidate, ...] = ()
    disease: ModelOpinion | None = None
    group: ModelOpinion | None = None


@dataclass(frozen=True, slots=True)
class Narrative:
    """What a model wrote about the picture, sentence by sentence with what the evidence says of it.

    `guided_by` is the diagnosis it was told; such a text follows it even where it is wrong. `names` are the diseases
    that it asserts, `conflict` says where they are not the diagnosis.
    """

    model: str
    mode: ReportMode
    text: str
    statements: tuple[Statement, ...]
    guided_by: str | None = None
    names: tuple[str, ...] = ()
    conflict: str | None = None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage on a served model: what was asked, and what it cost. `pictures` were asked one by one.

    `references` and `dropped` are evidence keys, those that stood in the prompt and those that did not fit. `fitted_by`
    says how that is known: by a "bound" on the tokens, or "counted" by the model's own processor. `raw` are its answers.
    """

    stage: str
    profile: str
    model: str
    engine: str
    prompt: str
    prompt_hash: str
    layout: str
    pictures: int
    references: tuple[str, ...]
    dropped: tuple[str, ...]
    fitted_by: str
    group: str | None
    requests: int
    prompt_tokens: int | None  # None where the server does not say
    completion_tokens: int | None
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """How many citations were checked and how many held."""

    verified: int
    total: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How the answer came about: every setting in force, the time of each step in ms, what the leak guard kept back.

    `excluded` counts what the leak guard kept back by reason; `excluded_ids` says which, where it was asked for.
    `voters` are the ids of all reference cases that voted, nearest first; the ledger shows only some of them.
    `stages` are the questions put to served models. `explanations` says, by part of the question, how each search for
    passages came to its ranking; of the note it holds only words that the lexicon knows. `kept_as` is the id under which
    a service that is set to do so remembers which evidence the answer showed.
    """

    configuration: Mapping[str, Any]
    timings_ms: Mapping[str, float]
    excluded: Mapping[str, int] = field(default_factory=dict)
    excluded_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    voters: tuple[str, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    explanations: Mapping[str, Explanation] = field(default_factory=dict)
    kept_as: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Ranked candidates and a report. For research and decision support: never a decision."""

    candidates: tuple[Candidate, ...]
    report: tuple[Statement, ...]
    ledger: tuple[Evidence, ...]
    citations: CitationCheck
    trace: Trace
    warnings: tuple[str, ...]
    notice: str
    opinions: Opinions = field(default_factory=Opinions)
    narrative: Narrative | None = None
    outcome: Literal["diagnosis"] = "diagnosis"


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why there is no diagnosis, and what would help. `considered` is what was weighed and found too light."""

    reason: str
    explanation: str
    helps: str
    considered: tuple[Candidate, ...]
    ledger: tuple[Evidence, ...]
    trace: Trace
    warnings: tuple[str, ...]
    notice: str
    opinions: Opinions = field(default_factory=Opinions)
    outcome: Literal["abstention"] = "abstention"


Answer = Diagnosis | Abstention
