"""Which options of a question are plain, and so everybody's; the others switch parts of retrieval and need a researcher.

A new option is a researcher's until it is listed here. What is left out, or has its default, is not switched.
"""

from pydantic import BaseModel

from api.auth import Caller, must_be
from api.schemas import DiagnosisRequest, PictureSearchRequest, SearchRequest
from runtime.keys import Role

# How much is shown, what it is about, who writes, and what a failing model means. Nothing that weakens the evidence.
_OPTIONS = frozenset({"k", "filters", "rerank", "report", "on_engine_failure"})
_DIAGNOSIS = frozenset({"note", "age", "sex", "body_site", "options", "fhir", "patient"})
_SEARCH = frozenset({"text", "k", "filters", "rerank"})


def must_be_plain(caller: Caller | None, asked: DiagnosisRequest | SearchRequest | PictureSearchRequest) -> None:
    """Raises RoleTooLow naming the options that a reader may not use."""
    names = _switched_of(asked)
    if names and caller is not None:
        plural = len(names) > 1
        must_be(caller, Role.RESEARCHER, f"The option{'s' * plural} {', '.join(names)}", "need" if plural else "needs")


def _switched_of(asked: BaseModel) -> list[str]:
    if not isinstance(asked, DiagnosisRequest):
        return _switched(asked, _SEARCH)
    none = ["k"] if asked.options.k == 0 else []  # no reference case at all is a study, not a shorter answer
    return [*_switched(asked, _DIAGNOSIS), *none, *_switched(asked.options, _OPTIONS)]


def _switched(asked: BaseModel, plain: frozenset[str]) -> list[str]:
    fields = type(asked).model_fields
    return [
        name
        for name, field in fields.items()
        if name not in plain and getattr(asked, name) != field.get_default(call_default_factory=True)
    ]
