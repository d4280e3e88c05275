"""How well scanned pages are read: `python -m bench.recognition FILE... [--pages 1,2] [--dpi 200]`.

Every page of a PDF that has a text layer is drawn, stored as a JPEG in a new PDF as a scanner would, and read by text
recognition; the words and numbers found are compared with those of the text layer, whatever their order. What is printed
inside figures has no text layer and counts as too much.
"""

import argparse
import io
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from knowledge.pdf import PdfExtractor, PdfLimits
from knowledge.types import ExtractedText, PageState

_WORD = re.compile(r"[^\W\d_]{2,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_POINTS_PER_INCH = 72


def main() -> None:
    """Print recall and precision of words and numbers, the mean confidence and the time, per file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pages", default="", help="comma-separated page numbers; all if not given")
    parser.add_argument("--dpi", type=int, default=200, help="resolution of the scan")
    options = parser.parse_args()
    with PdfExtractor(PdfLimits(ocr_seconds=3_600)) as extractor:
        for file in options.files:
            printed = extractor.extract(file)
            wanted = [int(page) for page in options.pages.split(",") if page] or [page.number for page in printed.pages]
            began = time.perf_counter()
            read = _read_scan(extractor, file, wanted, options.dpi)
            seconds = (time.perf_counter() - began) / len(wanted)
            _report(file.name, printed, wanted, read, seconds)


def _read_scan(extractor: PdfExtractor, file: Path, pages: list[int], dpi: int) -> ExtractedText:
    # A4 at the wanted resolution; `render` keeps the sides' ratio.
    pixels = round(8.27 * 11.69 * dpi * dpi)
    drawn = [Image.open(io.BytesIO(extractor.render(file, page, max_pixels=pixels))).convert("RGB") for page in pages]
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder) / "scan.pdf"
        drawn[0].save(scan, save_all=True, append_images=drawn[1:], resolution=dpi)
        return extractor.extract(scan)


def _report(name: str, printed: ExtractedText, pages: list[int], read: ExtractedText, seconds: float) -> None:
    truth = "\n".join(printed.text[printed.pages[page - 1].start : printed.pages[page - 1].end] for page in pages)
    shares = []
    for what in (_WORD, _NUMBER):
        wanted, found = Counter(what.findall(truth)), Counter(what.findall(read.text))
        common = (wanted & found).total()
        shares.append(f"recall {common / max(1, wanted.total()):.4f} precision {common / max(1, found.total()):.4f}")
    sure = [page.confidence for page in read.pages if page.state is PageState.OCR and page.confidence is not None]
    confidence = sum(sure) / max(1, len(sure))
    print(
        f"{name}: {len(sure)} of {len(pages)} pages read, words {shares[0]}, numbers {shares[1]},"
        f" confidence {confidence:.3f}, {seconds:.1f} s per page"
    )


if __name__ == "__main__":
    main()
