"""What every VectorIndex does, against a naive one in float64."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrieval.chroma import ChromaStore, chroma_at, chroma_in
from retrieval.protocols import VectorIndex
from retrieval.types import Mask, Rows, Vector, Vectors
from retrieval.vectors import ChromaVectors, ExactVectors, LayeredVectors
from tests.fakes import ROOT, unit

DIMENSION = 32
WRITE = """
import sys, numpy
from pathlib import Path
from retrieval.chroma import chroma_in
chroma_in(Path(sys.argv[1])).write(dict(numpy.load(sys.argv[2])))
"""


def random_matrix(n: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).normal(size=(n, DIMENSION)))


def clustered_matrix(n: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, DIMENSION))
    return unit(centres[rng.integers(0, 20, n)] + 0.15 * rng.normal(size=(n, DIMENSION)))


MATRICES = {
    "random": random_matrix(1_200, 1),
    "clustered": clustered_matrix(1_200, 2),
    "repeated": np.tile(random_matrix(8, 3), (9, 1)),  # row i equals row i + 8
    "single": random_matrix(1, 4),
    "empty": np.zeros((0, DIMENSION), dtype=np.float32),
}


def base_of(matrix: Vectors) -> Vectors:
    """What a layered index has in its base; the rest is its delta."""
    return matrix[: len(matrix) * 2 // 3]


@pytest.fixture(scope="session")
def chroma_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    bases = {f"{name}-base": base_of(matrix) for name, matrix in MATRICES.items()}
    np.savez(folder / "matrices.npz", **MATRICES, **bases)  # type: ignore[arg-type]
    command = [sys.executable, "-c", WRITE, str(folder / "chroma"), str(folder / "matrices.npz")]
    subprocess.run(command, check=True, cwd=ROOT)
    return folder / "chroma"


@pytest.fixture(scope="session")
def served(chroma_server: str) -> ChromaStore:
    store = chroma_at(chroma_server, "contract", timeout_s=60)
    store.write({**MATRICES, **{f"{name}-base": base_of(matrix) for name, matrix in MATRICES.items()}})
    return store


Build = Callable[[str], VectorIndex]
KINDS = ["exact", "chroma", "chroma server", "layered exact", "layered chroma", "layered chroma server"]


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest) -> Build:
    """Makes the implementation under test, over a matrix by name."""

    def chroma(name: str, matrix: Vectors) -> ChromaVectors:
        on_server = request.param.endswith("server")
        store = request.getfixturevalue("served") if on_server else chroma_in(request.getfixturevalue("chroma_folder"))
        return ChromaVectors(matrix, store, name, exact_below=0)

    def index(name: str) -> VectorIndex:
        matrix = MATRICES[name]
        base = base_of(matrix)
        match request.param:
            case "exact":
                return ExactVectors(matrix)
            case "chroma" | "chroma server":
                return chroma(name, matrix)
            case "layered exact":
                return LayeredVectors(ExactVectors(base), matrix[len(base) :])
            case _:
                return LayeredVectors(chroma(f"{name}-base", base), matrix[len(base) :])

    return index


def naive(matrix: Vectors, query: Vector, k: int, allowed: Mask | None = None) -> list[int]:
    scores = matrix.astype(np.float64) @ query.astype(np.float64)
    rows = [row for row in range(len(matrix)) if allowed is None or allowed[row]]
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


def recall(index: VectorIndex, matrix: Vectors, queries: Vectors, k: int = 10) -> float:
    shares = [len({*index.search(query, k)[0].tolist()} & {*naive(matrix, query, k)}) / k for query in queries]
    return float(np.mean(shares))


@pytest.mark.parametrize("name", sorted(MATRICES))
def test_it_has_as_many_rows_as_its_matrix(build: Build, name: str) -> None:
    assert len(build(name)) == len(MATRICES[name])


@pytest.mark.parametrize("name", ["random", "clustered"])
def test_the_nearest_rows_come_best_first(build: Build, name: str) -> None:
    query = random_matrix(1, 10)[0]
    rows, scores = build(name).search(query, 5)
    assert rows.tolist() == naive(MATRICES[name], query, 5)
    assert (np.diff(scores) <= 0).all()
    assert rows.dtype == np.int64
    assert scores.dtype == np.float32


def test_scores_are_the_exact_cosines(build: Build) -> None:
    query = random_matrix(1, 11)[0]
    rows, scores = build("random").search(query, 50)
    assert scores == pytest.approx(MATRICES["random"][rows].astype(np.float64) @ query, abs=1e-6)


def test_searching_and_scoring_agree_to_the_last_bit(build: Build) -> None:
    query = random_matrix(1, 12)[0]
    index = build("clustered")
    rows, scores = index.search(query, 50)
    assert np.array_equal(index.score(query, rows), scores)


def test_rows_are_scored_in_the_order_asked_for(build: Build) -> None:
    query = random_matrix(1, 13)[0]
    asked = np.array([1_100, 0, 700, 700, 3])
    expected = MATRICES["random"][asked].astype(np.float64) @ query
    assert build("random").score(query, asked) == pytest.approx(expected, abs=1e-6)


def test_scoring_no_rows_gives_no_scores(build: Build) -> None:
    assert build("random").score(random_matrix(1, 13)[0], np.zeros(0, dtype=np.int64)).shape == (0,)


def test_equal_vectors_have_equal_scores_and_come_by_row(build: Build) -> None:
    query = random_matrix(1, 14)[0]
    matrix = MATRICES["repeated"]
    rows, scores = build("repeated").search(query, len(matrix))
    groups = rows.reshape(8, 9)
    assert (np.diff(groups, axis=1) == 8).all()
    assert (np.ptp(scores.reshape(8, 9), axis=1) == 0).all()


@pytest.mark.parametrize("name", ["random", "clustered"])
def test_recall_against_exact_search(build: Build, name: str) -> None:
    assert recall(build(name), MATRICES[name], random_matrix(25, 15)) >= 0.98


def some(n: int, allowed: Rows) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[allowed] = True
    return mask


@pytest.mark.parametrize("kept", [1_190, 600, 3], ids=["few masked", "half masked", "nearly all masked"])
def test_masked_rows_never_come_back_and_the_others_do(build: Build, kept: int) -> None:
    query = random_matrix(1, 16)[0]
    allowed = some(1_200, np.random.default_rng(17).permutation(1_200)[:kept])
    rows, _ = build("random").search(query, 10, allowed)
    assert rows.tolist() == naive(MATRICES["random"], query, 10, allowed)


@pytest.fixture(params=["chroma_folder", "served"])
def build_proposing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ChromaVectors]:
    """An index of the named vectors that cannot search exactly."""
    made = request.getfixturevalue(request.param)
    store = chroma_in(made) if isinstance(made, Path) else made
    monkeypatch.setattr(ExactVectors, "search", None)
    return lambda name: ChromaVectors(MATRICES[name], store, name, exact_below=0)


def test_many_masked_rows_do_not_keep_chroma_from_proposing(build_proposing: Callable[[str], ChromaVectors]) -> None:
    """A corpus collects superseded and retired rows for as long as it lives."""
    query = random_matrix(1, 20)[0]
    allowed = some(1_200, np.random.default_rng(21).permutation(1_200)[:700])
    expected = naive(MATRICES["random"], query, 10, allowed)
    assert build_proposing("random").search(query, 10, allowed)[0].tolist() == expected


def test_chroma_proposes_also_where_more_is_asked_for_than_there_is(
    build_proposing: Callable[[str], ChromaVectors],
) -> None:
    index = build_proposing("repeated")
    allowed = some(72, np.arange(2, 72))
    assert sorted(index.search(random_matrix(1, 23)[0], 100, allowed)[0].tolist()) == list(range(2, 72))


def test_rows_behind_more_masked_ones_than_are_proposed_are_found(build: Build) -> None:
    query = random_matrix(1, 22)[0]
    nearest = naive(MATRICES["random"], query, 500)
    assert (
        build("random").search(query, 10, ~some(1_200, np.array(nearest)))[0].tolist()
        == naive(MATRICES["random"], query, 510)[500:]
    )


def test_masking_the_best_row_gives_the_next_ones(build: Build) -> None:
    query = MATRICES["clustered"][1_000]
    index = build("clustered")
    best, *others = index.search(query, 11)[0].tolist()
    assert best == 1_000
    assert index.search(query, 10, ~some(1_200, np.array([best])))[0].tolist() == others


def test_all_masked_is_nothing_found(build: Build) -> None:
    rows, scores = build("random").search(MATRICES["random"][0], 10, np.zeros(1_200, dtype=np.bool_))
    assert (rows.shape, scores.shape) == ((0,), (0,))


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_nothing_gives_nothing(build: Build, k: int) -> None:
    assert build("random").search(MATRICES["random"][0], k)[0].shape == (0,)


@pytest.mark.parametrize("name", ["single", "repeated", "random"])
def test_asking_for_more_than_there_is_gives_every_row_once(build: Build, name: str) -> None:
    matrix = MATRICES[name]
    rows, _ = build(name).search(matrix[0], 5_000)
    assert sorted(rows.tolist()) == list(range(len(matrix)))


@pytest.mark.parametrize("k", [0, 1, 10])
def test_an_empty_index_finds_nothing(build: Build, k: int) -> None:
    rows, scores = build("empty").search(random_matrix(1, 18)[0], k)
    assert (rows.shape, scores.shape) == ((0,), (0,))


def test_what_chroma_proposes_is_put_in_order_here(chroma_folder: Path) -> None:
    class Backwards(ChromaStore):
        def propose(self, name: str, query: Vector, k: int) -> Rows:
            return chroma_in(chroma_folder).propose(name, query, k)[::-1]

    matrix = MATRICES["repeated"]
    backwards = Backwards(lambda: None, "nowhere")
    rows, _ = ChromaVectors(matrix, backwards, "repeated", exact_below=0).search(matrix[5], len(matrix))
    assert rows.tolist() == ExactVectors(matrix).search(matrix[5], len(matrix))[0].tolist()


def test_an_exact_index_cuts_equal_scores_by_row() -> None:
    matrix = MATRICES["repeated"]
    rows, _ = ExactVectors(matrix).search(matrix[5], 4)
    assert rows.tolist() == [5, 13, 21, 29]


def test_a_layered_index_takes_vectors_from_both_layers_in_order() -> None:
    matrix = MATRICES["random"]
    index = LayeredVectors(ExactVectors(matrix[:800]), matrix[800:])
    asked = np.array([1_199, 0, 800, 799])
    assert np.array_equal(index.take(asked), matrix[asked])


def test_a_zero_row_is_told_from_a_vector_in_both_layers() -> None:
    matrix = MATRICES["random"][:6].copy()
    matrix[[1, 4]] = 0
    index = LayeredVectors(ExactVectors(matrix[:3]), matrix[3:])
    assert index.nonzero().tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize("share", [None, 0.9, 0.3, 0.01], ids=["all", "most", "some", "few"])
@pytest.mark.parametrize("name", ["random", "clustered", "close"])
def test_exact_search_is_the_sum_of_every_row_cut_at_k(name: str, share: float | None) -> None:
    """However few rows a mask leaves: rows, order and last bits are those of scoring everything."""
    rng = np.random.default_rng(19)
    # Vectors that differ in their last bits only: another order of summing would put them in another order.
    close = unit(np.ones((1_200, DIMENSION)) + 1e-7 * rng.normal(size=(1_200, DIMENSION)))
    matrix = close if name == "close" else MATRICES[name]
    allowed = None if share is None else rng.random(len(matrix)) < share
    index = ExactVectors(matrix)
    for query in random_matrix(20, 20):
        everything = index.score(query, np.arange(len(matrix)))
        eligible = np.arange(len(matrix)) if allowed is None else np.flatnonzero(allowed)
        expected = eligible[np.lexsort((eligible, -everything[eligible]))][:10]
        rows, scores = index.search(query, 10, allowed)
        assert rows.tolist() == expected.tolist()
        assert np.array_equal(scores, everything[expected])
