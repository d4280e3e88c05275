"""What 32 callers at once get from the served embedded configuration, and what the API costs beside the pipeline alone.

    python -m bench.load [--seconds 180] [--clients 32] [--pairs 3] [--pair-seconds 30]

The server is a process of its own, as `dermacite serve` starts it, on the sample corpus; the callers are a second process
that sends ready-made bodies over loopback, one request after the other, and waits as long as a 429 or 503 says. Then the
same pictures and notes go by turns to the pipeline alone (decoded and diagnosed in one process, as many at once, same number
of workers, nothing encoded) and to the server; the ratio is the median of the pairs. Ends with 1 when an answer was neither
200 nor a stated 429 or 503, or when the server's memory grew.
"""

import argparse
import asyncio
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx

from inference.types import Consultation
from runtime.building import PROJECT
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.demo import SAMPLE
from runtime.service import Service, open_service
from runtime.settings import load_settings

PICTURES = 40
NOTE = "red scaly patches for some weeks, itching"
STATED = (429, 503)
WARM_S = 20.0  # before memory is compared: allocators and caches fill
GROWTH = 0.05  # of the memory after that, which still counts as flat
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What the callers got in one run: seconds of each 200, answers by status, what was wrong with some."""

    seconds: float
    times: list[float]
    statuses: dict[str, int]
    wrong: list[str]

    @property
    def rate(self) -> float:
        """Answered consultations a second."""
        return len(self.times) / self.seconds


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--pair-seconds", type=float, default=30)
    parser.add_argument(
        "--call", nargs="+", metavar="URL", help="be the callers of these servers (used by this script itself)"
    )
    parser.add_argument("--alone", type=Path, metavar="HOME", help="be the pipeline alone (used by this script itself)")
    given = parser.parse_args()
    if given.call:
        json.dump(_callers(given.call, given.seconds, given.clients), sys.stdout)
    elif given.alone:
        json.dump(_pipeline_alone(given.alone, given.seconds, given.clients), sys.stdout)
    else:
        sys.exit(_measure(given.seconds, given.clients, given.pairs, given.pair_seconds))


def _measure(seconds: float, clients: int, pairs: int, pair_seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        fill(home)
        with _server(home, Path(folder) / "log") as (url, process):
            heard, memory = _watched(url, process, seconds, clients)
        flat = _report(heard, memory, clients)
        ratios = [_pair(home, Path(folder) / f"log {number}", pair_seconds, clients) for number in range(pairs)]
    if ratios:
        print(f"API / pipeline alone: {statistics.median(ratios):.3f} (median of {len(ratios)} pairs)")
    return 0 if flat and not heard.wrong else 1


def fill(home: Path, **settings: str) -> None:
    """Take the sample corpus in."""
    service = open_service(home, load_settings(home, configuration="embedded", **settings))
    try:
        curator = Curator(service)
        curator.ingest_cases(SAMPLE / "cases", "sample")
        curator.ingest_documents(uploads_of(SAMPLE))
    finally:
        service.close()


def _report(heard: Heard, memory: list[float], clients: int) -> bool:
    """Whether memory is flat."""
    cuts = statistics.quantiles(heard.times, n=100, method="inclusive")
    print(
        f"{clients} clients, {heard.seconds:.0f} s: {heard.rate:.2f} consultations/s, answers by status {heard.statuses}"
    )
    print(
        f"seconds of an answer: p50 {cuts[49]:.2f}, p95 {cuts[94]:.2f}, p99 {cuts[98]:.2f}, most {max(heard.times):.2f}"
    )
    for what in heard.wrong[:10]:
        print(f"WRONG: {what}")
    warm, last = memory[min(int(WARM_S), len(memory) // 2)], statistics.median(memory[-5:])
    print(
        f"memory of the server: {memory[0]:.0f} MB before, {warm:.0f} warm, {last:.0f} at the end, most {max(memory):.0f}"
    )
    return last <= warm * (1 + GROWTH)


def _pair(home: Path, log: Path, seconds: float, clients: int) -> float:
    """One run of each side; both begin warm."""
    how = ["--seconds", str(seconds), "--clients", str(clients)]
    alone = Heard(**_as_process("--alone", str(home), *how))
    with _server(home, log) as (url, _):
        served = heard_from([url], seconds, clients)
    ratio = served.rate / alone.rate
    print(f"pipeline alone {alone.rate:.2f}/s, API {served.rate:.2f}/s, ratio {ratio:.3f}", flush=True)
    return ratio


def _watched(url: str, process: "subprocess.Popen[bytes]", seconds: float, clients: int) -> tuple[Heard, list[float]]:
    """What the callers heard, and the server's memory second by second."""
    memory, ended = [_memory_mb(process.pid)], threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            memory.append(_memory_mb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return heard_from([url], seconds, clients), memory
    finally:
        ended.set()
        watcher.join()


def heard_from(urls: Sequence[str], seconds: float, clients: int) -> Heard:
    """What callers in a process of their own hear; each has one of the servers, and asks no other."""
    return Heard(**_as_process("--call", *urls, "--seconds", str(seconds), "--clients", str(clients)))


def _as_process(*arguments: str) -> dict[str, Any]:
    """This script in a process of its own; what it found."""
    run = subprocess.run(
        [sys.executable, "-m", "bench.load", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


# --- the two sides -------------------------------------------------------------------------------------------------------


def _files() -> list[bytes]:
    return [file.read_bytes() for file in sorted((SAMPLE / "cases" / "pictures").glob("*.jpg"))[:PICTURES]]


def _callers(urls: Sequence[str], seconds: float, clients: int) -> dict[str, Any]:
    boundary = uuid.uuid4().hex
    bodies = [_body(data, boundary) for data in _files()]
    heads = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    hosts = [url.removeprefix("http://") for url in urls]
    numbers, times, statuses, wrong = count(), [], Counter[str](), []
    for host in hosts:
        _warm_up(host, bodies, heads)
    deadline = time.perf_counter() + seconds

    def call(host: str) -> None:
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        while (started := time.perf_counter()) < deadline:
            try:
                connection.request("POST", "/v1/diagnoses", bodies[next(numbers) % len(bodies)], heads)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                statuses[type(error).__name__] += 1
                wrong.append(repr(error))
                connection.close()
                continue
            statuses[str(response.status)] += 1
            if response.status == 200:
                times.append(time.perf_counter() - started)
            elif response.status in STATED and json.loads(text).get("reason") and response.headers.get("Retry-After"):
                time.sleep(float(response.headers["Retry-After"]))
            else:
                wrong.append(f"{response.status} {text[:300]!r}")

    started = time.perf_counter()
    threads = [threading.Thread(target=call, args=[hosts[number % len(hosts)]]) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - started, "times": times, "statuses": dict(statuses), "wrong": wrong}


def _warm_up(host: str, bodies: list[bytes], heads: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
    for body in bodies[:8]:
        connection.request("POST", "/v1/diagnoses", body, heads)
        connection.getresponse().read()
    connection.close()


def _body(data: bytes, boundary: str) -> bytes:
    def part(name: str, more: str, value: bytes) -> bytes:
        return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"

    words = json.dumps({"note": NOTE}).encode()
    return part("images", '; filename="p.jpg"', data) + part("request", "", words) + f"--{boundary}--\r\n".encode()


def _pipeline_alone(home: Path, seconds: float, clients: int) -> dict[str, Any]:
    service = open_service(home, load_settings(home, configuration="embedded"))
    try:
        return asyncio.run(_consulting(service, seconds, clients))
    finally:
        service.close()


async def _consulting(service: Service, seconds: float, clients: int) -> dict[str, Any]:
    files, numbers, times = _files(), count(), []
    decoders = anyio.CapacityLimiter(service.settings.workers)  # as the API bounds them

    async def ask(data: bytes) -> None:
        picture = await anyio.to_thread.run_sync(service.admit, data, limiter=decoders)
        await service.pipeline.diagnose(Consultation((picture,), NOTE))

    for data in files[:8]:
        await ask(data)
    deadline = time.perf_counter() + seconds

    async def client() -> None:
        while (started := time.perf_counter()) < deadline:
            await ask(files[next(numbers) % len(files)])
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(clients):
            group.start_soon(client)
    return {"seconds": time.perf_counter() - started, "times": times, "statuses": {}, "wrong": []}


# --- the server ----------------------------------------------------------------------------------------------------------


@contextmanager
def _server(home: Path, log: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "runtime", "--home", str(home), "serve", "--port", "0"]
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=PROJECT, stderr=told)
    try:
        url = _url(process, log)
        while httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code != 200:
            time.sleep(0.2)
        yield url, process
    finally:
        process.terminate()
        process.wait(30)


def _url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    while process.poll() is None:
        lines = log.read_text("utf-8", "replace")
        if "running on " in lines:
            return lines.partition("running on ")[2].split()[0]
        time.sleep(0.05)
    raise RuntimeError(log.read_text("utf-8", "replace"))


def _memory_mb(pid: int) -> float:
    line = next(one for one in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
