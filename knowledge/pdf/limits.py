"""What one PDF may cost. Files come from outside: size, time, memory and output are all bounded."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """Bounds per document; every field is positive, `ocr_pages` may be 0. Raises ValueError for one that is not."""

    bytes: int = 100_000_000
    """File size in bytes: the largest illustrated guidelines are about half of this."""
    pages: int = 2_000
    """Pages per document: a whole textbook passes, a page-tree bomb does not."""
    seconds: float = 120.0
    """Wall-clock seconds per document, restarts included: what one ingest may hold its worker."""
    seconds_per_page: float = 20.0
    """Wall-clock seconds for a page or a rendering: a dense vector figure takes about 8."""
    memory_bytes: int = 2 * 1024**3
    """Address space of the child process in bytes: ordinary files stay under a quarter of it."""
    characters: int = 20_000_000
    """Characters of text per document: ten times a long textbook."""
    restarts: int = 5
    """Pages of one document that may cost their child before the document is given up."""
    ocr_pages: int = 200
    """Pages per document that text recognition reads: a scanned guideline passes, a scanned textbook is for a person."""
    ocr_seconds: float = 1_200.0
    """Wall-clock seconds of text recognition per document, beside `seconds`: a dense page takes 7 to 14 on two cores."""
    ocr_seconds_per_page: float = 120.0
    """Wall-clock seconds of text recognition for a page: ten times the usual, for machines that are busy."""
    ocr_memory_bytes: int = 4 * 1024**3
    """Address space of the recognising child in bytes; dense pages take 2.7 GiB of it and fill 1.5."""
    files_per_worker: int = 200
    """Files after which the child is replaced, so that leaks and fragmentation stay bounded."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value == 0 and field.name != "ocr_pages"):
                raise ValueError(f"PdfLimits.{field.name} must be positive")
