"""How fast PDFs are read: pages a second of ours, in its warm child, beside bare pypdf `extract_text` on the same files.

    python -m bench.parsing FILE_OR_FOLDER... [--rounds 5]

Rounds alternate, so that both meet the same machine. Ours is all of `PdfExtractor.extract`: limits, child process, layout,
tables, roles and rectangles. Files that either cannot read are left out of both.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdf

from knowledge.errors import DocumentRefused
from knowledge.pdf import PdfExtractor


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with PdfExtractor() as extractor:
        files = [file for file in _files(given.paths) if _readable(file, extractor)]
        print(f"{'file':<44}{'pages':>6}{'ours':>9}{'pypdf':>9}{'ratio':>7}   pages a second, median of {given.rounds}")
        total = [0.0, 0.0]
        pages_in_all = 0
        for file in files:
            pages = len(pypdf.PdfReader(file).pages)
            ours, bare = _medians(given.rounds, lambda: extractor.extract(file), lambda: _bare(file))  # noqa: B023
            print(f"{file.name[:43]:<44}{pages:>6}{pages / ours:>9.1f}{pages / bare:>9.1f}{bare / ours:>7.2f}")
            total[0] += ours
            total[1] += bare
            pages_in_all += pages
    ours, bare = total
    print(f"{'all':<44}{pages_in_all:>6}{pages_in_all / ours:>9.1f}{pages_in_all / bare:>9.1f}{bare / ours:>7.2f}")


def _files(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.rglob("*.pdf")) if path.is_dir() else [path])]


def _readable(file: Path, extractor: PdfExtractor) -> bool:
    """Also warms both up."""
    try:
        extractor.extract(file)
        _bare(file)
    except (DocumentRefused, pypdf.errors.PyPdfError):
        return False
    return True


def _bare(file: Path) -> None:
    for page in pypdf.PdfReader(file).pages:
        page.extract_text()


def _medians(rounds: int, *readers: Callable[[], object]) -> list[float]:
    """Median seconds per reader, alternating."""
    seconds: list[list[float]] = [[] for _ in readers]
    for _ in range(rounds):
        for taken, read in zip(seconds, readers, strict=True):
            started = time.perf_counter()
            read()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    main()
