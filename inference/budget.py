"""How much evidence fits into a model's context. Whole items are left out, the last ranked first; none is ever cut.

Most prompts fit by a wide margin, and a bound that needs no tokenizer proves it: no token is shorter than one byte.
Only where the bound does not prove it the model's own processor counts, and then a few times: whether the first n items
fit is monotonous in n, so their number is found by halving.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from inference.engines import ChatRequest
from inference.engines.errors import ContextTooLong
from inference.prompts import ImagePart, TextPart
from inference.served import ServedModel

_TURN = 16  # tokens a chat template writes around one message, at most
_TEMPLATE = 64  # and once by itself, such as a system turn where none was given
_PICTURE_MARKS = 2  # begin and end of a picture
# A server may enlarge small pictures to an area of this many tokens at most (vLLM's and our launch command's floor is 64).
_SMALLEST_PICTURE = 128


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request that fits, how many items it holds, and how that is known: "bound" or "counted"."""

    request: ChatRequest
    items: int
    known_by: str
    prompt_tokens: int  # exactly where counted, else at most


async def fitted(model: ServedModel, build: Callable[[int], ChatRequest], items: int) -> Fitted:
    """The request with as many of `items` as fit, first ranked first; `build(n)` makes the one with the first n.

    Raises ContextTooLong when it does not fit even without any.
    """
    request = build(items)
    bound = most_tokens(request, model)
    if bound + request.max_new_tokens <= model.profile.context_length:
        return Fitted(request, items, "bound", bound)
    best: Fitted | None = None
    low, high = 0, items  # everything below `low` fits, everything above `high` does not
    while low <= high:
        middle = high if best is None and high == items else (low + high) // 2
        tried = await _tried(model, build(middle), middle)
        if tried is None:
            high = middle - 1
        else:
            best, low = tried, middle + 1
    if best is None:
        raise ContextTooLong(f"the prompt of {model.profile.name} does not fit its context even without evidence")
    return best


def most_tokens(request: ChatRequest, model: ServedModel) -> int:
    """No prompt of this request has more tokens, whatever the tokenizer."""
    side = model.profile.preprocessing.pixels_per_token
    total = _TEMPLATE
    for message in request.messages:
        total += _TURN
        for part in message.parts:
            if isinstance(part, TextPart):
                total += len(part.text.encode("utf-8", "replace"))
            elif isinstance(part, ImagePart):
                height, width = part.rgb.shape[:2]
                squares = math.ceil(height / side) * math.ceil(width / side)
                total += max(squares, _SMALLEST_PICTURE) + _PICTURE_MARKS
    return total


async def _tried(model: ServedModel, request: ChatRequest, items: int) -> Fitted | None:
    """Whether the request fits: as the model's processor counts it, else by the bound."""
    bound, limit = most_tokens(request, model), model.profile.context_length
    if bound + request.max_new_tokens <= limit:
        return Fitted(request, items, "bound", bound)
    counted = await model.engine.count(request)
    if counted is None or counted.prompt + request.max_new_tokens > min(limit, counted.limit):
        return None
    return Fitted(request, items, "counted", counted.prompt)
