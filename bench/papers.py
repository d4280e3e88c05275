"""Ten questions to two open-access papers: is the passage with the answer found, on the page where it stands?

    python -m bench.papers FOLDER      (FOLDER holds the two PDFs)

The papers are not ours and not in the repository: Tschandl et al. 2018, doi:10.1038/sdata.2018.161, and Zhou et al. 2024,
doi:10.1038/s41467-024-50043-3, both CC BY 4.0. Questions and pages were written down by hand from the PDFs.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.lookup import SearchOptions
from inference.types import Evidence
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.service import open_service
from runtime.settings import load_settings


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` stands literally on `page` of the paper whose title holds `paper`."""

    text: str
    paper: str
    page: int
    answer: str


QUESTIONS = (
    Question("How many dermatoscopic images does the final dataset consist of?", "HAM10000", 1, "10015"),
    Question(
        "Top-1 accuracy of the network that classified images by type on the hold-out test set", "HAM10000", 4, "98.68%"
    ),
    Question("What was the original resolution of images of the MoleMax HD system?", "HAM10000", 4, "1872x1053px"),
    Question(
        "How long must a nevus be followed up without change to be accepted as benign?", "HAM10000", 6, "1.5 years"
    ),
    Question("What do angiomas look like under the dermatoscope?", "HAM10000", 7, "red clods"),
    Question("How was potentially identifying information removed from the pictures?", "HAM10000", 8, "EXIF"),
    Question("On how many real-life cases was the system evaluated with dermatologists?", "SkinGPT-4", 1, "150"),
    Question("How consistent were repeated diagnoses of the same image?", "SkinGPT-4", 5, "93.73%"),
    Question("How many image-text pairs are in the complete dataset for step 2 training?", "SkinGPT-4", 9, "49,043"),
    Question("Which statistical test was used to compare two groups?", "SkinGPT-4", 10, "t test"),
)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as home:
        service = open_service(Path(home), load_settings(Path(home)))
        try:
            for outcome in Curator(service).ingest_documents(uploads_of(folder)):
                print(f"{outcome.state}: {outcome.pages} pages, {outcome.passages} passages")
            ranks = [
                _rank(service.lookup.search(question.text, options=SearchOptions(k=10)).passages, question)
                for question in QUESTIONS
            ]
        finally:
            service.close()
    for question, rank in zip(QUESTIONS, ranks, strict=True):
        print(f"{'rank ' + str(rank) if rank else 'missed':<8} page {question.page:>2}  {question.text}")
    found = [rank for rank in ranks if rank]
    print(
        f"found at rank 1: {found.count(1)}/10, in the first 5: {sum(r <= 5 for r in found)}/10, first 10: {len(found)}/10"
    )
    sys.exit(0 if found else 1)


def _rank(passages: Sequence[Evidence], question: Question) -> int | None:
    for place, item in enumerate(passages, start=1):
        on_page = (item.first_page or 0) <= question.page <= (item.last_page or 0)
        if question.paper in item.title and on_page and question.answer in item.text:
            return place
    return None


if __name__ == "__main__":
    main()
