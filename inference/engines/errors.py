"""What can go wrong with an engine. Each error carries its own policy, so that a caller reads it instead of guessing.

As text an error says what happened and then what helps; `args[0]` is the first alone. Messages hold no prompt, note,
picture or answer, and no text a server sent: servers quote the request in their errors.
"""

from inference.errors import InferenceError


class EngineError(InferenceError):
    """Root of the engine errors. `retryable`: the same request may succeed later. `retry_after`: in how many seconds."""

    reason = "engine_error"
    retryable = False
    help = "Read the log of the inference server."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.args[0]}. {self.help}"


class EngineUnreachable(EngineError):
    """Nothing answers, or the answer broke off: the server is down, starting, or died over this request."""

    reason = "engine_unreachable"
    retryable = True
    help = "Check that the inference server runs and that its address is right; it may still be loading the model."


class EngineOverloaded(EngineError):
    """More waits than may wait, here or at the server. `retry_after` is always set."""

    reason = "engine_overloaded"
    retryable = True
    help = "Send fewer requests at once, or start another server."

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)


class EngineTimedOut(EngineError):
    """The answer took longer than allowed; the request was cancelled.

    Not retryable: what took too long once takes as long again, on a server that is already busy.
    """

    reason = "engine_timed_out"
    help = "Allow more time, ask for fewer new tokens, or look whether the server is busy."


class EngineMisconfigured(EngineError):
    """The engine cannot serve such requests at all: wrong key, unknown model, a missing checkpoint or package."""

    reason = "engine_misconfigured"
    help = "Check the model name, the address and the key against those the server was started with."


class InputRefused(EngineError):
    """The engine does not take this request: a broken picture, too many pictures, contradicting options."""

    reason = "input_refused"
    help = (
        "Check the pictures and options; a server takes one picture a prompt unless it was started with a higher limit."
    )


class ContextTooLong(InputRefused):
    """Prompt and answer together exceed the model's context."""

    reason = "context_too_long"
    help = (
        "Show fewer references, shorten the texts, ask for fewer new tokens, or start the server with a longer context."
    )


class MalformedAnswer(EngineError):
    """The server answered with something that is no answer."""

    reason = "malformed_answer"
    help = "Check that the address belongs to a server that speaks the OpenAI protocol, and its version."


class ConstraintIgnored(MalformedAnswer):
    """The answer is none of the given choices: the server ignored the constraint, as it ignores every unknown field."""

    reason = "constraint_ignored"
    help = "Use a server that knows `structured_outputs` (vLLM from 0.12 on), and start it without a reasoning parser."
