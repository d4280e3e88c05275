"""What is checked before a request is sent and after its answer came, whatever the engine."""

import json
from collections.abc import Sequence
from itertools import pairwise

from inference.engines.errors import ConstraintIgnored, InputRefused, MalformedAnswer
from inference.engines.types import ChatRequest, repeated


def check_constraint(request: ChatRequest, text: str, finish_reason: str) -> None:
    """Raise unless a constrained answer is what was asked for; never mend it.

    MalformedAnswer when it was cut off, ConstraintIgnored when it is no choice or no JSON at all. Whether JSON fits
    its schema is for the caller to validate, who makes an object of it.
    """
    if not request.constrained or _fits(request, text):
        return
    if finish_reason == "length" and _may_become(request, text):
        raise MalformedAnswer("the answer was cut off before it was complete; allow more new tokens")
    raise ConstraintIgnored("the answer is not held to the choices or the schema of the request")


def check_continuations(continuations: Sequence[str]) -> None:
    """Raise InputRefused unless the answers exclude each other; otherwise their mass would count some text twice.

    End each with what ends the answer ("... lichen planus."), so that none is the beginning of another.
    """
    if not continuations or not all(continuations) or repeated(continuations):
        raise InputRefused("the continuations must be there, distinct and not empty")
    # In this order the texts that begin with another stand directly behind it.
    if any(later.startswith(earlier) for earlier, later in pairwise(sorted(continuations))):
        raise InputRefused("one continuation is the beginning of another; end each with what ends the answer")


def _fits(request: ChatRequest, text: str) -> bool:
    if request.choice is not None:
        return text in request.choice
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _may_become(request: ChatRequest, text: str) -> bool:
    """Whether more tokens could have made it right. What does not begin like JSON never becomes any."""
    if request.choice is not None:
        return any(choice.startswith(text) for choice in request.choice)
    return text.lstrip()[:1] in {"", "{", "[", '"'}
