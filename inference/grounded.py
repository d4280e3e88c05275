"""An instruct model's report on numbered evidence: one JSON object, read strictly, its quotes found in the evidence.

Nothing is mended. An answer that is not the object asked for is a malformed answer; a quote that does not stand in the
cited evidence is placed outside it, so that the check which follows refuses it by name. Only white space may differ, because
lines of a page break where they like: what is cited then is the stored text, to the byte.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.engines.errors import MalformedAnswer
from inference.prompts import defused
from inference.types import Citation, Evidence, Statement

LONGEST = 600  # characters of a statement or quote
MOST = 20  # statements

_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Citation(BaseModel):
    model_config = _STRICT

    evidence: str = Field(min_length=1, max_length=8)
    quote: str = Field(min_length=1, max_length=LONGEST)


class _Statement(BaseModel):
    model_config = _STRICT

    text: str = Field(min_length=1, max_length=LONGEST)
    about: str = Field(max_length=120)
    citations: tuple[_Citation, ...] = Field(max_length=4)


class _Report(BaseModel):
    model_config = _STRICT

    statements: tuple[_Statement, ...] = Field(max_length=MOST)


def report_schema(keys: Sequence[str]) -> dict[str, Any]:
    """What the server holds the answer to. Only keys that exist can be written."""
    schema = _Report.model_json_schema()
    schema["$defs"]["_Citation"]["properties"]["evidence"] = {"type": "string", "enum": list(keys) or ["none"]}
    return schema


def read_report(text: str, ledger: Sequence[Evidence]) -> tuple[Statement, ...]:
    """The statements of an answer. Raises MalformedAnswer when it is not the object that was asked for."""
    try:
        report = _Report.model_validate_json(text)
    except ValidationError:
        raise MalformedAnswer("the report is not the JSON object that was asked for") from None
    by_key = {item.key: item for item in ledger}
    return tuple(
        Statement(one.text, one.about, tuple(_located(cited, by_key.get(cited.evidence)) for cited in one.citations))
        for one in report.statements
    )


def _located(cited: _Citation, item: Evidence | None) -> Citation:
    """Where the quote stands in the cited evidence; nowhere (an empty span) when it does not.

    A model sees some signs rewritten, one by one: such a quote stands where they are, and what is cited is what is stored.
    """
    words = r"\s+".join(re.escape(word) for word in cited.quote.split())
    texts = (item.text, defused(item.text)) if item is not None and words else ()
    found = next(filter(None, (re.search(words, text) for text in texts)), None)
    if item is None or found is None:
        return Citation(cited.evidence, cited.quote, 0, 0)
    start, end = found.span()
    return Citation(cited.evidence, item.text[start:end], item.start + start, item.start + end)
