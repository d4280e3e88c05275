"""A hundred callers upload twenty guidelines each at once, to a real server; every file must be acknowledged and come in.

    python -m bench.uploads [--texts corpus.jsonl] [--callers N] [--files N]

Uploads go in the background: what is measured is how long a caller waits for the acknowledgement, how long searches take while
the jobs are worked on, and how long until the last file is searchable. A tenth of the files are the same for all callers.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.ingest import pdf
from bench.material import real_sentences
from runtime.building import PROJECT

PATIENCE_S = 3_600.0
SAME = 10  # one file in so many is the same for every caller


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="a corpus.jsonl; without it, the sample guidelines")
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--files", type=int, default=20)
    given = parser.parse_args()
    sentences = real_sentences(given.texts)
    bodies = [_files(sentences, caller, given.files) for caller in range(given.callers)]
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (address, process):
        client = httpx.Client(base_url=address, timeout=PATIENCE_S)
        started = time.perf_counter()
        with ThreadPoolExecutor(given.callers) as callers:
            accepted = list(callers.map(lambda files: _upload(address, files), bodies))
        print(_line("acknowledged after", [seconds for _, seconds in accepted]), flush=True)
        ended = threading.Event()
        with ThreadPoolExecutor(1) as asker:
            searches = asker.submit(_searches, address, ended)
            jobs = [_ended(client, job) for job, _ in accepted]
            ended.set()
            print(_line("a search meanwhile", searches.result()))
        took = time.perf_counter() - started
        states = Counter(item["outcome"]["state"] for job in jobs for item in job["items"])
        print(f"all {given.callers * given.files} files after {took:.0f} s: {dict(states)}")
        documents = len(client.get("/v1/documents").json()["documents"])
        distinct = len({file for files in bodies for file in files})
        print(f"{documents} documents of {distinct} different files; the server has {_memory_mb(process.pid):.0f} MB")
        assert documents == distinct


def _files(sentences: Sequence[str], caller: int, count: int) -> list[bytes]:
    def seed(number: int) -> str:
        return f"all {number}" if number % SAME == 0 else f"{caller} {number}"

    return [pdf(random.Random(seed(number)), sentences, 2) for number in range(count)]


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    command = [sys.executable, "-m", "runtime", "--home", str(home), "serve", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, process_group=0)
    try:
        yield _address(process), process
    finally:
        process.terminate()
        process.wait()


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if "http://" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return "http://" + line.split("http://", 1)[1].split()[0]
    raise RuntimeError("the server did not start")


def _upload(address: str, files: Sequence[bytes]) -> tuple[str, float]:
    """The job's id, and the seconds until it was acknowledged."""
    parts = [("files", (f"{number}.pdf", file, "application/pdf")) for number, file in enumerate(files)]
    started = time.perf_counter()
    answer = httpx.post(f"{address}/v1/documents?background=true", files=parts, timeout=PATIENCE_S)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"], time.perf_counter() - started


def _ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as events:
        name = ""
        for line in events.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == "end":
                ended: dict[str, Any] = json.loads(line.removeprefix("data: "))
                assert ended["state"] == "done", ended["message"]
                return ended
    raise RuntimeError("the events ended before the job did")


def _searches(address: str, ended: threading.Event) -> list[float]:
    times = []
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        while not ended.is_set():
            started = time.perf_counter()
            client.post("/v1/search", json={"text": "treatment of plaques"}).raise_for_status()
            times.append(time.perf_counter() - started)
            time.sleep(0.2)
    return times


def _line(name: str, seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[int(0.95 * len(ordered))] if ordered else float("nan")
    return (
        f"{name}: p50 {statistics.median(ordered):.2f} s, p95 {p95:.2f} s, longest {ordered[-1]:.2f} s ({len(ordered)})"
    )


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
