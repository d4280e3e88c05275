"""Forty facts from two open-access papers: is the passage that states each found, on its page, with the exact digits?

    python -m bench.papers FOLDER [--peers PYTHON]      (FOLDER holds the two PDFs)

Ours beside what LangChain's tutorials do (PyPDFLoader, RecursiveCharacterTextSplitter), in one run: the same files, pypdf,
questions and embedded encoder, and plain dense search for both; then ours as served, with the lexical leg. Passages of ours
that would not be cited as advice (captions, references) take part: these papers state facts there too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdf

from bench.material import embedded_encoder
from bench.paper_facts import FACTS, Fact
from bench.peers import PEERS, PROJECT
from inference.lookup import SearchOptions
from knowledge.chunking import cut_passages
from knowledge.document_ingest import PASSAGE_TOKENS
from knowledge.pdf import PdfExtractor
from retrieval.protocols import TextEncoder
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.service import open_service
from runtime.settings import load_settings

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A passage: where it stands, what it says, and what is encoded of it."""

    file: str
    first_page: int
    last_page: int
    text: str
    encoded: str

    def states(self, fact: Fact) -> bool:
        """Whether it stands on the fact's page and holds the exact digits; line ends count as spaces."""
        on_page = self.first_page <= fact.page <= self.last_page
        return fact.paper in self.file and on_page and fact.answer in " ".join(self.text.split())


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path, default=PEERS, help="the interpreter of the peers")
    given = parser.parse_args()
    files = sorted(given.folder.glob("*.pdf"))
    encoder = embedded_encoder()
    systems: dict[str, tuple[Sequence[Found], list[int | None]]] = {}
    for name, passages in (("ours", _ours(files, encoder)), ("langchain", _langchain(files, given.peers))):
        systems[name] = passages, _dense(passages, encoder)
    served = _served(given.folder)
    print(f"{'ours':>6} {'served':>6} {'langch.':>7}  page")
    for row, fact in enumerate(FACTS):
        three = (systems["ours"][1][row], served[row], systems["langchain"][1][row])
        print(" ".join(f"{rank or '-':>6}" for rank in three) + f"   p. {fact.page:>2}  {fact.question}")
    for name, (texts, ranks) in systems.items():
        stated = sum(any(text.states(fact) for text in texts) for fact in FACTS)
        print(f"{name:<10} {len(texts)} passages, {stated}/{len(FACTS)} facts stated by one; {_hits(ranks)}")
    print(f"{'as served':<10} {_hits(served)}")
    sys.exit(0 if systems["ours"][1].count(None) < len(FACTS) else 1)


def _hits(ranks: Sequence[int | None]) -> str:
    return ", ".join(
        f"in the first {k}: {sum(rank is not None and rank <= k for rank in ranks)}/{len(ranks)}" for k in (1, 5, SHOWN)
    )


def _ours(files: Sequence[Path], encoder: TextEncoder) -> list[Found]:
    found = []
    with PdfExtractor() as extractor:
        for file in files:
            for cut in cut_passages(extractor.extract(file), encoder.count_tokens, max_tokens=PASSAGE_TOKENS):
                encoded = cut.text if cut.header is None else f"{cut.header}\n{cut.text}"
                found.append(Found(file.name, cut.first_page, cut.last_page, cut.text, encoded))
    return found


def _langchain(files: Sequence[Path], python: Path) -> list[Found]:
    """Its passages, made in the peers' environment with our pypdf: the same library reads the files for both."""
    with tempfile.TemporaryDirectory() as shared:
        (Path(shared) / "pypdf").symlink_to(Path(pypdf.__file__).parent)
        done = subprocess.run(
            [str(python), str(PROJECT / "bench" / "paper_peer.py"), *map(str, files)],
            env={**os.environ, "PYTHONPATH": shared}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    passages = [json.loads(line) for line in done.stdout.splitlines()]
    return [Found(p["file"], p["page"], p["page"], p["text"], p["text"]) for p in passages]


def _dense(passages: Sequence[Found], encoder: TextEncoder) -> list[int | None]:
    vectors = np.asarray(encoder.encode_documents([passage.encoded for passage in passages]))
    queries = np.asarray(encoder.encode_queries([fact.question for fact in FACTS]))
    order = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :SHOWN]
    return [_rank([passages[at] for at in row], fact) for row, fact in zip(order, FACTS, strict=True)]


def _rank(passages: Sequence[Found], fact: Fact) -> int | None:
    return next((place for place, passage in enumerate(passages, start=1) if passage.states(fact)), None)


def _served(folder: Path) -> list[int | None]:
    """Ranks by the search that is served. Its evidence has titles instead of file names."""
    with tempfile.TemporaryDirectory() as home:
        service = open_service(Path(home), load_settings(Path(home)))
        try:
            for outcome in Curator(service).ingest_documents(uploads_of(folder)):
                print(f"{outcome.state}: {outcome.pages} pages, {outcome.passages} passages")
            options = SearchOptions(k=SHOWN)
            search: Callable[[str], list[Found]] = lambda text: [  # noqa: E731
                Found(_file_of(e.title), e.first_page or 0, e.last_page or 0, e.text, e.text)
                for e in service.lookup.search(text, options=options).passages
            ]
            return [_rank(search(fact.question), fact) for fact in FACTS]
        finally:
            service.close()


def _file_of(title: str) -> str:
    return next(
        (paper for paper in sorted({fact.paper for fact in FACTS}) if paper in title.lower().replace("-", "")), ""
    )


if __name__ == "__main__":
    main()
