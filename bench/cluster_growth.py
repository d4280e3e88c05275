"""A large knowledge base through the whole cluster path: PostgreSQL, object storage, a Chroma server, two API processes.

    python -m bench.cluster_growth [--passages 300000] [--cases 40000] [--texts corpus.jsonl]

Filled through the registry with made passages and drawn vectors (bench.grown), then `dermacite reindex` in a process of its
own builds, proves and publishes; two servers with empty homes fetch it. All share this machine and its cores. Memory is the
largest of each process (the writer, and the child that builds); RSS counts what processes share in each, PSS divides it.
A visible change is a document of 200 passages retired, and approved again, at one server, until a search at the other
shows it. Set TMPDIR to where some GB are free.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from bench.grown import FEW, HALF, PASSAGES_A_DOCUMENT, put_all
from bench.material import KEPT, Memory, made_passages, made_queries, milliseconds, p50_p95, real_sentences
from bench.parts import PARTS, Parts, parts
from retrieval.depot import size_of
from runtime.building import PROJECT
from runtime.demo import CONSULTATIONS
from runtime.service import Service, open_service
from runtime.settings import PREFIX, load_settings
from tests.served_process import PATIENCE_S, Server, serving

WARM = 5
DIAGNOSES = 25
CHANGES = 6
LOOK_S = 0.2  # between two looks at memory


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=300_000)
    parser.add_argument("--cases", type=int, default=40_000)
    parser.add_argument("--queries", type=int, default=100, help="of each filter")
    parser.add_argument("--texts", type=Path, help="a corpus.jsonl instead of the sample guidelines")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where encoded vectors are kept for the next run")
    given = parser.parse_args()
    sentences = real_sentences(given.texts)
    with tempfile.TemporaryDirectory() as folder, parts(Path(folder)) as servers:
        settings = servers.settings(*PARTS)
        writer = Path(folder) / "writer"
        with _opened(writer, settings) as service, _told("filled, which is no figure of the product"):
            put_all(service, made_passages(sentences, given.passages), given.cases, given.kept)
        _reindex(writer, settings)
        with _opened(writer, settings) as service:
            _sizes(service, Path(folder), servers, settings)
            version = service.registry.documents()[1].version.id
            with _told("what is searched, loaded as a whole"):
                service.reader.view()
        with _worker(Path(folder) / "a", settings) as one, _worker(Path(folder) / "b", settings) as other:
            _memory("ready", one, other)
            _search(one, made_queries(sentences, given.queries + WARM))
            _diagnose(one)
            _change(one, other, version)
            _memory("afterwards", one, other)


@contextmanager
def _opened(home: Path, settings: Mapping[str, str]) -> Iterator[Service]:
    service = open_service(home, load_settings(home, configuration="embedded", **settings))
    try:
        yield service
    finally:
        service.close()


@contextmanager
def _told(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.2f} s", flush=True)


# --- built ---------------------------------------------------------------------------------------------------------------


def _reindex(home: Path, settings: Mapping[str, str]) -> None:
    """`dermacite reindex`, watched from outside."""
    environment = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "runtime", "--home", str(home), "--configuration", "embedded", "reindex"]
    ended, highest = threading.Event(), {"writer": 0.0, "builder": 0.0, "seconds of the builder": 0.0}
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **environment}, stdout=sys.stderr) as process:
        watcher = threading.Thread(target=_watch, args=[process.pid, ended, highest])
        watcher.start()
        code = process.wait()
        took = time.perf_counter() - started
        ended.set()
        watcher.join()
    if code:
        raise SystemExit(f"dermacite reindex ended with {code}")
    print(
        f"dermacite reindex: {took:.1f} s, {highest['seconds of the builder']:.0f} of them in the child that builds; "
        f"most memory: {highest['writer']:.0f} MB, its child {highest['builder']:.0f} MB",
        flush=True,
    )


def _watch(pid: int, ended: threading.Event, highest: dict[str, float]) -> None:
    while not ended.wait(LOOK_S):
        with suppress(OSError, StopIteration):
            highest["writer"] = max(highest["writer"], _high_water_mb(pid))
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
                if b"runtime.index_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    highest["builder"] = max(highest["builder"], _high_water_mb(int(child)))
                    highest["seconds of the builder"] += LOOK_S


def _high_water_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000


def _sizes(service: Service, folder: Path, servers: Parts, settings: Mapping[str, str]) -> None:
    counts = service.registry.counts()
    published = service.index.current()
    assert published is not None
    found = servers.postgres.execute(
        "SELECT pg_database_size(current_database())", settings["registry_url"].rpartition("/")[2]
    )
    print(
        f"{counts['documents']} documents, {counts['passages']} passages, {counts['cases']} cases: "
        f"PostgreSQL {found[0][0] / 1e6:.0f} MB, index in object storage {size_of(published) / 1e6:.0f} MB, "
        f"Chroma server {size_of(folder / 'chroma') / 1e6:.0f} MB",
        flush=True,
    )


# --- served --------------------------------------------------------------------------------------------------------------


@contextmanager
def _worker(home: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """A new server on a host that has nothing."""
    home.mkdir()
    started = time.perf_counter()
    with serving(home, requests_per_minute="100000", **settings) as server:
        server.wait_until_ready()
        print(f"a fresh worker is ready after {time.perf_counter() - started:.1f} s", flush=True)
        yield server


def _memory(when: str, *servers: Server) -> None:
    for server in servers:
        memory = Memory.of(server.process.pid)
        print(
            f"memory of a worker, {when}: RSS {memory.resident:.0f} MB, of it from files {memory.mapped:.0f}; "
            f"PSS {memory.proportional:.0f}",
            flush=True,
        )


def _asked(client: httpx.Client, text: str, **filters: str) -> Any:
    response = client.post("/v1/search", json={"text": text, "k": 10, "filters": filters})
    assert response.status_code == 200, response.text
    return response.json()


def _search(server: Server, texts: Sequence[str]) -> None:
    """By turns, so that whatever else the machine does falls on all alike."""
    kinds: Mapping[str, Mapping[str, str]] = {
        "without a filter": {}, "a filter leaves 4 %": {"jurisdiction": FEW}, "a filter leaves half": {"jurisdiction": HALF}
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in kinds}
    fewest = 10
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        for text in texts:
            for name, filters in kinds.items():
                started = time.perf_counter()
                answer = _asked(client, text, **filters)
                times[name].append((time.perf_counter() - started) * 1000)
                assert not answer["warnings"], answer["warnings"]
                fewest = min(fewest, len(answer["passages"]))
    for name, taken in times.items():
        print(f"search over HTTP, {name}: {_shown(taken[WARM:])}")
    print(f"(10 passages and 10 cases asked for; fewest passages found: {fewest})", flush=True)


def _diagnose(server: Server) -> None:
    lines = map(json.loads, (CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines())
    asked = [((CONSULTATIONS / one["picture"]).read_bytes(), json.dumps({"note": one["note"]})) for one in lines]
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:

        def one(number: int) -> Callable[[], object]:
            picture, request = asked[number % len(asked)]
            return lambda: client.post(
                "/v1/diagnoses", files={"images": ("p.jpg", picture)}, data={"request": request}
            ).raise_for_status()

        times = milliseconds(one(number) for number in range(DIAGNOSES + WARM))
    print(f"a consultation over HTTP: {_shown(times[WARM:])}", flush=True)


def _change(at: Server, elsewhere: Server, version: str) -> None:
    """Retired and approved again; how long the one takes, and the first search at the other."""
    written, seen = [], []
    client, reader = (httpx.Client(base_url=server.url, timeout=PATIENCE_S) for server in (at, elsewhere))
    with client, reader:
        passages = client.get(f"/v1/versions/{version}/passages").json()["passages"]
        text, document = passages[0]["text"], passages[0]["document_id"]
        assert _asked(reader, text, document=document)["passages"]
        for number in range(CHANGES):
            deed = ("retire", "approve")[number % 2]
            started = time.perf_counter()
            client.post(f"/v1/versions/{version}/{deed}").raise_for_status()
            written.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            while bool(_asked(reader, text, document=document)["passages"]) != (deed == "approve"):
                assert time.perf_counter() - started < PATIENCE_S
            seen.append((time.perf_counter() - started) * 1000)
    print(
        f"a document of {PASSAGES_A_DOCUMENT} passages retired or approved: {_shown(written)}; a search at the other worker "
        f"shows it after {_shown(seen)}",
        flush=True,
    )


def _shown(times: Sequence[float]) -> str:
    """Median and 95th percentile; of a few, the longest."""
    if len(times) < 20:
        return f"{statistics.median(times):.0f} ms (longest {max(times):.0f}, of {len(times)})"
    return "p50 {:.0f} ms, p95 {:.0f} ms".format(*p50_p95(times))


if __name__ == "__main__":
    main()
