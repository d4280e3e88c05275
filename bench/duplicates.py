"""How long a report takes to find pictures that come twice, as a collection grows; and how far apart middles are.

    python -m bench.duplicates FOLDER

FOLDER is a collection with lesion ids (see bench.ham10000). The many rows are mixtures of two pictures each, which are nearer
to each other than pictures are; 1 % of them stand there twice.
"""

import argparse
import hashlib
import random
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench.alterations import KINDS
from bench.leaks import grown_sketches
from knowledge.cases import CaseRow, read_cases
from knowledge.pictures import admit_picture
from knowledge.registry import CaseGuard
from retrieval.duplicates import Compared, duplicates
from retrieval.invariants import middle_features
from retrieval.sketches import Sketches, sketch_of
from retrieval.twins import SketchTable

GROWTH = (10_000, 40_000)
COPIED = 60  # pictures of which each alteration is made


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    rows = [row for row in read_cases(parser.parse_args().folder).rows if isinstance(row, CaseRow)]
    pictures = [Image.fromarray(admit_picture(row.picture.read_bytes()).rgb) for row in rows]
    sketches = np.stack([sketch_of(np.asarray(picture)) for picture in pictures])
    _distances(pictures, sketches, [row.lesion or row.picture.name for row in rows])
    print(f"\n{'rows':>8}{'clock s':>10}{'CPU s':>10}{'pairs':>8}")
    for count in GROWTH:
        _timed(sketches, count)


def _distances(pictures: list[Image.Image], sketches: Sketches, lesions: list[str]) -> None:
    features, names = middle_features(sketches), np.array(lesions)
    apart = np.sqrt(np.square(features[:, None] - features[None]).sum(axis=2))
    others = apart[names[:, None] != names[None]]
    print(f"different lesions: nearest {others.min():.1f}, 1 % within {np.quantile(others, 0.01):.1f}")
    chosen = random.Random(0).sample(range(len(pictures)), min(COPIED, len(pictures)))
    for kind, alterations in KINDS.items():
        copies = [
            float(np.linalg.norm(middle_features(sketch_of(np.asarray(alter(pictures[row])))[None])[0] - features[row]))
            for alter in alterations.values()
            for row in chosen
        ]
        print(f"{kind}: farthest copy {max(copies):.1f}")


def _timed(sketches: Sketches, count: int) -> None:
    twice = count // 100
    grown = grown_sketches(sketches, count - twice)
    table = SketchTable.of(np.concatenate([grown, grown[-twice:]]))
    guards = [_guard(f"c-{number:06}") for number in range(count)]
    ids = [guard.id for guard in guards]
    started, started_cpu = time.perf_counter(), time.process_time()
    found = duplicates(Compared.of(guards, ids, table, frozenset(ids)))
    clock, processor = time.perf_counter() - started, time.process_time() - started_cpu
    print(f"{count:>8}{clock:>10.1f}{processor:>10.1f}{found.total:>8}", flush=True)


def _guard(name: str) -> CaseGuard:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return CaseGuard(name, "set", "x", digest, digest, digest[:16], None, None, None)


if __name__ == "__main__":
    main()
