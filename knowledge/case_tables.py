"""Manifests as tables: CSV and JSON Lines to rows of named texts. A bad line costs that line, not the file."""

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knowledge.case_rows import RejectedRow, rejected
from knowledge.errors import CasesRefused

if TYPE_CHECKING:
    from _csv import Reader

_FIELD_LIMIT: Final = 1_000_000  # characters of one CSV field; a caption has hundreds, a forgotten quote swallows files
_HEADER_BYTES: Final = 65_536  # SkinCAP's header of 65 columns has 1,200
_DELIMITERS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One readable row: the line it starts on (1-based) and its texts by column name (trimmed, lower case)."""

    row: int
    texts: Mapping[str, str]


def read_bytes(path: Path) -> bytes:
    """The file's bytes without a byte order mark. Raises OSError, and CasesRefused (not_readable) for UTF-16."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CasesRefused("not_readable", "The manifest is UTF-16. Save it as UTF-8 ('CSV UTF-8') and try again.")
    return data.removeprefix(codecs.BOM_UTF8)


def csv_head(path: Path) -> bytes:
    """Enough of a file to hold its header, without a byte order mark."""
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES).removeprefix(codecs.BOM_UTF8)


def csv_columns(data: bytes, fits: Callable[[frozenset[str]], bool]) -> tuple[str, tuple[str, ...]] | None:
    """`(delimiter, columns)` for the first of comma, semicolon and tab whose header `fits`, else None.

    The header decides because it alone is known; csv.Sniffer guesses from captions full of commas.
    """
    for delimiter in _DELIMITERS:
        try:
            header = next(_csv_reader(data, delimiter), [])
        except csv.Error:
            continue
        columns = tuple(name.strip().lower() for name in header)
        if fits(frozenset(columns)):
            return delimiter, columns
    return None


def csv_rows(data: bytes, delimiter: str, columns: tuple[str, ...]) -> Iterator[TableRow | RejectedRow]:
    """The rows under the header. Rejections: bad_csv, wrong_number_of_columns. Empty lines are passed over."""
    reader = _csv_reader(data, delimiter)
    next(reader)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            message = f"Lines {row} to {reader.line_num} are not valid CSV. Look for a quote that is never closed."
            yield rejected(row, "", "bad_csv", message)
            continue
        if len(cells) == len(columns):
            yield TableRow(row, dict(zip(columns, cells, strict=True)))
        elif cells:
            found = f"The row has {len(cells)} columns, the header {len(columns)}."
            message = f"{found} Put texts that contain the delimiter into double quotes."
            yield rejected(row, "", "wrong_number_of_columns", message)


def jsonl_rows(data: bytes) -> Iterator[TableRow | RejectedRow]:
    """One JSON object per line. Rejections: not_utf8, bad_json, bad_value. Empty lines are passed over."""
    for row, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line.decode(), parse_constant=_refuse_constant)
        except UnicodeDecodeError:
            yield rejected(row, "", "not_utf8")
            continue
        except (ValueError, RecursionError):
            yield rejected(row, "", "bad_json", "The line is not valid JSON. Write one complete object per line.")
            continue
        yield _json_row(row, found)


def _refuse_constant(name: str) -> None:
    """NaN is no JSON; as text it would become a caption that says `nan`."""
    raise ValueError(f"{name} is not a JSON value")


def _json_row(row: int, found: object) -> TableRow | RejectedRow:
    if not isinstance(found, dict):
        return rejected(row, "", "bad_json", "The line is not a JSON object. Write one object ({...}) per line.")
    texts: dict[str, str] = {}
    for name, value in found.items():
        column = str(name).strip().lower()
        if isinstance(value, bool | list | dict):
            message = "A value is neither text nor a number. Write texts, numbers or null."
            return rejected(row, "", "bad_value", message)
        if column in texts:
            return rejected(row, "", "bad_value", "Two keys differ only in case or white space. Keep one of them.")
        texts[column] = "" if value is None else str(value)
    return TableRow(row, texts)


def _csv_reader(data: bytes, delimiter: str) -> "Reader":
    """Undecodable bytes become lone surrogates, so that only the row they stand in is rejected later.

    `strict` reports a stray quote instead of guessing where the text was meant to end.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_LIMIT))  # process-wide, and only ever raised
    text = data.decode("utf-8", "surrogateescape")
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
