"""What a manifest says of a case that a reference case does not keep: body site, age, sex and a note of the patient's."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from knowledge.case_rows import RejectedRow
from knowledge.case_tables import TableRow, csv_columns, csv_rows, jsonl_rows, read_bytes
from knowledge.errors import CasesRefused

# Spellings of a column, in lower case. Where a case lies is `picture`, as knowledge.cases reads it.
_COLUMNS: Final = {
    "body_site": ("body_site", "localization", "anatom_site_general"),
    "age": ("age", "age_approx"),
    "sex": ("sex",),
    "note": ("note",),
}
_PICTURE: Final = ("picture", "image", "file", "file_name")


def annotations_of(collection: Path) -> dict[Path, Mapping[str, str]]:
    """By the path of the picture, free of links; nothing for collections without a manifest of such columns."""
    for file in (collection,) if collection.is_file() else (collection / "manifest.csv", collection / "manifest.jsonl"):
        if file.is_file():
            return _read(file)
    return {}


def _read(file: Path) -> dict[Path, Mapping[str, str]]:
    found: dict[Path, Mapping[str, str]] = {}
    for row in _rows(file):
        if isinstance(row, RejectedRow):
            continue
        picture = _first(row.texts, _PICTURE)
        texts = {name: _first(row.texts, spellings) for name, spellings in _COLUMNS.items()}
        if picture and any(texts.values()):
            found.setdefault((file.parent / picture.replace("\\", "/")).resolve(), texts)
    return found


def _rows(file: Path) -> Iterable[TableRow | RejectedRow]:
    """No row of what cannot be read: knowledge.cases says so."""
    try:
        data = read_bytes(file)
    except (OSError, CasesRefused):
        return ()
    if file.suffix.lower() in {".jsonl", ".ndjson"}:
        return jsonl_rows(data)
    header = csv_columns(data, lambda columns: bool(columns & set(_PICTURE)))
    return csv_rows(data, *header) if header else ()


def _first(texts: Mapping[str, str], spellings: Iterable[str]) -> str:
    return next((texts[name].strip() for name in spellings if texts.get(name, "").strip()), "")
