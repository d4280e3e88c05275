"""Readers of captioned collections: a folder or manifest in, its rows out, each usable or rejected with a reason.

Understood are SkinCAP as its authors deliver it, `manifest.csv` and `manifest.jsonl` (columns `picture` and `label`;
optional `caption`, `group`, `subject`, `lesion`, `split`, `skin_tone`, `licence`, `source`), and class folders: one
folder per label with pictures in it. Pictures are located, not opened: `knowledge.pictures` admits them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from knowledge.case_rows import OPTIONAL_FIELDS, CaseRow, CaseRows, RejectedRow, normalise_label, rejected
from knowledge.case_tables import TableRow, csv_columns, csv_head, csv_rows, jsonl_rows, read_bytes
from knowledge.errors import CasesRefused
from knowledge.skincap import EXCLUDED_MESSAGE, is_excluded, is_skincap, skincap_fields, skincap_file

__all__ = ["CaseFolder", "CaseRow", "RejectedRow", "normalise_label", "read_cases"]

CaseFormat = Literal["skincap", "manifest.csv", "manifest.jsonl", "class_folders"]

_LAYOUTS: Final = (
    "Understood are: SkinCAP (skincap_v*.csv beside the folder skincap/), manifest.csv or manifest.jsonl with the "
    "columns picture and label, or one folder per label with pictures in it."
)
_NOT_READABLE: Final = "The folder or manifest cannot be read. Check that it exists and that this user may read it."
# Spellings of one column, the preferred one first. Only these names are looked for; other columns are ignored.
_ALIASES: Final = {
    "picture": ("picture", "image", "file", "file_name"),
    "label": ("label",),
    "caption": ("caption",),
    **{name: (name,) for name in OPTIONAL_FIELDS},
    "licence": ("licence", "license"),
}
_PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"})
_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class CaseFolder:
    """What was read: every row of the collection in its order, usable or rejected."""

    dataset: str
    format: CaseFormat
    rows: tuple[CaseRow | RejectedRow, ...]


def read_cases(path: Path, *, dataset: str | None = None) -> CaseFolder:
    """Read the collection at `path`: its folder, or its manifest (whose folder then is the collection's).

    `dataset` names it; by default `skincap`, or the folder's name. Raises CasesRefused: not_readable, no_cases_found,
    several_manifests, manifest_columns_missing, manifest_columns_repeated.
    """
    try:
        if path.is_file():
            return _read_manifest(path, _real(path.parent), dataset)
        root = _real(path)
        manifests = _manifests(root)
        if len(manifests) > 1:
            message = f"The folder has {len(manifests)} manifests. Name the one you mean instead of the folder."
            raise CasesRefused("several_manifests", message)
        return _read_manifest(manifests[0], root, dataset) if manifests else _read_class_folders(root, dataset)
    except OSError as error:
        raise CasesRefused("not_readable", _NOT_READABLE) from error


def _real(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (RuntimeError, ValueError) as error:  # links in a circle, or a NUL in the path
        raise CasesRefused("not_readable", _NOT_READABLE) from error


def _manifests(folder: Path) -> list[Path]:
    """The files of a folder that describe it, by name: manifests, and tables with SkinCAP's columns."""
    files = sorted(entry for entry in folder.iterdir() if entry.is_file() and not _is_hidden(entry))
    named = [file for file in files if file.name.lower() in {"manifest.csv", "manifest.jsonl"}]
    tables = [file for file in files if file.suffix.lower() == ".csv" and file not in named]
    return named + [file for file in tables if csv_columns(csv_head(file), is_skincap)]


def _read_manifest(file: Path, root: Path, dataset: str | None) -> CaseFolder:
    data = read_bytes(file)
    checked = CaseRows(root)
    rows: Iterator[CaseRow | RejectedRow]
    layout: CaseFormat
    if file.suffix.lower() in {".jsonl", ".ndjson"}:
        layout, rows = "manifest.jsonl", _manifest_rows(jsonl_rows(data), checked)
    elif file.suffix.lower() not in {".csv", ".tsv"}:
        raise CasesRefused("no_cases_found", f"This file is no manifest. {_LAYOUTS}")
    elif header := csv_columns(data, is_skincap):
        layout, rows = "skincap", _skincap_rows(csv_rows(data, *_unrepeated(header)), checked)
    elif header := csv_columns(data, _has_required):
        layout, rows = "manifest.csv", _manifest_rows(csv_rows(data, *_unrepeated(header)), checked)
    else:
        raise CasesRefused("manifest_columns_missing", f"The columns picture and label are needed. {_LAYOUTS}")
    default = "skincap" if layout == "skincap" else root.name
    return _collection(dataset or default, layout, rows)


def _has_required(columns: frozenset[str]) -> bool:
    return all(columns.intersection(_ALIASES[name]) for name in ("picture", "label"))


def _unrepeated(header: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    named = [column for column in header[1] if column]
    if len(set(named)) < len(named):
        message = "Two columns of the manifest have the same name. Rename or delete one of them."
        raise CasesRefused("manifest_columns_repeated", message)
    return header


def _collection(dataset: str, layout: CaseFormat, rows: Iterator[CaseRow | RejectedRow]) -> CaseFolder:
    found = tuple(rows)
    if not found:
        raise CasesRefused("no_cases_found", f"There is not a single case here. {_LAYOUTS}")
    return CaseFolder(dataset, layout, found)


def _skincap_rows(table: Iterator[TableRow | RejectedRow], checked: CaseRows) -> Iterator[CaseRow | RejectedRow]:
    for item in table:
        if isinstance(item, RejectedRow):
            yield item
        elif is_excluded(item.texts):
            yield rejected(item.row, item.texts["skincap_file_path"], "excluded_by_dataset", EXCLUDED_MESSAGE)
        else:
            yield checked.check(item.row, skincap_file(item.texts), skincap_fields(item.texts))


def _manifest_rows(table: Iterator[TableRow | RejectedRow], checked: CaseRows) -> Iterator[CaseRow | RejectedRow]:
    for item in table:
        if isinstance(item, RejectedRow):
            yield item
            continue
        fields = {name: _first_text(item, spellings) for name, spellings in _ALIASES.items()}
        yield checked.check(item.row, fields.pop("picture") or "", fields)


def _first_text(item: TableRow, spellings: tuple[str, ...]) -> str | None:
    return next((item.texts[name] for name in spellings if item.texts.get(name)), None)


def _read_class_folders(root: Path, dataset: str | None) -> CaseFolder:
    """Each folder is a label (`_` and `-` read as spaces), each picture in it a case without a caption.

    Only one level: in `train/psoriasis/` the label would be `train`, so nested folders are reported, not read.
    """
    checked = CaseRows(root)
    listing = enumerate(_listed(root), start=1)
    rows = tuple(_class_folder_row(row, file, root, checked) for row, file in listing)
    if not any(isinstance(row, CaseRow) for row in rows):
        raise CasesRefused("no_cases_found", f"There is not a single case here. {_LAYOUTS}")
    return CaseFolder(dataset or root.name, "class_folders", rows)


def _listed(root: Path) -> Iterator[Path]:
    """What lies in the label folders, and pictures beside them, sorted by path; hidden and system files are not."""
    for entry in _visible(root):
        if entry.is_dir() and entry.resolve().is_relative_to(root):
            yield from _visible(entry)
        elif entry.is_dir() or _is_picture(entry):
            yield entry


def _class_folder_row(row: int, file: Path, root: Path, checked: CaseRows) -> CaseRow | RejectedRow:
    name = file.relative_to(root).as_posix()
    if file.is_dir() and file.parent == root:
        return rejected(row, name, "picture_outside_folder")
    if file.is_dir():
        message = "A folder inside a label's folder is not read. Point at the folder whose subfolders are the labels."
        return rejected(row, name, "nested_folder", message)
    if not _is_picture(file):
        message = "The file is not a picture (JPEG, PNG, WebP, HEIC or AVIF by its name). Convert it or take it out."
        return rejected(row, name, "not_a_picture", message)
    raw = "" if file.parent == root else file.parent.name
    return checked.check(row, name, {"label": raw.replace("_", " "), "label_raw": raw})


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not _is_hidden(entry))


def _is_hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FILES


def _is_picture(entry: Path) -> bool:
    return entry.suffix.lower() in _PICTURE_SUFFIXES
