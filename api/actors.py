"""Who changes something: the name of the key, or, where none is needed, what a caller says of himself."""

from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter

from api.auth import caller_of
from api.backend import Backend
from runtime.curation import Curator

UNNAMED = "http"
PATIENCE_S = 30.0  # for another writer; a caller on the line should be told rather than kept

Actor = NamedDependency[str]  # of a handler that changes something
_SaidToBe = Annotated[
    str | None,
    HeaderParameter(
        name="Dermacite-Actor", max_length=100, pattern=r"^[\w .@+-]+$", examples=[Example(value="dr.weber")],
        description="Who you are, for the audit log and the four-eyes rule, as long as there are no keys: nobody checks it "
        "then, as only this machine can call. With a key you are who it names, whatever this says.",
    ),
]  # fmt: skip


async def acting(request: Request[Any, Any, Any], said_to_be: _SaidToBe = None) -> str:
    """The name to write down."""
    caller = caller_of(request)
    return (caller.name if caller else None) or said_to_be or UNNAMED


def curator(backend: Backend, actor: str) -> Curator:
    """The writing side, in the name of a caller."""
    return Curator(backend.service, patience_s=PATIENCE_S, actor=actor)
