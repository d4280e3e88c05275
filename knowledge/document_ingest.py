"""From PDFs to the registry. Everything is prepared first; one transaction then makes it visible.

A kill at any moment leaves either nothing visible or all of one document: what was prepared and not registered is an
unreferenced blob, which nothing finds and the next clean-up removes.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from knowledge.blobs import BlobStore
from knowledge.chunking import CHUNKER, cut_passages
from knowledge.errors import DocumentRefused, NotFound
from knowledge.languages import language_of
from knowledge.pdf import PdfExtractor
from knowledge.pdf.refusals import refused
from knowledge.pdf.repairs import repair
from knowledge.places import packed
from knowledge.preparation import Preparation, short_hash
from knowledge.registry import NewVersion, Registry, document_id_of
from knowledge.registry.jobs import ItemEnd
from knowledge.types import (
    Cut,
    Document,
    ExtractedText,
    FileOutcome,
    Outcome,
    PageOutcome,
    PageState,
    Source,
    VersionState,
    searched_text,
)

PASSAGE_TOKENS = 200  # of the passage encoder; a passage is one thought, and MiniLM reads 256 at most
TEXT_STATES = (PageState.TEXT, PageState.OCR)
MAX_TITLE = 300  # characters of a title taken from the file's name
NEVER_BY_ITSELF = (
    "an older edition than the one in force: it was put in as superseded. Approve it to make it the one in force"
)

Cuts = Sequence[Cut] | DocumentRefused  # the passages of a document, or why there are none


@dataclass(frozen=True, slots=True)
class Intent:
    """Who takes a document in, and as what: a version of `document_id`, approved at once or a draft."""

    actor: str = "unknown"
    document_id: str | None = None
    approve: bool = True


class DocumentIngest:
    """Turns PDFs into documents and passages. The caller holds the writer lock, except for `extract`."""

    def __init__(self, registry: Registry, blobs: BlobStore, extractor: PdfExtractor, preparation: Preparation) -> None:
        self._registry = registry
        self._blobs = blobs
        self._extractor = extractor
        self._preparation = preparation

    def document(self, data: bytes, name: str, source: Source | None = None, intent: Intent = Intent()) -> FileOutcome:
        """One PDF. `name` is only echoed in the outcome. Raises StorageFailed; every fault of the file is an outcome."""
        version_id = hashlib.sha256(data).hexdigest()
        if self._registry.has_version(version_id):
            return self.unchanged(version_id, name)
        # Parsed from the store: the file at the caller's path may change under the parser, these bytes cannot.
        self._blobs.put(data)
        try:
            with self._blobs.local(version_id) as file:
                extracted = self._extractor.extract(file)
            [cuts] = self.prepared([extracted])
            return self.stored(version_id, name, source, intent, extracted, cuts)
        except DocumentRefused as error:
            self._blobs.delete_unused([version_id], self._registry.blobs_in_use())
            return refusal(name, error)

    def prepared(self, texts: Sequence[ExtractedText]) -> list[Cuts]:
        """The passages of some documents, encoded: together, for texts of one length cost least.

        A document that takes longer to cut than a PDF may take to read is refused in its place.
        """
        seconds, count = self._extractor.limits.seconds, self._preparation.count_tokens
        found = [cut_in_time(extracted, count, seconds) for extracted in texts]
        if new := [text for cuts in found for text in texts_of(cuts)]:  # nothing new must not wait for an encoder
            self._preparation.passages(new)
        return found

    def stored(
        self, version_id: str, name: str, source: Source | None, intent: Intent, extracted: ExtractedText, cuts: Cuts,
        item: tuple[str, int] | None = None,
    ) -> FileOutcome:  # fmt: skip
        """A PDF that is in the store, was read and `prepared`. Raises StorageFailed, NotFound and DocumentRefused.

        `item` is the job and the number of its file that come to their end by this: when the outcome says added, the job
        says so too.
        """
        if isinstance(cuts, DocumentRefused):
            raise cuts
        if not cuts:
            raise DocumentRefused("no_text", "The document has no text to cite. If it was scanned, run OCR first.")
        passages = [(_passage_id(version_id, cut), cut) for cut in cuts]
        known = self._document(version_id, source, intent)
        state = _state_for(source, intent, known)
        source = source or Source(title=extracted.title or _title_from(name))
        new = NewVersion(
            version_id,
            source if source.language else replace(source, language=language_of(extracted.text)),
            size=self._blobs.size(version_id),
            text_sha256=self._blobs.put(extracted.text.encode()),
            lines_sha256=self._blobs.put(packed(extracted.lines)) if extracted.lines else None,
            pages=extracted.pages,
            passages=passages,
            warnings=extracted.warnings,
            document_id=known.id if known else None,
        )
        warnings = (*extracted.warnings, *_lost_pages(extracted))
        outcome = FileOutcome(
            name, Outcome.ADDED, id=known.id if known else document_id_of(version_id),
            pages=len(extracted.pages), passages=len(passages),
            warnings=(*warnings, NEVER_BY_ITSELF) if state is VersionState.SUPERSEDED else warnings,
            version=version_id, version_state=state, supersedes=_superseded(known, state),
            without_text=tuple(_without_text(extracted)),
        )  # fmt: skip
        added = self._registry.add_version(new, state, intent.actor, ItemEnd(*item, outcome) if item else None)
        return self.unchanged(version_id, name) if added is None else outcome  # the same bytes came in twice at once

    def unchanged(self, version_id: str, name: str) -> FileOutcome:
        """What to say of bytes that are a version already."""
        version = self._registry.version(version_id)
        return FileOutcome(
            name, Outcome.UNCHANGED, id=version.document_id, pages=version.page_count, passages=version.passage_count,
            version=version_id, version_state=version.state,
        )  # fmt: skip

    def _document(self, version_id: str, source: Source | None, intent: Intent) -> Document | None:
        """The document that new bytes are a version of: the one named, the one they began and were deleted from, else the
        one with this title and publisher."""
        if intent.document_id is not None:
            return self._registry.document(intent.document_id)
        with suppress(NotFound):
            return self._registry.document(document_id_of(version_id))
        if source is None or source.publisher is None:
            return None  # a title alone, perhaps read from the file, names no document for sure
        same = self._registry.documents_named(source)
        return same[0] if len(same) == 1 else None


def cut_in_time(extracted: ExtractedText, count_tokens: Callable[[str], int], seconds: float) -> Cuts:
    """The passages of a document, or the refusal of one that takes longer to cut than `seconds`."""
    try:
        return cut_passages(extracted, _within(seconds, count_tokens), max_tokens=PASSAGE_TOKENS)
    except DocumentRefused as error:
        return error


def texts_of(cuts: Cuts) -> list[str]:
    """What is encoded and searched of these passages; nothing of a document that was refused."""
    return [] if isinstance(cuts, DocumentRefused) else [searched_text(cut.text, cut.header) for cut in cuts]


def refusal(name: str, error: DocumentRefused) -> FileOutcome:
    """What to say of a file that is no document."""
    return FileOutcome(name, Outcome.REFUSED, error.reason, str(error), error.page)


def _within(seconds: float, count: Callable[[str], int]) -> Callable[[str], int]:
    """The counter for so many seconds from now; then it raises DocumentRefused. Cutting counts all the time."""
    deadline = monotonic() + seconds

    def counted(text: str) -> int:
        if monotonic() > deadline:
            raise refused("timed_out", seconds=seconds)
        return count(text)

    return counted


def _title_from(name: str) -> str:
    """A file's name as a title that can be stored and printed: names may hold line ends and bytes that are no text."""
    return " ".join(repair(Path(name).stem).split())[:MAX_TITLE] or "untitled"


def _state_for(source: Source | None, intent: Intent, known: Document | None) -> VersionState:
    if not intent.approve:
        return VersionState.DRAFT
    if known is not None and known.version.state is VersionState.LIVE and source is not None:
        mine, theirs = source.effective, known.source.effective
        if mine and theirs and mine < theirs:
            return VersionState.SUPERSEDED
    return VersionState.LIVE


def _superseded(known: Document | None, state: VersionState) -> str | None:
    live = known is not None and known.version.state is VersionState.LIVE
    return known.version.id if known is not None and live and state is VersionState.LIVE else None


def _passage_id(version_id: str, cut: Cut) -> str:
    return f"p-{short_hash(version_id, CHUNKER, str(PASSAGE_TOKENS), str(cut.start), str(cut.end))}"


def _lost_pages(extracted: ExtractedText) -> Iterator[str]:
    for page in extracted.pages:
        if page.state not in TEXT_STATES:
            yield f"page {page.number}: {page.reason or page.state.value}"


def _without_text(extracted: ExtractedText) -> Iterator[PageOutcome]:
    for page in extracted.pages:
        if page.state not in TEXT_STATES:
            yield PageOutcome(page.number, page.state, page.reason)
