"""What taking guidelines in costs beside the bare encoder, and whether memory stays flat.

    python -m bench.ingest [--texts corpus.jsonl] [--documents N] [--rounds N] [--many N]

Each round writes other PDFs (reportlab, about 30 passages each, of real sentences), encodes their passages with the bare
encoder (sentence-transformers as it comes, in one call), and ingests the files into a home of its own as one job: read, cut,
encoded, registered, indexed. The order of the two sides alternates. Then `--many` small documents go into one home, and the
memory of this process is read on the way.
"""

import argparse
import gc
import io
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate
from sentence_transformers import SentenceTransformer

from bench.material import real_sentences
from knowledge.chunking import cut_passages
from knowledge.document_ingest import PASSAGE_TOKENS
from knowledge.types import FileOutcome
from retrieval.encoders import locate
from runtime.curation import Curator
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings

SECTIONS, SENTENCES = 20, 7  # a document; one section becomes one passage of about 100 words
EVERY = 100  # documents between two looks at the memory


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="a corpus.jsonl; without it, the sample guidelines")
    parser.add_argument("--documents", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", type=int, default=1_000)
    given = parser.parse_args()
    sentences = real_sentences(given.texts)
    with tempfile.TemporaryDirectory() as folder:
        first = open_service(Path(folder) / "first", load_settings(Path(folder)))
        model = SentenceTransformer(str(located(first)), device="cpu", local_files_only=True)
        ratios = [
            _round(Path(folder), first, model, sentences, number, given.documents) for number in range(given.rounds)
        ]
        print(f"ratio to the bare encoder, median of {given.rounds}: {statistics.median(ratios):.2f}", flush=True)
        _grow(Path(folder), first, sentences, given.many)
        first.close()


def _round(
    folder: Path, first: Service, model: SentenceTransformer, sentences: Sequence[str], number: int, documents: int
) -> float:
    """Passages per second of an ingest as a share of the bare encoder's."""
    files = [pdf(random.Random(f"{number} {at}"), sentences, SECTIONS) for at in range(documents)]
    texts = _passages(first, files, folder)
    home = folder / f"round {number}"
    sides = {"bare": partial(_bare_s, model, texts), "ingest": partial(_ingest_s, home, first, files)}
    order = list(sides) if number % 2 == 0 else list(sides)[::-1]
    took = {name: sides[name]() for name in order}
    speed = {name: len(texts) / seconds for name, seconds in took.items()}
    shown = ", ".join(f"{name} {one:.1f} passages/s" for name, one in speed.items())
    print(f"round {number + 1}: {len(texts)} passages of {documents} documents: {shown}", flush=True)
    return speed["ingest"] / speed["bare"]


def located(service: Service) -> Path:
    """The folder of the passage encoder's weights."""
    return locate(service.cards["passages"], service.settings.passages.folder).path


def _passages(service: Service, files: Sequence[bytes], folder: Path) -> list[str]:
    texts = []
    for file in files:
        path = folder / "one.pdf"
        path.write_bytes(file)
        extracted = service.extractors[0].extract(path)
        cuts = cut_passages(extracted, service.encoders.passages.count_tokens, max_tokens=PASSAGE_TOKENS)
        texts += [cut.text for cut in cuts]
    return texts


def _bare_s(model: SentenceTransformer, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    return time.perf_counter() - started


def _ingest_s(home: Path, first: Service, files: Sequence[bytes]) -> float:
    service = open_service(home, first.settings, first.encoders)
    try:
        started = time.perf_counter()
        outcomes = _ingest(service, files)
        took = time.perf_counter() - started
    finally:
        service.close()
    assert {one.state for one in outcomes} == {"added"}
    return took


def _ingest(service: Service, files: Sequence[bytes]) -> list[FileOutcome]:
    return Curator(service).ingest_documents(Upload(f"{at}.pdf", partial(bytes, file)) for at, file in enumerate(files))


def _grow(folder: Path, first: Service, sentences: Sequence[str], many: int) -> None:
    service = open_service(folder / "many", first.settings, first.encoders)
    try:
        for start in range(0, many, EVERY):
            files = [pdf(random.Random(f"many {at}"), sentences, 2) for at in range(start, min(start + EVERY, many))]
            started = time.perf_counter()
            _ingest(service, files)
            took = time.perf_counter() - started
            service.reader.view()
            gc.collect()
            count = service.registry.counts()
            print(
                f"{count['documents']:>6} documents, {count['passages']:>6} passages: {memory_mb():.0f} MB here, "
                f"{took / len(files) * 1000:.0f} ms a document",
                flush=True,
            )
    finally:
        service.close()


def memory_mb() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return float("nan")


def pdf(source: random.Random, sentences: Sequence[str], sections: int) -> bytes:
    """A guideline of so many sections."""
    styles = getSampleStyleSheet()
    story = []
    for number in range(sections):
        story.append(Paragraph(f"{number + 1} {' '.join(source.choice(sentences).split()[:4])}", styles["Heading2"]))
        story.append(Paragraph(_escaped(" ".join(source.sample(sentences, SENTENCES))), styles["BodyText"]))
    file = io.BytesIO()
    SimpleDocTemplate(file, pagesize=A4, invariant=True).build(story)
    return file.getvalue()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


if __name__ == "__main__":
    main()
