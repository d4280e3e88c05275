"""Is the process alive, and can its answers be trusted? Readiness proves every leg of retrieval on known items, and every
served model by a token it generates."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import numpy as np
from litestar import Response, get
from litestar.di import NamedDependency

from api.auth import EVERYBODY
from api.openapi import example, problems
from api.problems import ROOTS
from api.replies import Alive, Ready
from inference.concurrent import all_of
from inference.engines.errors import EngineError
from inference.engines.replica import Standing
from inference.served import ServedModel
from retrieval.canary import LegCheck, check_legs
from runtime.keys import Role
from runtime.service import Service

_log = logging.getLogger("dermacite.api")

FRESH_S = 10.0  # a proof holds so long, as long as nothing changed
_FILL = {
    "picture": "no reference cases yet; run: dermacite ingest cases FOLDER",
    "passage": "no guidelines yet; run: dermacite ingest documents FILE...",
    "caption": "no reference case has a caption",
}


@dataclass(frozen=True, slots=True)
class _Proof:
    """An answer, what it was about, and when (monotonic seconds)."""

    ready: Ready
    about: tuple[int, Path | None] | None
    at: float


class Readiness:
    """Answers probes. Probes that wait for each other share one proof."""

    def __init__(self, service: Service, ends: Callable[[], bool] = lambda: False) -> None:
        """`ends` says whether the server takes no new work any more."""
        self._service = service
        self._ends = ends
        self._lock = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(1)
        self._warm = False
        self._proof: _Proof | None = None

    async def warm_up(self) -> None:
        """Load everything and use it once, so that the first caller does not wait. What fails is told by `probe`."""
        try:
            self._proof = await self._with_models(await anyio.to_thread.run_sync(self._use_once, limiter=self._limiter))
        except Exception as error:
            # The service must come up all the same: only then can a probe, which will meet it again, answer at all.
            _log.error("warming up failed: %s", type(error).__qualname__)
        finally:
            self._warm = True

    async def probe(self) -> Ready:
        """Whether answers can be trusted now."""
        if self._ends():
            return Ready(False, problem="the server is ending; ask another")
        if not self._warm:
            return Ready(False, problem="still warming up; ask again in a few seconds")
        arrived = time.monotonic()
        async with self._lock:
            if self._proof is None or self._proof.at < arrived:
                proof = await anyio.to_thread.run_sync(self._prove, self._proof, limiter=self._limiter)
                self._proof = proof if proof is self._proof else await self._with_models(proof)
            return self._proof.ready

    @property
    def was_ready(self) -> bool:
        """What the last probe found, without another one."""
        return not self._ends() and self._proof is not None and self._proof.ready.ready

    async def _with_models(self, proof: _Proof) -> _Proof:
        """The proof, with a real generation of every served model: a server's own health page may outlive its engine."""
        if proof.about is None:
            return proof
        models = self._service.pipeline.models.all
        checks = await all_of([partial(_generates, model) for model in models])
        dead = [f"{one.leg}: {one.detail}" for one in checks if not one.alive]
        ready = proof.ready
        problem = "; ".join(filter(None, (ready.problem, *dead))) or None
        # A replica that is out is told and fails nothing: the others serve, or the model itself is dead.
        replicas = [leg for model in models for leg in _replicas(model)]
        return replace(proof, ready=Ready(ready.ready and not dead, (*ready.checks, *checks, *replicas), problem))

    def _use_once(self) -> _Proof:
        proof = self._prove(None)
        if proof.about is not None:
            # An empty knowledge base had nothing to encode.
            encoders = self._service.encoders
            encoders.pictures.encode_images([np.full((224, 224, 3), 128, dtype=np.uint8)])
            for encoder in (encoders.captions, encoders.passages):
                encoder.encode_queries(["warm-up"])
        return proof

    def _prove(self, last: _Proof | None) -> _Proof:
        try:
            service = self._service
            service.must_be_current()
            service.follow()
            _ = service.pipeline, service.lookup
            view = service.reader.view()
            about = (view.corpus_generation, view.generation)
            if last and last.ready.ready and last.about == about and time.monotonic() - last.at < FRESH_S:
                return last
            checks = check_legs(view, service.encoders, service.registry, service.stored_pixels)
            return _Proof(_judged(checks), about, time.monotonic())
        except ROOTS as error:
            return _Proof(Ready(False, problem=str(error)), None, time.monotonic())


async def _generates(model: ServedModel) -> LegCheck:
    leg = f"model {model.profile.name}"
    try:
        return LegCheck(leg, True, f"generated a token in {await model.engine.probe():.2f} s")
    except EngineError as error:
        return LegCheck(leg, False, str(error))


def _replicas(model: ServedModel) -> Iterator[LegCheck]:
    for one in model.replicas:
        yield LegCheck(f"model {model.profile.name}, replica {one.name}", one.standing is Standing.IN, one.told)


def _judged(checks: tuple[LegCheck, ...]) -> Ready:
    """Ready when no leg is dead and there are cases and passages; captions may be missing."""
    told = tuple(_with_command(check) for check in checks)
    wrong = [f"{one.leg}: {one.detail}" for one in told if one.alive is False or _must_be_filled(one)]
    return Ready(not wrong, told, "; ".join(wrong) or None)


def _with_command(check: LegCheck) -> LegCheck:
    return check if check.alive is not None else replace(check, detail=_FILL[check.leg.split()[0]])


def _must_be_filled(check: LegCheck) -> bool:
    return check.alive is None and not check.leg.startswith("caption")


@get(
    "/health/live", role=EVERYBODY, operation_id="live", summary="Is the process alive?", tags=["health"],
    responses={200: example(Alive, {"alive": True}), **problems(everybody=True)},
)  # fmt: skip
async def live() -> Alive:
    """Answers as long as the process runs; touches nothing."""
    return Alive()


READY = {"ready": True, "checks": [{"leg": "picture", "alive": True, "detail": "recognised 2 known items"}]}
NOT_READY = {
    "ready": False,
    "checks": [{"leg": "picture", "alive": None, "detail": _FILL["picture"]}],
    "problem": f"picture: {_FILL['picture']}",
}


@get(
    "/health/ready", role=Role.READER, rated=False, operation_id="ready", summary="Can answers be trusted?", tags=["health"],
    responses={200: example(Ready, READY), 503: example(Ready, NOT_READY, "Not ready, and why"), **problems()},
)  # fmt: skip
async def ready(readiness: NamedDependency[Readiness]) -> Response[Ready]:
    """Every leg must recognise known items and tell items apart, and every served model generate; else 503 with what mends
    it. A leg "model ..., replica ..." that is not alive is told, and no 503 while another replica serves."""
    state = await readiness.probe()
    return Response(state, status_code=200 if state.ready else 503)
