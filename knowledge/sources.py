"""What is known of documents beyond their bytes: `documents.jsonl` beside a folder of PDFs.

One JSON object a line: `file` (path relative to the list) and any of title, publisher, url, licence, jurisdiction, edition,
effective, review, expires, grade, language, tags (a list). Unknown keys are refused, so that a misspelt licence is not
silently lost.
"""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from knowledge.errors import DocumentRefused
from knowledge.types import Source

FILE = "documents.jsonl"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # half a surrogate pair cannot be stored
_LONGEST = 2_000  # characters of a value
_KEYS = {field.name for field in fields(Source)}


def read_sources(folder: Path) -> dict[Path, Source]:
    """Resolved path of each listed PDF -> its source; empty without a list. Raises DocumentRefused (`bad_sources`)."""
    listing = folder / FILE
    if not listing.is_file():
        return {}
    try:
        lines = listing.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentRefused("bad_sources", f"{FILE} cannot be read; save it as UTF-8") from error
    entries = [_entry(folder, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    return dict(entries)


def _entry(folder: Path, number: int, line: str) -> tuple[Path, Source]:
    try:
        values: dict[str, Any] = json.loads(line)
        name = values.pop("file")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise DocumentRefused("bad_sources", f'{FILE}, line {number}: not a JSON object with a "file"') from error
    unknown = sorted(values.keys() - _KEYS)
    if unknown or not values.get("title"):
        problem = f"unknown keys {', '.join(unknown)}" if unknown else "a title is needed"
        raise DocumentRefused(
            "bad_sources", f"{FILE}, line {number}: {problem}. Keys: file, {', '.join(sorted(_KEYS))}"
        )
    tags = values.pop("tags", [])
    texts = (name, *(value for value in values.values() if value is not None))
    if not isinstance(tags, list) or not all(isinstance(value, str) for value in (*texts, *tags)):
        raise DocumentRefused("bad_sources", f"{FILE}, line {number}: every value must be a text, tags a list of them")
    if any(len(text) > _LONGEST or _UNPRINTABLE.search(text) for text in (*texts, *tags)):
        problem = f"a value has more than {_LONGEST} characters, or control characters"
        raise DocumentRefused("bad_sources", f"{FILE}, line {number}: {problem}")
    try:
        return (folder / name).resolve(), Source(**values, tags=tuple(tags))
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise DocumentRefused("bad_sources", f"{FILE}, line {number}: the file cannot be found") from error
