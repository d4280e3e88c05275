"""From collections of captioned pictures to the registry. A whole collection becomes visible in one step."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from knowledge.blobs import BlobStore
from knowledge.cases import CaseRow, RejectedRow, read_cases
from knowledge.errors import PictureRefused
from knowledge.licences import terms_of
from knowledge.pictures import Picture, PictureLimits, admit_picture
from knowledge.preparation import Preparation, short_hash
from knowledge.registry import Registry
from knowledge.registry.audit import UNKNOWN_ACTOR
from knowledge.types import FileOutcome, Outcome, ReferenceCase

CASE_BATCH = 32  # pictures decoded and encoded together; bounds memory

Progress = Callable[[int, int], None]  # (done, of)


@dataclass(frozen=True, slots=True)
class NewPicture:
    """The bytes of a picture as they were sent, of a row that is new, and what is said of it."""

    data: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is kept of a picture that was admitted; see knowledge.pictures.Picture."""

    stored: bytes
    original: str
    perceptual_hash: str


Elsewhere = Callable[[Iterator[Sequence[NewPicture]], int], Iterator[Sequence[Admitted | PictureRefused]]]
"""Admits and prepares pictures in other processes: from batches, and how many there are, to one result per picture, in order.

What it yields is prepared, durably. It reads batches ahead.
"""


@dataclass(frozen=True, slots=True)
class _New:
    """A row whose picture nobody has looked at."""

    row: CaseRow
    case_id: str
    data: bytes


_Sorted = ReferenceCase | RejectedRow | _New


class CaseIngest:
    """Turns pictures and what is said of them into reference cases. The caller holds the writer lock."""

    def __init__(
        self, registry: Registry, blobs: BlobStore, preparation: Preparation, limits: PictureLimits = PictureLimits(),
        elsewhere: Elsewhere | None = None,
    ) -> None:  # fmt: skip
        self._registry = registry
        self._blobs = blobs
        self._preparation = preparation
        self._limits = limits
        self._elsewhere = elsewhere

    def cases(
        self, path: Path, dataset: str | None = None, progress: Progress | None = None, *, actor: str = UNKNOWN_ACTOR
    ) -> list[FileOutcome]:
        """A folder or manifest of captioned pictures; one outcome per row. Raises CasesRefused, StorageFailed, and
        TransitionRefused where the dataset is retired.

        The whole collection becomes visible in one step, at the end.
        """
        folder = read_cases(path, dataset=dataset)
        self._registry.datasets.refuse_retired(folder.dataset)
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
        states = self._registry.put_cases([case for _, case in ready], actor)
        for at, case in ready:
            outcomes[at] = replace(outcomes[at], state=states[case.id])
        return outcomes

    def _admitted(self, dataset: str, rows: Sequence[CaseRow | RejectedRow]) -> Iterator[ReferenceCase | RejectedRow]:
        """One result per row, in order; new pictures are stored and prepared batch by batch."""
        seen: dict[str, tuple[int, str]] = {}
        starts = range(0, len(rows), CASE_BATCH)
        batches = ([self._sorted(dataset, row, seen) for row in rows[at : at + CASE_BATCH]] for at in starts)
        if self._elsewhere is not None:
            yield from self._admitted_elsewhere(self._elsewhere, dataset, batches, len(starts))
            return
        for batch in batches:
            new: list[tuple[ReferenceCase, Picture]] = []
            results = [self._admitted_here(dataset, one, new) if isinstance(one, _New) else one for one in batch]
            self._preparation.cases(new)
            yield from results

    def _sorted(self, dataset: str, row: CaseRow | RejectedRow, seen: dict[str, tuple[int, str]]) -> _Sorted:
        """What is known of a row before its picture is decoded. `seen`: earlier pictures' bytes -> their row and case."""
        if isinstance(row, RejectedRow):
            return row
        if not terms_of(row.licence).keep:
            message = "The licence of this case forbids keeping it. Take the row out, or correct its licence."
            return RejectedRow(row.row, row.picture.name, "licence_forbids", message)
        try:
            with row.picture.open("rb") as file:
                data = file.read(self._limits.bytes + 1)
        except OSError:
            message = "the picture cannot be read. Check that this user may read it."
            return RejectedRow(row.row, row.picture.name, "not_readable", message)
        original = hashlib.sha256(data).hexdigest()
        case_id = _case_id(dataset, original, row)
        first, first_id = seen.setdefault(original, (row.row, case_id))
        if first != row.row:
            return _same_picture(row, first, same_case=case_id == first_id)
        known = self._registry.cases([case_id]).get(case_id)
        return _New(row, case_id, data) if known is None else replace(known, label_raw=row.label_raw)

    def _admitted_here(
        self, dataset: str, one: _New, new: list[tuple[ReferenceCase, Picture]]
    ) -> ReferenceCase | RejectedRow:
        """What must be prepared is added to `new`."""
        try:
            picture = admit_picture(one.data, self._limits)
        except PictureRefused as error:
            return RejectedRow(one.row.row, one.row.picture.name, error.reason, str(error))
        admitted = Admitted(picture.encoded(), picture.sha256, picture.perceptual_hash)
        case = self._case(dataset, one.row, one.case_id, admitted)
        new.append((case, picture))
        return case

    def _admitted_elsewhere(
        self, elsewhere: Elsewhere, dataset: str, batches: Iterator[list[_Sorted]], count: int
    ) -> Iterator[ReferenceCase | RejectedRow]:
        ahead: deque[list[_Sorted]] = deque()  # read, and not yet answered

        def pictures() -> Iterator[list[NewPicture]]:
            for batch in batches:
                ahead.append(batch)
                yield [NewPicture(one.data, one.row.caption) for one in batch if isinstance(one, _New)]

        for answers in elsewhere(pictures(), count):
            left = iter(answers)
            for one in ahead.popleft():
                yield self._answered(dataset, one, next(left)) if isinstance(one, _New) else one

    def _answered(self, dataset: str, one: _New, answer: Admitted | PictureRefused) -> ReferenceCase | RejectedRow:
        if isinstance(answer, PictureRefused):
            return RejectedRow(one.row.row, one.row.picture.name, answer.reason, str(answer))
        return self._case(dataset, one.row, one.case_id, answer)

    def _case(self, dataset: str, row: CaseRow, case_id: str, picture: Admitted) -> ReferenceCase:
        return ReferenceCase(
            id=case_id,
            dataset=dataset,
            label=row.label,
            caption=row.caption,
            picture=self._blobs.put(picture.stored),
            original=picture.original,
            perceptual_hash=picture.perceptual_hash,
            group=row.group,
            subject=row.subject,
            lesion=row.lesion,
            split=row.split,
            skin_tone=row.skin_tone,
            licence=row.licence,
            source=row.source,
            label_raw=row.label_raw,
        )


def _case_id(dataset: str, original: str, row: CaseRow) -> str:
    """The same picture with another label or caption is another case: ids name content, and content never changes."""
    values = {name: value for name, value in asdict(row).items() if name not in {"row", "picture", "label_raw"}}
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
