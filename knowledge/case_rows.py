"""One row of a captioned collection: what it says, and whether it can become a reference case.

Every reader of `knowledge.cases` hands its rows to one `CaseRows`, so that all formats keep the same rules: a picture
lies inside the data set's folder, a label is there, and no picture comes twice.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final

_SHOWN_FILE_LENGTH: Final = 300  # characters; a runaway field must not fill a report


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One usable row. Texts are as written, without outer white space; `caption` may be empty, `label` never is.

    `row` is the number an editor shows: the line on which the row starts (1-based, the header is line 1), or for class
    folders the position of the file in the sorted listing. `picture` is absolute, free of links, inside the folder.
    """

    row: int
    picture: Path
    label: str
    caption: str
    group: str | None = None
    subject: str | None = None
    lesion: str | None = None
    split: str | None = None
    skin_tone: str | None = None
    licence: str | None = None
    source: str | None = None
    label_raw: str | None = dataclasses.field(default=None, compare=False)  # as written; a spelling makes no other case


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that was left out. `file` is the text as given; `reason` is stable, `message` says what to do."""

    row: int
    file: str
    reason: str
    message: str


OPTIONAL_FIELDS: Final = tuple(
    field.name
    for field in dataclasses.fields(CaseRow)
    if field.name not in {"row", "picture", "label", "caption", "label_raw"}
)

_MESSAGES: Final = {
    "label_missing": "The row has no label. Write the diagnosis into the label column (or put the file in its folder).",
    "not_utf8": "The row is not valid UTF-8. Save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8').",
    "nul_byte": "The row contains a NUL byte, which no text has. Repair the row or export the file anew.",
    "picture_missing": "No such picture file. Check the name, its case, and that it lies inside the data set's folder.",
    "picture_outside_folder": "The picture lies outside the data set's folder (absolute path, '..', link). Copy it in.",
}


def rejected(row: int, file: str, reason: str, message: str | None = None) -> RejectedRow:
    """A rejection whose `file` can be printed and stored whatever bytes it came from."""
    shown = file[:_SHOWN_FILE_LENGTH].encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    return RejectedRow(row, shown, reason, message or _MESSAGES[reason])


def normalise_label(raw: str) -> str:
    """Trimmed, lower case, hyphens as spaces, runs of white space as one space: `Lichen-Planus ` -> `lichen planus`.

    The rule of the served models' training code (it turns SkinCAP's 187 spellings into 178 labels); letters beyond
    ASCII stay. Nothing but hyphens and white space gives an empty string.
    """
    return " ".join(raw.lower().replace("-", " ").split())


class CaseRows:
    """Checks rows one after the other against the folder and against the rows before."""

    def __init__(self, root: Path) -> None:
        """`root` is the data set's folder, absolute and free of links."""
        self._root = root
        self._first: dict[Path, CaseRow] = {}

    def check(self, row: int, file: str, fields: Mapping[str, str | None]) -> CaseRow | RejectedRow:
        """`file` is relative to the folder; `fields` holds a label, and what is known of CaseRow's other texts. A reader that
        changes a label before it comes here gives it as written as `label_raw`.

        Rejections: not_utf8, nul_byte, label_missing, picture_missing, picture_outside_folder, duplicate_row,
        conflicting_row (of two rows about one picture the first stays, whatever it says).
        """
        texts = {name: (value or "").strip() for name, value in fields.items()}
        if problem := _unstorable((file, *texts.values())):
            return rejected(row, file, problem)
        label = normalise_label(texts.get("label", ""))
        if not label:
            return rejected(row, file, "label_missing")
        picture = self._picture(file)
        if isinstance(picture, str):
            return rejected(row, file, picture)
        optional = {name: texts.get(name) or None for name in OPTIONAL_FIELDS}
        raw = texts.get("label_raw") or texts["label"]
        case = CaseRow(row, picture, label, texts.get("caption", ""), **optional, label_raw=raw)
        first = self._first.setdefault(picture, case)
        return case if first is case else _repeated(case, first, file)

    def _picture(self, file: str) -> Path | str:
        """The real path of a picture inside the folder, or the reason why there is none.

        Read as a Windows path, which knows both separators and drives: manifests travel between systems.
        """
        path = PureWindowsPath(file.strip())
        if path.anchor or ".." in path.parts:
            return "picture_outside_folder"
        try:
            real = self._root.joinpath(*path.parts).resolve(strict=True)
            if not real.is_relative_to(self._root):
                return "picture_outside_folder"
            return real if real.is_file() else "picture_missing"
        except (OSError, RuntimeError):  # RuntimeError: links in a circle
            return "picture_missing"


def _unstorable(texts: tuple[str, ...]) -> str | None:
    text = "".join(texts)
    if "\0" in text:
        return "nul_byte"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: undecodable bytes, or such an escape in JSON
        return "not_utf8"
    return None


def _repeated(case: CaseRow, first: CaseRow, file: str) -> RejectedRow:
    if dataclasses.replace(case, row=first.row) == first:
        return rejected(case.row, file, "duplicate_row", f"The same as row {first.row}. Delete one of the two.")
    message = f"Row {first.row} says something else about this picture and was kept. Correct one and delete the other."
    return rejected(case.row, file, "conflicting_row", message)
