"""From files to the registry. Everything is prepared first; one transaction then makes it visible.

A kill at any moment leaves either nothing visible or all of one document (of one batch of cases): what was prepared and
not registered is an unreferenced blob, which nothing finds and the next clean-up removes.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from knowledge.blobs import BlobStore
from knowledge.cases import CaseRow, RejectedRow, read_cases
from knowledge.chunking import CHUNKER, cut_passages
from knowledge.errors import DocumentRefused, PictureRefused
from knowledge.languages import language_of
from knowledge.pdf import PdfExtractor
from knowledge.pictures import Picture, PictureLimits, admit_picture
from knowledge.registry import Registry, document_id_of
from knowledge.types import Cut, ExtractedText, FileOutcome, Outcome, PageState, ReferenceCase, Source

PASSAGE_TOKENS = 200  # of the passage encoder; a passage is one thought, and MiniLM reads 256 at most
CASE_BATCH = 32  # pictures decoded and encoded together; bounds memory

Progress = Callable[[int, int], None]  # (done, of)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the layer above does before evidence becomes visible. Each must be durable when it returns."""

    count_tokens: Callable[[str], int]
    passages: Callable[[Sequence[str]], None]
    cases: Callable[[Sequence[tuple[ReferenceCase, Picture]]], None]


class Ingest:
    """Turns files into evidence. The caller holds the writer lock."""

    def __init__(
        self, registry: Registry, blobs: BlobStore, extractor: PdfExtractor, preparation: Preparation,
        picture_limits: PictureLimits = PictureLimits(),
    ) -> None:  # fmt: skip
        self._registry = registry
        self._blobs = blobs
        self._extractor = extractor
        self._preparation = preparation
        self._picture_limits = picture_limits

    # --- documents -------------------------------------------------------------------------------------------------

    def document(self, data: bytes, name: str, source: Source | None = None) -> FileOutcome:
        """One PDF. `name` is only echoed in the outcome. Raises StorageFailed; every fault of the file is an outcome."""
        version_id = hashlib.sha256(data).hexdigest()
        if self._registry.has_version(version_id):
            return self._unchanged(name, version_id)
        try:
            return self._new_document(data, name, version_id, source)
        except DocumentRefused as error:
            self._forget_unregistered(version_id)
            return FileOutcome(name, Outcome.REFUSED, error.reason, str(error), error.page)

    def _new_document(self, data: bytes, name: str, version_id: str, source: Source | None) -> FileOutcome:
        # Parsed from the store: the file at the caller's path may change under the parser, these bytes cannot.
        self._blobs.put(data)
        extracted = self._extractor.extract(self._blobs.path(version_id))
        cuts = cut_passages(extracted, self._preparation.count_tokens, max_tokens=PASSAGE_TOKENS)
        if not cuts:
            raise DocumentRefused("no_text", "The document has no text to cite. If it was scanned, run OCR first.")
        passages = [(_passage_id(version_id, cut), cut) for cut in cuts]
        self._preparation.passages([cut.text for cut in cuts])
        source = source or Source(title=extracted.title or Path(name).stem)
        self._registry.add_document(
            source if source.language else replace(source, language=language_of(extracted.text)),
            version_id=version_id,
            size=len(data),
            text_sha256=self._blobs.put(extracted.text.encode()),
            extracted=extracted,
            passages=passages,
        )
        return FileOutcome(
            name, Outcome.ADDED, id=document_id_of(version_id), pages=len(extracted.pages), passages=len(passages),
            warnings=(*extracted.warnings, *_lost_pages(extracted)),
        )  # fmt: skip

    def _unchanged(self, name: str, version_id: str) -> FileOutcome:
        version = self._registry.document(version_id).version
        return FileOutcome(
            name, Outcome.UNCHANGED, id=version.document_id, pages=version.page_count, passages=version.passage_count
        )

    def _forget_unregistered(self, digest: str) -> None:
        if digest not in self._registry.blobs_in_use():
            self._blobs.delete(digest)

    # --- cases -----------------------------------------------------------------------------------------------------

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
            data = row.picture.read_bytes()
            original = hashlib.sha256(data).hexdigest()
            case_id = _case_id(dataset, original, row)
            first, first_id = seen.setdefault(original, (row.row, case_id))
            if first != row.row:
                return _same_picture(row, first, same_case=case_id == first_id)
            known = self._registry.cases([case_id]).get(case_id)
            if known is not None:
                return known
            picture = admit_picture(data, self._picture_limits)
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


def _passage_id(version_id: str, cut: Cut) -> str:
    return f"p-{_short_hash(version_id, CHUNKER, str(PASSAGE_TOKENS), str(cut.start), str(cut.end))}"


def _case_id(dataset: str, original: str, row: CaseRow) -> str:
    """The same picture with another label or caption is another case: ids name content, and content never changes."""
    values = {name: value for name, value in asdict(row).items() if name not in {"row", "picture"}}
    return f"c-{_short_hash(dataset, original, *(str(values[name]) for name in sorted(values)))}"


def _same_picture(row: CaseRow, first: int, *, same_case: bool) -> RejectedRow:
    """The rule of knowledge.case_rows for copies under another name: of two rows about one picture the first stays."""
    if same_case:
        message = f"The same picture and texts as row {first}. Delete one of the two."
        return RejectedRow(row.row, row.picture.name, "duplicate_row", message)
    message = f"Row {first} says something else about the same picture and was kept. Correct one and delete the other."
    return RejectedRow(row.row, row.picture.name, "conflicting_row", message)


def _short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _lost_pages(extracted: ExtractedText) -> Iterator[str]:
    for page in extracted.pages:
        if page.state not in (PageState.TEXT, PageState.OCR):
            yield f"page {page.number}: {page.reason or page.state.value}"


def _shown(row: CaseRow | RejectedRow, path: Path) -> str:
    if isinstance(row, RejectedRow):
        return row.file
    root = (path if path.is_dir() else path.parent).resolve()
    return row.picture.relative_to(root).as_posix()
