"""What a served model is, as frozen data. Nothing here knows a file or an engine's client."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inference.labelsets import LabelSet

CAPTION_TOKENS = 256  # room for one reference caption; the captioning models write at most as many
PROMPT_TOKENS = 256  # room for the longest prompt, the chat template and the lines between pictures


class Stage(StrEnum):
    """What the model is asked for."""

    GROUP = "group"  # stage 1
    DISEASE = "disease"  # stage 2
    CAPTION = "caption"  # stage 3
    REPORT = "report"  # text about a picture with evidence in the prompt


class Layout(StrEnum):
    """How references stand in the message."""

    SINGLE = "single"  # no references
    TRAINING = "training"  # label only, as the references stood while the model was trained
    EVALUATION = "evaluation"  # label and caption, as they stood when the published figures were measured


class Status(StrEnum):
    """Whether an answer of this model may be used."""

    PRODUCTION = "production"
    RESEARCH = "research"
    COLLAPSED = "collapsed"


class Engine(StrEnum):
    """Programs that can serve the weights."""

    VLLM = "vllm"
    SGLANG = "sglang"
    LLAMA_CPP = "llama.cpp"
    TRANSFORMERS = "transformers"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Which weights. `repository` is a hub id, `revision` a commit hash; None means nobody has said, and `note` why.

    `merged` weights need no adapter. `base` is what they were made from.
    """

    repository: str | None
    revision: str | None
    base: str
    merged: bool
    licence: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Pictures become RGB with their longest side at most `longest_side` pixels; smaller ones stay as they are.

    One token stands for a square of `pixels_per_token` pixels a side.
    """

    longest_side: int
    pixels_per_token: int

    @property
    def tokens_per_picture(self) -> int:
        """The most tokens one prepared picture takes."""
        return math.ceil(self.longest_side / self.pixels_per_token) ** 2


@dataclass(frozen=True, slots=True)
class Decoding:
    """Sampling. Temperature 0 is greedy; then `top_p` 1 and `top_k` 0 say that nothing is cut."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repeat_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether the model thinks before it answers.

    `expected`: only what follows the last `</think>` is the answer, and an answer without one is cut off, unless it is
    nothing but a label. `prefill_empty_block` starts the answer with an empty thought: the chat template of a thinking
    model writes one before every answer it is trained on, so that an answer begun so stands where it stood in training.
    """

    expected: bool = False
    prefill_empty_block: bool = False


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How the model words a label: `form` with `{label}` filled is what is chosen from and scored.

    `opening` is given to the model before it, where its answers are longer than the label. `constrained`: by default
    the server holds the answer to the forms; otherwise the model writes freely and its text is parsed.
    """

    form: str = "{label}"
    opening: str = ""
    constrained: bool = True

    def of(self, answer: str) -> str:
        """The form of one label, as the model writes it."""
        return self.form.replace("{label}", answer)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and how far it can be trusted. `value` in `unit`; `cases` None where the source does not say."""

    measure: str
    value: float
    unit: str
    cases: int | None
    caveat: str


@dataclass(frozen=True, slots=True)
class EngineFlags:
    """What an engine's command line needs for this model beyond what every model needs.

    `quantisations` are the ways to fit the weights into less memory, by name, the default first; without any the
    weights are served as they are. `notes` say for which versions and cards.
    """

    flags: tuple[str, ...] = ()
    quantisations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """One served model. `prompts` are all it was trained or measured with; `prompt` is the default one.

    `guided_prompt` is used when a group (stage 2) or a disease (stage 3) is passed on. `references` is the default K,
    `image_limit` how many pictures one message may hold, the query's included. `warnings` stand in every answer.
    """

    name: str
    title: str
    stage: Stage
    status: Status
    checkpoint: Checkpoint
    prompts: tuple[str, ...]
    prompt: str
    guided_prompt: str | None
    layout: Layout
    references: int
    image_limit: int
    context_length: int
    labels: LabelSet | None
    groups: LabelSet | None
    answer: AnswerForm
    grounded: bool
    preprocessing: Preprocessing
    decoding: Decoding
    thinking: Thinking
    engines: Mapping[Engine, EngineFlags]
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]

    def context_needed(self, references: int | None = None) -> int:
        """Tokens of the longest message with that many references (default: its own K), and of the answer to it."""
        count = self.references if references is None else references
        captions = count * CAPTION_TOKENS if self.layout is Layout.EVALUATION else 0
        pictures = (count + 1) * self.preprocessing.tokens_per_picture
        return pictures + captions + PROMPT_TOKENS + self.decoding.max_new_tokens
