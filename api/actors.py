"""Who changes something. Until there are keys a caller names himself, and only this machine can call."""

from typing import Annotated

from litestar.openapi.spec import Example
from litestar.params import HeaderParameter

from api.backend import Backend
from runtime.curation import Curator

UNNAMED = "http"
PATIENCE_S = 30.0  # for another writer; a caller on the line should be told rather than kept

Actor = Annotated[
    str | None,
    HeaderParameter(
        name="Dermacite-Actor", max_length=100, pattern=r"^[\w .@+-]+$", examples=[Example(value="dr.weber")],
        description="Who you are, for the audit log and the four-eyes rule. Nobody checks it: only this machine can call.",
    ),
]  # fmt: skip


def named(actor: str | None) -> str:
    """The name to write down."""
    return actor or UNNAMED


def curator(backend: Backend, actor: str | None) -> Curator:
    """The writing side, in the name of a caller."""
    return Curator(backend.service, patience_s=PATIENCE_S, actor=named(actor))
