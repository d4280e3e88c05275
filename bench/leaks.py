"""Does the leak guard find the original of an altered picture, and does it leave other lesions alone?

    python -m bench.leaks FOLDER [--half report|development]

FOLDER is a collection with lesion ids (see bench.ham10000). Lesions are halved by the hash of their id: thresholds were
chosen on one half, figures are of the other. Queries are of one half, the collection is all of it. Only pictures count:
lesion ids, which would help, are withheld from the guard. Then: what it costs as the collection grows; the many rows are
mixtures of two pictures each, which are nearer to each other than pictures are.
"""

import argparse
import hashlib
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.alterations import KINDS, SMALLEST, encoded, turned_by_tag
from knowledge.cases import CaseRow, read_cases
from knowledge.pictures import Picture, admit_picture
from knowledge.registry import CaseGuard
from retrieval.leakage import GuardTable, Probe, leak_guard
from retrieval.sketches import SKETCH_BYTES, Sketches, sketch_of
from retrieval.twins import PROPOSED, SketchTable

Pixels = NDArray[np.uint8]

QUERIES = 200
PAIRS_OF_EACH = 3  # random alterations of each two kinds, per picture
GROWTH = (400, 4_000, 40_000)
TIMED = 40


@dataclass(frozen=True, slots=True)
class Known:
    """One picture of the collection."""

    name: str
    lesion: str
    image: Image.Image
    picture: Picture


@dataclass(slots=True)
class Tally:
    """Of the queries with one alteration: originals not kept back, other lesions kept back, and pairs compared."""

    queries: int = 0
    missed: int = 0
    false: int = 0
    pairs: int = 0

    def add(self, missed: bool, false: int, pairs: int) -> None:
        """One query."""
        self.queries += 1
        self.missed += missed
        self.false += false
        self.pairs += pairs

    def line(self, name: str) -> str:
        """As a row of the table."""
        return f"{name:<44}{self.queries:>8}{self.missed:>8}{self.false:>8}{100 * self.false / self.pairs:>12.4f} %"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("report", "development"), default="report")
    given = parser.parse_args()
    known = [_known(row) for row in read_cases(given.folder).rows if isinstance(row, CaseRow)]
    table = _table(known)
    chosen = [row for row, one in enumerate(known) if _in_development(one.lesion) == (given.half == "development")]
    chosen = random.Random(0).sample(chosen, min(QUERIES, len(chosen)))
    print(
        f"{len(known)} pictures, {len({one.lesion for one in known})} lesions; {len(chosen)} queries, {given.half} half"
    )
    print(f"{'alteration':<44}{'queries':>8}{'missed':>8}{'false':>8}{'of pairs':>14}")
    total = Tally()
    for name, queries in (("unaltered", _unaltered(known, chosen)), *_altered(known, chosen)):
        tally = Tally()
        for row, data in queries:
            found = _asked(table, known, row, data)
            tally.add(*found)
            total.add(*found)
        print(tally.line(name), flush=True)
    print(total.line("all"))
    _growth(known, chosen)
    sys.exit(1 if total.missed else 0)


def _known(row: CaseRow) -> Known:
    data = row.picture.read_bytes()
    picture = admit_picture(data)
    return Known(row.picture.name, row.lesion or row.picture.name, Image.fromarray(picture.rgb), picture)


def _in_development(lesion: str) -> bool:
    return hashlib.sha256(lesion.encode()).digest()[-1] % 2 == 0


def _table(known: Sequence[Known]) -> GuardTable:
    guards = [
        CaseGuard(one.name, "set", "x", f"stored {one.name}", one.picture.sha256, one.picture.perceptual_hash, None, None, None)
        for one in known
    ]  # fmt: skip
    return GuardTable.of(guards, SketchTable.of(_sketches(known)))


def _sketches(known: Sequence[Known]) -> Sketches:
    return np.stack([sketch_of(one.picture.rgb) for one in known])


def _asked(table: GuardTable, known: Sequence[Known], row: int, data: bytes) -> tuple[bool, int, int]:
    picture = admit_picture(data)
    probe = Probe(frozenset({picture.sha256}), [picture.perceptual_hash], sketches=[sketch_of(picture.rgb)])
    allowed = leak_guard(table, probe).allowed
    others = np.array([one.lesion != known[row].lesion for one in known])
    return bool(allowed[row]), int((~allowed & others).sum()), int(others.sum())


def _unaltered(known: Sequence[Known], chosen: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Another file, the same pixels: the bytes differ."""
    return ((row, encoded(known[row].image, "PNG")) for row in chosen)


def _altered(known: Sequence[Known], chosen: Sequence[int]) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
    yield "turned by EXIF", ((row, turned_by_tag(known[row].image)) for row in chosen)
    for kind, alterations in KINDS.items():
        for name, alter in alterations.items():
            yield f"{kind}: {name}", ((row, encoded(alter(known[row].image), "PNG")) for row in chosen)
    for one, other in combinations(KINDS, 2):
        yield f"{one} and {other}", _both(known, chosen, one, other)


def _both(known: Sequence[Known], chosen: Sequence[int], one: str, other: str) -> Iterator[tuple[int, bytes]]:
    source = random.Random(f"{one} {other}")
    for row in chosen:
        for _ in range(PAIRS_OF_EACH):
            steps = [source.choice(list(KINDS[kind].values())) for kind in (one, other)]
            source.shuffle(steps)
            twice = steps[1](steps[0](known[row].image))
            if min(twice.size) >= SMALLEST:  # a smaller one is refused as a query
                yield row, encoded(twice, "PNG")


def _growth(known: Sequence[Known], chosen: Sequence[int]) -> None:
    """Time of a clock, and of the processor: the latter hardly depends on what else the machine does."""
    queries = list(_varied(known, chosen[:TIMED]))
    names = ("load s", "p50 ms", "p95 ms", "CPU p50", "CPU p95", "missed", "bytes a row")
    print(f"\n{'rows':>8}{''.join(f'{name:>13}' for name in names)}   ({len(queries)} altered queries)")
    for rows in GROWTH:
        started = time.perf_counter()
        table = SketchTable.of(grown_sketches(_sketches(known), rows))
        figures = [time.perf_counter() - started]
        wall, processor, missed = [], [], 0
        for row, pixels in queries:
            started, started_cpu = time.perf_counter(), time.process_time()
            twins = table.twins(sketch_of(pixels))
            wall.append((time.perf_counter() - started) * 1000)
            processor.append((time.process_time() - started_cpu) * 1000)
            missed += row not in twins
        for times in (wall, processor):
            figures += [statistics.median(times), sorted(times)[int(0.95 * len(times))]]
        size = SKETCH_BYTES + table.columns.nbytes // table.columns.shape[1] + 1
        shown = "".join(f"{figure:>13.1f}" for figure in figures)
        print(f"{rows:>8}{shown}{missed:>13}{size:>13}", flush=True)
    print(f"(of which {PROPOSED} rows are laid over the query)")


def _varied(known: Sequence[Known], chosen: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """Two alterations of different kinds each."""
    source = random.Random(1)
    for row in chosen:
        steps = [source.choice(list(KINDS[kind].values())) for kind in source.sample(list(KINDS), 2)]
        yield row, np.asarray(steps[1](steps[0](known[row].image)))


def grown_sketches(sketches: Sketches, rows: int) -> Sketches:
    """The sketches, then mixtures of two of them with 20 to 80 % of each, a shade lighter or darker."""
    source = np.random.default_rng(0)
    extra = max(0, rows - len(sketches))
    one, other = (source.integers(len(sketches), size=extra) for _ in range(2))
    share = source.uniform(0.2, 0.8, (extra, 1)).astype(np.float32)
    mixed = share * sketches[one] + (1 - share) * sketches[other] + source.normal(0, 6, (extra, 1)).astype(np.float32)
    return np.concatenate([sketches, np.clip(mixed, 0, 255).astype(np.uint8)])


if __name__ == "__main__":
    main()
