"""A served model as the stages use it: its profile turned into requests, and an account of what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.engines import ChatRequest, Engine
from inference.engines.replica import ReplicaState
from inference.engines.replicated import ReplicatedEngine
from inference.label_probabilities import LabelCalibration
from inference.labelsets import LabelSet
from inference.profiles import ModelProfile
from inference.prompts import ImagePart, Message, Pixels, TextPart, prepared, with_empty_thought


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A profile, the engine that serves it and the name it goes by there. `through` names the kind of engine."""

    profile: ModelProfile
    engine: Engine
    name: str
    through: str
    calibration: LabelCalibration | None = None

    @property
    def replicas(self) -> tuple[ReplicaState, ...]:
        """The servers that share the work and how each stands; none where there is only one."""
        return self.engine.replicas if isinstance(self.engine, ReplicatedEngine) else ()

    @property
    def thinks(self) -> bool:
        """Whether an unconstrained answer begins with a thought."""
        return self.profile.thinking.expected and not self.profile.thinking.prefill_empty_block

    @property
    def labels(self) -> LabelSet:
        """What it may answer. Raises ValueError for a model that writes text, which no stage asks for labels."""
        if self.profile.labels is None:
            raise ValueError(f"{self.profile.name} has no labels")
        return self.profile.labels

    def prepared(self, rgb: Pixels) -> ImagePart:
        """A picture as the model was trained to see it."""
        return prepared(rgb, self.profile.preprocessing.longest_side)

    def request(
        self, messages: Sequence[Message], *, opening: str = "", choice: tuple[str, ...] | None = None,
        schema: dict[str, object] | None = None, seed: int = 0,
    ) -> ChatRequest:  # fmt: skip
        """The messages with the profile's decoding, its empty thought and the given beginning of the answer."""
        decoding = self.profile.decoding
        # A choice ends by itself, and the limit must not cut it off where a tokenizer spells it in small pieces.
        longest = max((len(text.encode()) + 1 for text in choice or ()), default=0)
        return ChatRequest(
            self._begun(messages, opening), self.name, max(decoding.max_new_tokens, longest), decoding.temperature,
            decoding.top_p, decoding.top_k, seed, choice=choice, json_schema=schema,
        )  # fmt: skip

    def label_request(self, messages: Sequence[Message], *, constrained: bool, seed: int = 0) -> ChatRequest:
        """Ask for one of its labels: held to the forms of its answers, or freely."""
        if not constrained:
            return self.request(messages, seed=seed)
        return self.request(messages, opening=self.profile.answer.opening, choice=self.forms(), seed=seed)

    def scoring_request(self, messages: Sequence[Message]) -> ChatRequest:
        """What the forms of its answers are scored after."""
        return self.request(messages, opening=self.profile.answer.opening)

    def forms(self) -> tuple[str, ...]:
        """The answer for each label, in the order of the label set."""
        return tuple(self.profile.answer.of(label.answer) for label in self.labels.labels)

    def _begun(self, messages: Sequence[Message], opening: str) -> tuple[Message, ...]:
        begun = with_empty_thought(messages) if self.profile.thinking.prefill_empty_block else tuple(messages)
        if not opening:
            return begun
        if begun[-1].role == "assistant":
            return (*begun[:-1], Message("assistant", (*begun[-1].parts, TextPart(opening))))
        return (*begun, Message("assistant", (TextPart(opening),)))
