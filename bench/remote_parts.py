"""What each remote part costs beside the embedded default: PostgreSQL, object storage, a Chroma server, and all of them.

    python -m bench.remote_parts [--rounds 12] [--openings 3]

Six knowledge bases of the sample corpus in one run, asked by turns, the same pictures and questions. All but the first have
exact_below = 0, so that Chroma, in its folder or on its server, is asked although the corpus is small; ratios are to
`embedded, Chroma asked`. Everything answers over loopback: what a network adds is its round trips. `opened` is a process that
has its encoders and nothing else, until its first search is answered; on a new host it fetches the index first.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from bench.ingest import pdf
from bench.material import made_queries, p50_p95, real_sentences
from bench.parts import ASKED, PARTS, Parts, parts
from inference.types import Consultation
from retrieval.search import Encoders
from runtime.building import PROJECT
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.demo import CONSULTATIONS, SAMPLE
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import PREFIX, load_settings

BESIDE: Final = "embedded, Chroma asked"
QUESTIONS = 20  # a round
WARM = 1  # rounds
SECTIONS = 3  # of a guideline that is taken in
EVERY = 3  # one guideline in so many rounds
ROWS: Final = ("diagnosis", "search", "guideline taken in and found", "index built and published", "opened")
WITH_P95: Final = frozenset(ROWS[:2])


@dataclass
class Arm:
    """One knowledge base; milliseconds of each row of the table."""

    name: str
    home: Path
    settings: Mapping[str, str]
    service: Service
    times: dict[str, list[float]] = field(default_factory=lambda: {row: [] for row in ROWS})

    @contextmanager
    def timed(self, row: str) -> Iterator[None]:
        """Take the time of one more."""
        started = time.perf_counter()
        yield
        self.times[row].append((time.perf_counter() - started) * 1000)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--openings", type=int, default=3)
    parser.add_argument("--open", type=Path, metavar="HOME", help="open this home (used by this script itself)")
    given = parser.parse_args()
    if given.open:
        print(_opened_ms(given.open))
        return
    sentences = real_sentences(None)
    with tempfile.TemporaryDirectory() as folder, parts(Path(folder)) as servers:
        arms = _arms(Path(folder), servers)
        for number in range(given.rounds + WARM):
            _round(arms, sentences, number)
        for arm in arms:
            arm.times = {row: times[len(times) // (given.rounds + WARM) :] for row, times in arm.times.items()}
        for number in range(given.openings):
            _build_and_open(_in_turn(arms, number))
        fresh = _in_process(Path(folder) / "new host", arms[-1].settings)
        _print(arms)
        print(f"all three, opened on a new host, which fetches the index: {fresh:.0f} ms")
        for arm in arms:
            arm.service.close()


def _arms(folder: Path, servers: Parts) -> list[Arm]:
    wanted = {
        "embedded": {},
        BESIDE: ASKED,
        **{f"{name} alone": {**ASKED, **servers.settings(name)} for name in PARTS},
        "all three": {**ASKED, **servers.settings(*PARTS)},
    }
    arms: list[Arm] = []
    encoders: Encoders | None = None
    for number, (name, settings) in enumerate(wanted.items()):
        home = folder / f"home {number}"
        service = open_service(home, load_settings(home, configuration="embedded", **settings), encoders)
        encoders = service.encoders
        curator = Curator(service)
        curator.ingest_cases(SAMPLE / "cases", "sample")
        curator.ingest_documents(uploads_of(SAMPLE))
        curator.reindex()
        print(f"{name}: filled", file=sys.stderr, flush=True)
        arms.append(Arm(name, home, settings, service))
    return arms


# --- what is asked -------------------------------------------------------------------------------------------------------


def _round(arms: Sequence[Arm], sentences: Sequence[str], number: int) -> None:
    """Each arm in turn, and each turn begins with another, so that whatever else the machine does falls on all alike."""
    order = _in_turn(arms, number)
    for consultation in _consultations(arms[0].service):
        for arm in order:
            with arm.timed("diagnosis"):
                asyncio.run(arm.service.pipeline.diagnose(consultation))
    for question in made_queries(sentences, QUESTIONS):
        for arm in order:
            with arm.timed("search"):
                arm.service.lookup.search(question)
    if number % EVERY == 0:
        file = pdf(random.Random(f"parts {number}"), sentences, SECTIONS)
        for arm in order:
            _take_in(arm, file)


def _in_turn(arms: Sequence[Arm], number: int) -> list[Arm]:
    first = number % len(arms)
    return [*arms[first:], *arms[:first]]


def _consultations(service: Service) -> list[Consultation]:
    lines = map(json.loads, (CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines())
    return [Consultation((service.admit((CONSULTATIONS / one["picture"]).read_bytes()),), one["note"]) for one in lines]


def _take_in(arm: Arm, file: bytes) -> None:
    service = arm.service
    with arm.timed("guideline taken in and found"):
        [outcome] = Curator(service).ingest_documents([Upload("one.pdf", partial(bytes, file))])
        text = service.registry.texts_of_version(outcome.version or "")[0]
        found = service.lookup.search(text).passages
    assert outcome.id in {one.document_id for one in found}, outcome


def _build_and_open(order: Sequence[Arm]) -> None:
    for arm in order:
        with arm.timed("index built and published"), arm.service.locks.writing():
            Curator(arm.service).build()
    for arm in order:
        arm.times["opened"].append(_in_process(arm.home, arm.settings))


def _in_process(home: Path, settings: Mapping[str, str]) -> float:
    environment = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "bench.remote_parts", "--open", str(home)]
    run = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True
    )
    return float(run.stdout)


def _opened_ms(home: Path) -> float:
    service = open_service(home, load_settings(home, configuration="embedded"))
    _ = service.encoders
    started = time.perf_counter()
    assert service.lookup.search("plaque with silvery scale").passages
    took = (time.perf_counter() - started) * 1000
    service.close()
    return took


# --- what is printed -----------------------------------------------------------------------------------------------------


def _print(arms: Sequence[Arm]) -> None:
    """A block for each row of the table: what it takes in each arm, and how many times what it takes beside."""
    [beside] = [arm for arm in arms if arm.name == BESIDE]
    for row in filter(beside.times.__getitem__, ROWS):
        print(f"\n{row}, ms, of {len(beside.times[row])}")
        shares: dict[str, Callable[[Sequence[float]], float]] = {"p50": statistics.median}
        if row in WITH_P95:
            shares["p95"] = lambda times: p50_p95(times)[1]
        for arm in arms:
            told = "".join(
                f"{name:>6} {of(arm.times[row]):8.1f} ({of(arm.times[row]) / of(beside.times[row]):.2f})"
                for name, of in shares.items()
            )
            print(f"  {arm.name:<26}{told}", flush=True)


if __name__ == "__main__":
    main()
