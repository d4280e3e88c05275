"""What every engine does. One contract suite (tests/vllm/test_engine_vllm.py) runs on all of them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from inference.engines.types import ChatRequest, Completion, LabelScore, TokenCount


class Engine(Protocol):
    """Turns requests into words. Safe for many tasks of one event loop; every method raises only EngineError."""

    @property
    def can_score(self) -> bool:
        """Whether `score` works: some servers do not report log-probabilities of given text."""

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. A choice is validated: ConstraintIgnored when the answer is none, MalformedAnswer when it
        was cut off. Cancelling the caller cancels the work."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """The answer piece by piece. Close it (`contextlib.aclosing`): closing early cancels the work.

        The pieces joined are what `complete` gives; a choice is validated after the last one.
        """

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        """The probability of each continuation of the prompt and its opening, in the order given.

        Nothing is renormalised: `label_mass` of the result is how sure the model is that it is any of them. The
        request's decoding fields are not used. InputRefused when one continuation begins another, or when the
        tokenizer joins its beginning with the end of the prompt (begin it with the space, and do not end the opening
        with one): then no exact score exists.
        """

    async def count(self, request: ChatRequest) -> TokenCount | None:
        """The prompt's tokens as the model's own processor makes them; None where the engine cannot count."""

    async def probe(self) -> float:
        """Seconds a real generation of one token took; a health page can be fine while the model is dead."""

    async def aclose(self) -> None:
        """Give up connections or memory. The engine cannot be used afterwards."""
