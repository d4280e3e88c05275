"""The embedding store: kept for good, by any number of threads and processes."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from knowledge.registry import Registry
from knowledge.registry.server import LEAST_CONNECTIONS
from retrieval.embeddings import EmbeddingStore, text_key
from retrieval.errors import EmbeddingsFailed
from retrieval.types import Vectors
from tests.fakes import ROOT

CHILD = """
import sys, numpy
from pathlib import Path
from retrieval.embeddings import EmbeddingStore
EmbeddingStore(Path(sys.argv[1])).put("f", ["child"], numpy.full((1, 3), 7, dtype=numpy.float32))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddingStore]:
    """An empty one, in a file and on a server."""
    if request.param == "sqlite":
        yield EmbeddingStore(tmp_path / "made" / "embeddings.sqlite3")
        return
    registry = Registry(request.getfixturevalue("postgres_url"), LEAST_CONNECTIONS)
    assert registry.vectors is not None
    yield EmbeddingStore(registry.vectors)
    registry.close()


def vectors(*rows: float) -> Vectors:
    """One vector of three equal numbers per argument."""
    return np.repeat(np.array(rows, dtype=np.float32)[:, None], 3, axis=1)


def test_what_was_put_comes_back_bit_by_bit(store: EmbeddingStore) -> None:
    given = np.random.default_rng(0).normal(size=(2, 384)).astype(np.float32)
    store.put("f", ["a", "b"], given)
    found = store.get("f", ["b", "a"])
    assert np.array_equal([found["a"], found["b"]], given)
    assert found["a"].dtype == np.float32


def test_what_is_not_there_is_absent(store: EmbeddingStore) -> None:
    store.put("f", ["a"], vectors(1))
    assert sorted(store.get("f", ["a", "b"])) == ["a"]
    assert store.get("f", []) == {}


def test_another_encoder_has_vectors_of_its_own(store: EmbeddingStore) -> None:
    store.put("f", ["a"], vectors(1))
    assert store.get("g", ["a"]) == {}


def test_the_first_vector_of_an_input_wins(store: EmbeddingStore) -> None:
    store.put("f", ["a"], vectors(1))
    store.put("f", ["a", "b"], vectors(2, 3))
    found = store.get("f", ["a", "b"])
    assert [float(found["a"][0]), float(found["b"][0])] == [1, 3]


def test_more_keys_than_one_statement_holds(store: EmbeddingStore) -> None:
    keys = [f"k{number}" for number in range(1_234)]
    store.put("f", keys, vectors(*range(1_234)))
    found = store.get("f", [*keys, *keys])
    assert [float(found[key][0]) for key in keys] == list(range(1_234))


def test_which_keys_are_known_is_told_of_each_encoder(store: EmbeddingStore) -> None:
    keys = [f"k{number}" for number in range(1_234)]
    store.put("f", keys, vectors(*range(1_234)))
    assert store.known("f", [*keys, "never there"]) == set(keys)
    assert store.known("g", keys) == set()


def test_deleting_forgets_an_input_under_every_encoder(store: EmbeddingStore) -> None:
    store.put("f", ["a", "b"], vectors(1, 2))
    store.put("g", ["a"], vectors(3))
    store.delete(["a", "never there"])
    assert store.keys() == {"b"}
    assert store.get("g", ["a"]) == {}


def test_a_deleted_vector_is_not_left_readable_on_the_disk(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e.sqlite3")
    secret = np.frombuffer(hashlib.sha256(b"secret").digest() * 4, dtype=np.float32)[None]
    store.put("f", ["a"], secret)
    assert any(secret.tobytes() in file.read_bytes() for file in tmp_path.iterdir())
    store.delete(["a"])
    assert not any(secret.tobytes() in file.read_bytes() for file in tmp_path.iterdir())


def test_keys_and_vectors_must_be_as_many(store: EmbeddingStore) -> None:
    with pytest.raises(ValueError, match="shorter"):
        store.put("f", ["a", "b"], vectors(1))
    assert store.keys() == frozenset()


def test_threads_that_write_the_same_and_other_inputs_lose_nothing(store: EmbeddingStore) -> None:
    def write(thread: int) -> None:
        for number in range(10):
            store.put("f", ["shared", f"{thread}-{number}"], vectors(thread, number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert store.keys() == {"shared", *(f"{thread}-{number}" for thread in range(8) for number in range(10))}
    assert float(store.get("f", ["7-9"])["7-9"][0]) == 9


def test_another_process_writes_to_the_same_file(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e.sqlite3")
    store.put("f", ["parent"], vectors(1))
    command = [sys.executable, "-c", CHILD, str(tmp_path / "e.sqlite3")]
    subprocess.run(command, check=True, cwd=ROOT)
    assert store.keys() == {"parent", "child"}
    assert store.get("f", ["child"])["child"].tolist() == [7, 7, 7]


def test_a_file_that_is_no_database_is_one_of_our_errors(tmp_path: Path) -> None:
    (tmp_path / "e.sqlite3").write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(EmbeddingsFailed, match="embedding store"):
        EmbeddingStore(tmp_path / "e.sqlite3")


def test_the_key_of_a_text_is_the_sha256_of_its_bytes() -> None:
    assert text_key("naïve") == hashlib.sha256("naïve".encode()).hexdigest()
