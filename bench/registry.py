"""What a registry on PostgreSQL costs beside one in a file: medians of single operations, in one run.

    python -m bench.registry postgresql://USER@HOST/EMPTY_DATABASE

The database must be new: rows are written to it and stay.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from knowledge.registry import Registry
from retrieval.embeddings import EmbeddingStore
from runtime.home import Home
from runtime.truth import embeddings_of, locks_of

TIMES = 300
ROWS, DIMENSION = 1_000, 384


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        print(f"load {os.getloadavg()[0]:.1f}; ms, median of {TIMES} (vectors: of 5)")
        print(f"{'operation':<38}{'file':>8}{'server':>8}")
        with closing(Registry.in_folder(home.root)) as file, closing(Registry(given.url)) as server:
            here, there = _operations(home, file), _operations(home, server)
            for name, operation in there.items():
                times = 5 if "vectors" in name else TIMES
                told = f"{_median(here[name], times):8.2f}" if name in here else f"{'':>8}"
                print(f"{name:<38}{told}{_median(operation, times):8.2f}", flush=True)


def _operations(home: Home, registry: Registry) -> Mapping[str, Callable[[], object]]:
    store, locks, rates = embeddings_of(home, registry), locks_of(home, registry), registry.rates

    def lock() -> None:
        with locks.writing():
            pass

    operations: dict[str, Callable[[], object]] = {
        "read (corpus generation)": registry.corpus_generation,
        "write (an audit entry)": lambda: registry.audit.record("a", "b", "c", "d"),
        "take the writer's lock, give it back": lock,
        f"forget and put {ROWS} vectors of {DIMENSION}": lambda: _put(store),
        f"get {ROWS} vectors of {DIMENSION}": lambda: store.get("f", map(str, range(ROWS))),
    }
    if rates is not None:
        operations["count a request"] = lambda: rates.spend("key", 10**6)
    return operations


def _put(store: EmbeddingStore) -> None:
    store.delete(map(str, range(ROWS)))
    store.put("f", [str(number) for number in range(ROWS)], np.ones((ROWS, DIMENSION), dtype=np.float32))


def _median(operation: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        operation()
        taken.append(1_000 * (time.perf_counter() - began))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
