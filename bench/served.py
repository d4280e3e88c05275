"""What the pipeline adds to a served model: 64 consultations at once 8, beside the same server called directly.

    make vllm-env && python -m bench.served [--rounds 3]

A real vLLM server on the processor serves a small random Qwen3-VL. Each consultation asks stage 2 with three references
(one constrained answer, a score for each of ten labels) and stage 3. The direct side sends the very same bodies, made
beforehand, in the same order with a bare HTTP client: it decodes, retrieves, encodes and verifies nothing. Both sides
run warm and take turns; server, client and retrieval share the same cores, which is harder on the pipeline than a
server on a card of its own would be.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx

from inference.engines import ChatRequest, Completion, LabelScore
from inference.engines import openai_wire as wire
from inference.types import Consultation
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.demo import SAMPLE
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.vllm.server import MODEL, VllmServer
from tests.vllm.tiny_checkpoint import write_checkpoint

CONSULTATIONS = 64
AT_ONCE = 8


@dataclass(slots=True)
class Sent:
    """What one consultation sends: its answer and report, and the scores between them."""

    answers: list[dict[str, Any]]
    scores: list[dict[str, Any]]


class Recorder:
    """Passes everything on and keeps the bodies."""

    def __init__(self, engine: Any, sent: Sent) -> None:
        self._engine, self._sent = engine, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def complete(self, request: ChatRequest) -> Completion:
        self._sent.answers.append(wire.body(request))
        answer: Completion = await self._engine.complete(request)
        return answer

    def stream(self, request: ChatRequest) -> Any:
        self._sent.answers.append({**wire.body(request), "stream": True})
        return self._engine.stream(request)

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        self._sent.scores += wire.scoring_bodies(request, continuations)
        scores: tuple[LabelScore, ...] = await self._engine.score(request, continuations)
        return scores


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        server = VllmServer(write_checkpoint(Path(folder) / "checkpoint"), Path(folder) / "server.log")
        service = _service(Path(folder) / "home", server.url)
        try:
            server.start()
            asyncio.run(_measure(service, server.url, rounds))
        finally:
            service.close()
            server.stop()


def _service(home: Path, url: str) -> Service:
    how = {"url": url, "model": MODEL, "concurrent": AT_ONCE, "waiting": 2 * CONSULTATIONS}
    settings = load_settings(
        home, classifier="hikari-sirius", reporter="hikari-vega", label_mass_floor=0.0, probability_floor=0.0,
        models={"hikari-sirius": how, "hikari-vega": how},
    )  # fmt: skip
    service = open_service(home, settings)
    curator = Curator(service)
    curator.ingest_cases(SAMPLE / "cases", "sample")
    curator.ingest_documents(uploads_of(SAMPLE))
    return service


async def _measure(service: Service, url: str, rounds: int) -> None:
    pictures = sorted((SAMPLE / "cases" / "pictures").glob("*.jpg"))[:CONSULTATIONS]
    consultations = [Consultation((service.admit(file.read_bytes()),), "itchy scaly plaques") for file in pictures]
    sent = await _recorded(service, consultations)
    pipeline = service.pipeline
    # The server closes idle connections after 5 s; one that it closes while we send would fail.
    limits = httpx.Limits(max_connections=None, keepalive_expiry=1.0)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as client:

        async def through(number: int) -> None:
            await pipeline.diagnose(consultations[number])

        async def direct(number: int) -> None:
            await _replay(client, sent[number])

        figures: dict[str, list[float]] = {"direct": [], "pipeline": []}
        spent: dict[str, list[float]] = {"direct": [], "pipeline": []}
        for number in range(rounds):
            for name, work in {"direct": direct, "pipeline": through}.items():
                before = time.process_time()
                figures[name].append(await _throughput(work))
                spent[name].append(1e3 * (time.process_time() - before) / CONSULTATIONS)
            said = ", ".join(f"{name} {values[-1]:.3f}/s" for name, values in figures.items())
            print(f"round {number + 1}: {said}", flush=True)
    await service.close_models()
    requests = statistics.mean(len(one.answers) + len(one.scores) for one in sent)
    print(f"{CONSULTATIONS} consultations, {AT_ONCE} at once, {requests:.0f} requests each, {rounds} rounds")
    for name, values in figures.items():
        print(
            f"{name:<9} median {statistics.median(values):.2f} consultations/s  ({min(values):.2f} to {max(values):.2f}), "
            f"{statistics.median(spent[name]):.0f} ms of processor time each on this side"
        )
    ratio = statistics.median(p / d for p, d in zip(figures["pipeline"], figures["direct"], strict=True))
    print(f"pipeline / direct: {ratio:.3f} (median of the rounds)")


async def _recorded(service: Service, consultations: Sequence[Consultation]) -> list[Sent]:
    """What each consultation sends. Warms the pipeline and the server up as well."""
    pipeline, models = service.pipeline, service.pipeline.models
    recorded = [Sent([], []) for _ in consultations]

    async def ask(number: int) -> None:
        sent = recorded[number]
        watched = replace(
            models,
            disease=replace(models.disease, engine=Recorder(models.disease.engine, sent)),  # type: ignore[union-attr, type-var]
            report=replace(models.report, engine=Recorder(models.report.engine, sent)),  # type: ignore[union-attr, type-var]
        )
        await pipeline.asking(watched).diagnose(consultations[number])

    print(f"recording: {await _throughput(ask):.3f}/s", flush=True)
    return recorded


async def _replay(client: httpx.AsyncClient, sent: Sent) -> None:
    """The same requests in the same order: the answer, its scores at once, the report as a stream."""
    await _send(client, sent.answers[0])
    async with anyio.create_task_group() as group:
        for body in sent.scores:
            group.start_soon(_send, client, body)
    for body in sent.answers[1:]:
        await _send(client, body)


async def _send(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """One request, read to its end; once more where the server had just closed an idle connection."""
    for last in (False, True):
        try:
            async with client.stream("POST", "/chat/completions", json=body) as response:
                response.raise_for_status()
                async for _ in response.aiter_bytes():
                    pass
            return
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if last:
                raise


async def _throughput(work: Callable[[int], Awaitable[None]]) -> float:
    """Consultations a second, AT_ONCE of them at a time."""
    numbers = iter(range(CONSULTATIONS))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(worker)
    return CONSULTATIONS / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
