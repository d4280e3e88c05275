"""From collections of captioned pictures to the registry. A whole collection becomes visible in one step."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from knowledge.blobs import BlobStore
from knowledge.cases import CaseRow, RejectedRow, read_cases
from knowledge.errors import PictureRefused
from knowledge.pictures import Picture, PictureLimits, admit_picture
from knowledge.preparation import Preparation, short_hash
from knowledge.registry import Registry
from knowledge.types import FileOutcome, Outcome, ReferenceCase

CASE_BATCH = 32  # pictures decoded and encoded together; bounds memory

Progress = Callable[[int, int], None]  # (done, of)


class CaseIngest:
    """Turns pictures and what is said of them into reference cases. The caller holds the writer lock."""

    def __init__(
        self, registry: Registry, blobs: BlobStore, preparation: Preparation, limits: PictureLimits = PictureLimits()
    ) -> None:
        self._registry = registry
        self._blobs = blobs
        self._preparation = preparation
        self._limits = limits

    def cases(self, path: Path, dataset: str | None = None, progress: Progress | None = None) -> list[FileOutcome]:
        """A folder or manifest of captioned pictures; one outcome per row. Raises CasesRefused, StorageFailed.

        The whole collection becomes visible in one step, at the end.
        """
        folder = read_cases(path, dataset=dataset)
        outcomes: list[FileOutcome] = []
        ready: list[tuple[int, ReferenceCase]] = []
        for row, result in zip(folder.rows, self._admitted(folder.dataset, folder.rows), strict=True):
            file = _shown(row, path)
            if isinstance(result, ReferenceCase):
                ready.append((len(outcomes), result))
                outcomes.append(FileOutcome(file, Outcome.UNCHANGED, id=result.id, cases=1))
            else:
                message = f"row {row.row}: {result.message}"
                outcomes.append(FileOutcome(file, Outcome.REFUSED, result.reason, message, rejected=1))
            if progress is not None:
                progress(len(outcomes), len(folder.rows))
        states = self._registry.put_cases([case for _, case in ready])
        for at, case in ready:
            outcomes[at] = replace(outcomes[at], state=states[case.id])
        return outcomes

    def _admitted(self, dataset: str, rows: Sequence[CaseRow | RejectedRow]) -> Iterator[ReferenceCase | RejectedRow]:
        """One result per row, in order; new pictures are stored and prepared batch by batch."""
        seen: dict[str, tuple[int, str]] = {}
        for start in range(0, len(rows), CASE_BATCH):
            new: list[tuple[ReferenceCase, Picture]] = []
            results = [self._admit_row(dataset, row, seen, new) for row in rows[start : start + CASE_BATCH]]
            self._preparation.cases(new)
            yield from results

    def _admit_row(
        self, dataset: str, row: CaseRow | RejectedRow, seen: dict[str, tuple[int, str]],
        new: list[tuple[ReferenceCase, Picture]],
    ) -> ReferenceCase | RejectedRow:  # fmt: skip
        """`seen` maps the bytes of earlier pictures to their row and case; what must be prepared is added to `new`."""
        if isinstance(row, RejectedRow):
            return row
        try:
            with row.picture.open("rb") as file:
                data = file.read(self._limits.bytes + 1)
            original = hashlib.sha256(data).hexdigest()
            case_id = _case_id(dataset, original, row)
            first, first_id = seen.setdefault(original, (row.row, case_id))
            if first != row.row:
                return _same_picture(row, first, same_case=case_id == first_id)
            known = self._registry.cases([case_id]).get(case_id)
            if known is not None:
                return known
            picture = admit_picture(data, self._limits)
        except OSError:
            message = "the picture cannot be read. Check that this user may read it."
            return RejectedRow(row.row, row.picture.name, "not_readable", message)
        except PictureRefused as error:
            return RejectedRow(row.row, row.picture.name, error.reason, str(error))
        case = self._case(dataset, row, case_id, picture)
        new.append((case, picture))
        return case

    def _case(self, dataset: str, row: CaseRow, case_id: str, picture: Picture) -> ReferenceCase:
        return ReferenceCase(
            id=case_id,
            dataset=dataset,
            label=row.label,
            caption=row.caption,
            picture=self._blobs.put(picture.encoded()),
            original=picture.sha256,
            perceptual_hash=picture.perceptual_hash,
            group=row.group,
            subject=row.subject,
            lesion=row.lesion,
            split=row.split,
            skin_tone=row.skin_tone,
            licence=row.licence,
            source=row.source,
        )


def _case_id(dataset: str, original: str, row: CaseRow) -> str:
    """The same picture with another label or caption is another case: ids name content, and content never changes."""
    values = {name: value for name, value in asdict(row).items() if name not in {"row", "picture"}}
    return f"c-{short_hash(dataset, original, *(str(values[name]) for name in sorted(values)))}"


def _same_picture(row: CaseRow, first: int, *, same_case: bool) -> RejectedRow:
    """The rule of knowledge.case_rows for copies under another name: of two rows about one picture the first stays."""
    if same_case:
        message = f"The same picture and texts as row {first}. Delete one of the two."
        return RejectedRow(row.row, row.picture.name, "duplicate_row", message)
    message = f"Row {first} says something else about the same picture and was kept. Correct one and delete the other."
    return RejectedRow(row.row, row.picture.name, "conflicting_row", message)


def _shown(row: CaseRow | RejectedRow, path: Path) -> str:
    if isinstance(row, RejectedRow):
        return row.file
    root = (path if path.is_dir() else path.parent).resolve()
    return row.picture.relative_to(root).as_posix()
