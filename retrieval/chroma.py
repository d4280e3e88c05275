"""Chroma, in a folder or on a server: it holds the vectors of a generation and proposes row numbers, nothing else.

A folder is written by a process of its own and only read afterwards: a kill inside one of Chroma's flushes poisons the
store beyond what an exception can catch. A server is written while it serves, under names that only one generation has.

Its server has no authentication of any kind, so that only loopback or https (a proxy that authenticates) is accepted. It
must be `chroma run`: the server written in Python executes code of strangers (CVE-2026-45829, no fixed release).
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from retrieval.errors import ChromaFailed, IndexBroken
from retrieval.types import Rows, Vector, Vectors

BATCH = 5_000  # its largest batch is 5,461
# Measured against exact search: the library's defaults find 63 % of neighbours on harder data, these 99 %.
HNSW = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 400}
NEIGHBOURS = 10  # recall is measured at
SELF_SAMPLE, RECALL_SAMPLE = 200, 100  # rows
ASKING_S, WRITING_S = 5.0, 120.0  # longest wait for a server
WRITING_ATTEMPTS = 4  # of one batch


@dataclass(frozen=True, slots=True)
class Verification:
    """Per collection: the share of sampled vectors that find themselves, and of exact neighbours that are proposed."""

    self_recall: Mapping[str, float]
    recall: Mapping[str, float]


class ChromaStore:
    """The collections of one generation, opened on first use. Every method raises ChromaFailed, and nothing foreign."""

    def __init__(
        self, connect: Callable[[], Any], where: str, prefix: str = "", is_there: Callable[[], bool] = lambda: True
    ) -> None:
        self._connect = connect
        self._is_there = is_there
        self._where = where
        self._prefix = prefix
        self._client: Any = None
        self._collections: dict[str, Any] = {}

    def write(self, matrices: Mapping[str, Vectors]) -> None:
        """Make one collection per matrix; ids are row numbers. A collection that exists is an error."""
        with self._failing():
            for name, matrix in matrices.items():
                collection = self._opened().create_collection(
                    self._prefix + name, configuration={"hnsw": HNSW}, embedding_function=None
                )
                for start in range(0, len(matrix), BATCH):
                    part = matrix[start : start + BATCH]
                    _write(collection, [str(start + row) for row in range(len(part))], part)

    def propose(self, name: str, query: Vector, k: int) -> Rows:
        """At most `k` row numbers, the likely nearest ones first."""
        with self._failing():
            return _rows(self._collection(name).query(query_embeddings=[query], n_results=k, include=[])["ids"][0])

    def verify(self, matrices: Mapping[str, Vectors]) -> Verification:
        """Measure every collection against its matrix. Raises IndexBroken too.

        Counts must agree, the distance must be cosine, and at least 99 % of a sample must find a vector equal to
        itself: `count()` alone stays right on a store that lost a fifth of its vectors.
        """
        found: dict[str, tuple[float, float]] = {}
        for name, matrix in matrices.items():
            with self._failing():
                collection = self._collection(name)
                count, space = collection.count(), collection.configuration_json["hnsw"]["space"]
                if count != len(matrix) or space != "cosine":
                    raise IndexBroken(f"{name}: {count} of {len(matrix)} vectors, {space} distance")
                found[name] = _self_recall(collection, matrix), _recall(collection, matrix)
            if found[name][0] < 0.99:
                raise IndexBroken(f"{name}: only {found[name][0]:.1%} of the vectors find themselves")
        return Verification(
            {name: one[0] for name, one in found.items()}, {name: one[1] for name, one in found.items()}
        )

    def remove(self, names: Iterable[str]) -> None:
        """Remove these collections; those that are not there stay away."""
        with self._failing():
            there = {one.name for one in self._opened().list_collections()}
            for name in names:
                if self._prefix + name in there:
                    self._opened().delete_collection(self._prefix + name)

    def close(self) -> None:
        """Give the client back; the next use opens it anew."""
        if self._client is not None:
            with self._failing():
                self._client.close()
        self._client, self._collections = None, {}

    def _opened(self) -> Any:
        # On first need: below the exact limit a process never pays for Chroma's import.
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _collection(self, name: str) -> Any:
        if name not in self._collections:
            # Opening a folder that is gone would make it anew, and nobody would remove it.
            if self._client is None and not self._is_there():
                raise ChromaFailed(f"{self._where} is gone")
            self._collections[name] = self._opened().get_collection(self._prefix + name, embedding_function=None)
        return self._collections[name]

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (IndexBroken, ChromaFailed):
            raise
        except Exception as error:  # it raises ValueError, its own, its transport's and bare ones for the same cause
            self._client, self._collections = None, {}
            raise ChromaFailed(f"{self._where} cannot be used ({type(error).__name__})") from error


def chroma_in(folder: Path) -> ChromaStore:
    """The store in a folder. For writing, call it in a process of its own, on a new folder."""

    def connect() -> Any:
        import chromadb
        from chromadb.config import Settings

        return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))

    return ChromaStore(connect, "the Chroma folder of the index", is_there=(folder / "chroma.sqlite3").exists)


def chroma_at(url: str, generation: str, timeout_s: float = ASKING_S) -> ChromaStore:
    """The store on a server; `generation` makes the names of its collections. Raises ChromaFailed for a refused URL."""
    allowed_url(url)
    return ChromaStore(lambda: _connected(url, timeout_s), f"the Chroma server at {url}", f"dermacite-{generation}-")


def allowed_url(url: str) -> str:
    """The URL, without a slash at its end. Raises ChromaFailed unless it is loopback or https."""
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    if not parts.hostname or parts.username or parts.path.strip("/") or not (loopback or parts.scheme == "https"):
        raise ChromaFailed(
            "a Chroma server has no authentication: its URL must be http://127.0.0.1:PORT, or https://HOST of a proxy that "
            "authenticates, without a path or a name"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connected(url: str, timeout_s: float) -> Any:
    import chromadb
    import httpx
    from chromadb.config import Settings

    # The client would wait for ever for a server that does not answer, and takes any server.
    said = httpx.get(f"{allowed_url(url)}/api/v2/heartbeat", timeout=ASKING_S, trust_env=False).raise_for_status()
    if "uvicorn" in said.headers.get("server", ""):
        raise ChromaFailed(
            f"the server at {url} is Chroma's Python server, which executes code of strangers (CVE-2026-45829). "
            "Start it with: chroma run"
        )
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    settings = Settings(anonymized_telemetry=False)
    client = chromadb.HttpClient(parts.hostname or "", port, ssl=parts.scheme == "https", settings=settings)
    client._server._session.timeout = httpx.Timeout(timeout_s)  # type: ignore[attr-defined] # it has no setting for it
    return client


def _write(collection: Any, ids: list[str], part: Vectors) -> None:
    """One batch; again where a connection failed. What was written although its answer was lost is not there twice."""
    import httpx
    import stamina

    for attempt in stamina.retry_context(on=httpx.TransportError, attempts=WRITING_ATTEMPTS, timeout=WRITING_S):
        with attempt:
            collection.upsert(ids=ids, embeddings=part)


def _rows(ids: Iterable[str]) -> Rows:
    return np.array([int(row) for row in ids], dtype=np.int64)


def _sampled(matrix: Vectors, sample: int) -> Rows:
    """Rows spread over the matrix, without those that are no vector."""
    rows = np.unique(np.linspace(0, max(len(matrix) - 1, 0), num=min(sample, len(matrix)), dtype=np.int64))
    return rows[np.linalg.norm(matrix[rows], axis=1) > 0] if len(matrix) else rows


def _self_recall(collection: Any, matrix: Vectors) -> float:
    rows = _sampled(matrix, SELF_SAMPLE)
    if len(rows) == 0:
        return 1.0
    found = collection.query(query_embeddings=matrix[rows], n_results=1, include=[])["ids"]
    # Equal vectors (the same caption twice) may answer for each other.
    same = [
        np.allclose(matrix[int(ids[0])], matrix[row], atol=1e-5) for ids, row in zip(found, rows, strict=True) if ids
    ]
    return sum(same) / len(rows)


def _recall(collection: Any, matrix: Vectors) -> float:
    """Share of the NEIGHBOURS nearest rows by exact cosine that are proposed; equal cosines answer for each other."""
    rows = _sampled(matrix, RECALL_SAMPLE)
    k = min(NEIGHBOURS, len(matrix))
    if len(rows) == 0:
        return 1.0
    found = collection.query(query_embeddings=matrix[rows], n_results=k, include=[])["ids"]
    shares = []
    for row, ids in zip(rows, found, strict=True):
        exact = matrix @ matrix[row]
        least = np.partition(exact, len(exact) - k)[len(exact) - k]
        shares.append(np.count_nonzero(exact[_rows(ids)] >= least - 1e-6) / k)
    return float(np.mean(shares))
