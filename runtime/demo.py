"""The whole way once, as a newcomer would go it: `python -m runtime.demo [--home DIR]` (or `make demo`).

Builds a knowledge base from the sample corpus, starts `dermacite serve`, asks the server and the pipeline for the same
diagnosis, and prints the answer with what everything cost.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from inference.types import Answer, Consultation
from runtime import printing
from runtime.building import PROJECT
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.errors import RuntimeRefused
from runtime.service import Service, open_service
from runtime.settings import default_home, load_settings

SAMPLE = PROJECT / "corpora" / "sample"
CONSULTATIONS = SAMPLE / "consultations"
READY_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Served:
    """What the started server showed of itself."""

    ready_s: float
    warm_ms: float
    resident_mb: float
    outcome: dict[str, Any]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of the knowledge base")
    home: Path = parser.parse_args().home
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started = time.perf_counter()
    service = open_service(home, load_settings(home, configuration="embedded"))
    try:
        _refuse_foreign_content(service)
        _say(f"Knowledge base in {home}")
        _ingest(service)
        case = json.loads((CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines()[0])
        picture = CONSULTATIONS / str(case["picture"])
        _say(f"Asking about {picture.relative_to(PROJECT)} with the note: {case['note']}")
        answer, cold_ms, warm_ms = _ask(service, picture, case)
        served = _ask_server(home, picture, case)
    finally:
        service.close()
    _say("")
    _say(
        f"demo {time.perf_counter() - started:.1f} s   first diagnosis {cold_ms:.0f} ms   warm {warm_ms:.0f} ms   "
        f"over HTTP {served.warm_ms:.0f} ms   server ready {served.ready_s:.1f} s   server memory {served.resident_mb:.0f} MB"
    )
    same = served.outcome == _comparable(json.loads(printing.as_json(answer)))
    _say(f"the server gives {'the same answer' if same else 'ANOTHER ANSWER'}; try it: dermacite serve")
    _say("")
    _say("\n".join(printing.answer_lines(answer)))
    if not same:
        sys.exit(1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _refuse_foreign_content(service: Service) -> None:
    """Sample evidence must not be mixed with real evidence."""
    datasets = service.registry.datasets.names()
    publishers = {document.source.publisher for document in service.registry.documents()}
    if not datasets <= {"sample"} or not publishers <= {"Dermacite project"}:
        raise RuntimeRefused(
            "this home holds other evidence than the sample. Name an empty one: make demo HOME_DIR=/some/folder"
        )


def _ingest(service: Service) -> None:
    curator = Curator(service, actor="demo")
    cases = curator.ingest_cases(SAMPLE / "cases", "sample")
    documents = curator.ingest_documents(uploads_of(SAMPLE))
    for name, outcomes in (("cases", cases), ("documents", documents)):
        totals = ", ".join(f"{number} {state}" for state, number in printing.totals(outcomes).items() if number)
        _say(f"  {name}: {totals}")


def _ask(service: Service, picture: Path, case: dict[str, Any]) -> tuple[Answer, float, float]:
    """The answer, and milliseconds of the first and of the second time."""
    admitted = service.admit(picture.read_bytes())
    consultation = Consultation((admitted,), case["note"], case["age"], case["sex"], case["body_site"])
    times = []
    for _ in range(2):
        started = time.perf_counter()
        answer = asyncio.run(service.pipeline.diagnose(consultation))
        times.append((time.perf_counter() - started) * 1000)
    return answer, times[0], times[1]


def _ask_server(home: Path, picture: Path, case: dict[str, Any]) -> Served:
    request = {name: case[name] for name in ("note", "age", "sex", "body_site")}
    port = _free_port()
    started = time.perf_counter()
    with _server(home, port) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        _wait_until_ready(client, process)
        ready_s = time.perf_counter() - started
        for _ in range(2):
            started = time.perf_counter()
            files = {"images": ("picture.jpg", picture.read_bytes(), "image/jpeg")}
            response = client.post("/v1/diagnoses", files=files, data={"request": json.dumps(request)})
            warm_ms = (time.perf_counter() - started) * 1000
        response.raise_for_status()
        return Served(ready_s, warm_ms, _resident_mb(process.pid), _comparable(response.json()))


@contextmanager
def _server(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server process of its own; what it logged is shown only when it did not become ready."""
    command = [sys.executable, "-m", "runtime", "--home", str(home), "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            yield process
        except RuntimeRefused:
            log.seek(0)
            sys.stderr.buffer.write(log.read())
            raise
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise RuntimeRefused("the server did not become ready; see why: dermacite serve")


def _comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without its timings, the only part that may differ."""
    return {**answer, "trace": {**answer["trace"], "timings_ms": {}}}


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


if __name__ == "__main__":
    try:
        main()
    except RuntimeRefused as refused:
        sys.exit(f"Refused: {refused}")
