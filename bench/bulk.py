"""What taking guidelines and pictures in costs here, and on Ray with 1 and 2 nodes, in one run.

    python -m bench.bulk [--documents N] [--pictures N] [--texts corpus.jsonl]

All nodes are processes of this machine and share its cores with the writer: what is read off here is Ray's overhead, and that
two nodes are no faster than one where there is nothing left to use. A gain needs machines. `here` is measured first and last,
so that a drift of the machine shows.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bench.ingest import pdf
from bench.material import real_sentences
from runtime.bulk.engine import RayEngine
from runtime.curation import Curator
from runtime.engines import Engine, Here
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.ray_nodes import two_nodes

SECTIONS = 20  # of a document, about 30 passages
WIDTH, HEIGHT = 600, 450  # a dermoscopy picture of HAM10000


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--texts", type=Path, help="a corpus.jsonl; without it, the sample guidelines")
    given = parser.parse_args()
    sentences = real_sentences(given.texts)
    files = [pdf(random.Random(f"bulk {at}"), sentences, SECTIONS) for at in range(given.documents)]
    with tempfile.TemporaryDirectory() as folder:
        cases = _pictures(Path(folder) / "cases", given.pictures)
        first = open_service(Path(folder) / "first", load_settings(Path(folder)))
        measure = partial(_measured, Path(folder), first, files, cases)
        measure("here", Here)
        with two_nodes(second=False) as nodes:
            os.environ.update(nodes.environment)
            measure("Ray, 1 node", partial(RayEngine, nodes.address))
            nodes.start_second()
            measure("Ray, 2 nodes", partial(RayEngine, nodes.address))
        measure("here, again", Here)
        first.close()
    print(f"{os.cpu_count()} cores for all of it; each line includes the start of its workers", flush=True)


def _measured(
    folder: Path, first: Service, files: Sequence[bytes], cases: Path, name: str, engine: Callable[[], Engine]
) -> None:
    service = open_service(folder / name, first.settings, first.encoders)
    curator = Curator(service, engine=engine())
    uploads = [Upload(f"{at}.pdf", partial(bytes, file)) for at, file in enumerate(files)]
    came: list[float] = []
    started = time.perf_counter()
    curator.ingest_documents(uploads, lambda _outcome: came.append(time.perf_counter()))
    reading = time.perf_counter() - started
    started = time.perf_counter()
    outcomes = curator.ingest_cases(cases, "bulk")
    looking = time.perf_counter() - started
    assert service.registry.counts()["documents"] == len(files)
    assert all(one.cases for one in outcomes)
    steady = (len(came) - 1) / (came[-1] - came[0]) * 60
    print(
        f"{name}: {len(files) / reading * 60:.1f} documents a minute ({steady:.1f} after the first), "
        f"{len(outcomes) / looking:.1f} pictures a second",
        flush=True,
    )
    service.close()


def _pictures(folder: Path, count: int) -> Path:
    """Pictures of smooth noise: none like another, and as costly as any to decode and encode."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (HEIGHT // 30, WIDTH // 30, 3), dtype=np.uint8)
        label = folder / ("nevus", "melanoma")[number % 2]
        label.mkdir(exist_ok=True)
        Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(label / f"{number}.jpg")
    return folder


if __name__ == "__main__":
    main()
