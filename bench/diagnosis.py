"""What a consultation costs on the sample corpus, and what ingest costs beside the bare encoders.

python -m bench.diagnosis
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from inference.types import Consultation
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.demo import CONSULTATIONS, SAMPLE
from runtime.service import Service, open_service
from runtime.settings import load_settings

ROUNDS = 40


def main() -> None:
    """Entry point."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        service = open_service(home, load_settings(home))
        try:
            print(f"command line, --help: {_seconds(_help):.2f} s")
            print(f"load both encoders: {_seconds(lambda: service.encoders):.1f} s")
            _ingest(service)
            _diagnose(service)
        finally:
            service.close()
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def _help() -> None:
    subprocess.run([sys.executable, "-m", "runtime", "--help"], check=True, stdout=subprocess.DEVNULL)


def _ingest(service: Service) -> None:
    curator = Curator(service)
    cases_s = _seconds(lambda: curator.ingest_cases(SAMPLE / "cases", "sample"))
    documents_s = _seconds(lambda: curator.ingest_documents(uploads_of(SAMPLE)))
    counts = service.registry.counts()
    pictures = [service.stored_pixels(picture) for _, picture, _ in service.registry.case_captions()]
    texts = [text for _, text in service.registry.passage_texts()]
    captions = [caption for *_, caption in service.registry.case_captions()]
    bare_cases_s = _seconds(lambda: service.encoders.pictures.encode_images(pictures)) + _seconds(
        lambda: service.encoders.captions.encode_documents(captions)
    )
    bare_documents_s = _seconds(lambda: service.encoders.passages.encode_documents(texts))
    print(
        f"ingest {counts['cases']} cases and build the first index: {cases_s:.1f} s (bare encoders {bare_cases_s:.1f} s)\n"
        f"ingest 3 documents, {counts['passages']} passages: {documents_s:.1f} s (bare encoder {bare_documents_s:.1f} s)"
    )


def _diagnose(service: Service) -> None:
    lines = (CONSULTATIONS / "consultations.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(line) for line in lines]
    consultations = [
        Consultation((service.admit((CONSULTATIONS / one["picture"]).read_bytes()),), one["note"]) for one in asked
    ]
    first = _seconds(partial(_answer, service, consultations[0]))
    rounds = (consultations[number % len(consultations)] for number in range(ROUNDS))
    times = sorted(_seconds(partial(_answer, service, consultation)) for consultation in rounds)
    p95 = times[int(0.95 * len(times))]
    print(
        f"diagnosis: first {first * 1000:.0f} ms, then p50 {statistics.median(times) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
    )


def _answer(service: Service, consultation: Consultation) -> None:
    asyncio.run(service.pipeline.diagnose(consultation))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
