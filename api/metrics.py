"""What Prometheus reads at /metrics. No content, and no label whose values a caller can invent."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.backend import Backend
from api.health import Readiness
from api.limits import Turns
from api.openapi import problems, text
from inference.engines.errors import EngineError
from inference.engines.replica import ReplicaState, Standing
from knowledge.errors import KnowledgeError
from knowledge.registry.jobs import JobState
from retrieval.errors import RetrievalError
from runtime.errors import RuntimeRefused
from runtime.keys import Role
from runtime.service import Service

# Seconds: from a look-up to a consultation with three served models.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
EXAMPLE = 'dermacite_requests_total{method="POST",route="/v1/diagnoses",status="200"} 12.0\n'


class Metrics:
    """The numbers of one application; counts what it is told of, and looks up the rest when it is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "dermacite_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "dermacite_request_seconds", "Time to the end of the answer.", ["method", "route"], buckets=BUCKETS,
            registry=registry,
        )  # fmt: skip
        self._running = Gauge("dermacite_requests_running", "Requests being answered.", registry=registry)
        self._consultations = Counter(
            "dermacite_consultations", "Consultations that ended: diagnosis, abstention, failed, left.",
            ["outcome", "reason"], registry=registry,
        )  # fmt: skip
        self._steps = Histogram(
            "dermacite_step_seconds",
            "Steps of consultations and searches.",
            ["step"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._failures = Counter(
            "dermacite_model_failures", "Steps that a served model failed.", ["profile", "reason"], registry=registry
        )
        Info("dermacite", "The version that runs.", registry=registry).info({"version": version("dermacite")})
        ProcessCollector(registry=registry)

    def watch(self, backend: Backend, readiness: Readiness, turns: Turns) -> None:
        """Look up the state of these whenever somebody asks."""
        self.registry.register(_State(backend, readiness, turns))

    @contextmanager
    def request_running(self) -> Iterator[None]:
        """A request is being answered."""
        with self._running.track_inprogress():
            yield

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a template, `method` one of a closed set."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def step(self, name: str, seconds: float, error: BaseException | None) -> None:
        """A step of a consultation ended."""
        self._steps.labels(name).observe(seconds)
        if isinstance(error, EngineError):
            self._failures.labels(self._profile_of(name), error.reason).inc()

    def ended(self, outcome: str, reason: str) -> None:
        """A consultation ended."""
        self._consultations.labels(outcome, reason).inc()

    def _profile_of(self, step: str) -> str:
        models = self._service.models
        asked = {"group": models.group, "disease": models.disease, "narrative": models.report}.get(step)
        return asked.profile.name if asked else "unknown"

    def told(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


_LABELS = ("profile", "replica")
# By host and port, as the settings name them: no caller invents one.
_OF_REPLICAS: tuple[
    tuple[Callable[[], GaugeMetricFamily | CounterMetricFamily], Callable[[ReplicaState], float]], ...
] = (
    (
        partial(GaugeMetricFamily, "dermacite_replica_up", "1 while the replica is asked.", labels=_LABELS),
        lambda one: one.standing is Standing.IN,
    ),
    (
        partial(GaugeMetricFamily, "dermacite_replica_requests_running", "Requests at work there.", labels=_LABELS),
        lambda one: one.in_flight,
    ),
    (
        partial(CounterMetricFamily, "dermacite_replica_requests", "Requests sent there.", labels=_LABELS),
        lambda one: one.requests,
    ),
    (
        partial(CounterMetricFamily, "dermacite_replica_failures", "Calls that failed there.", labels=_LABELS),
        lambda one: one.failures,
    ),
    (
        partial(CounterMetricFamily, "dermacite_replica_taken_out", "Times it was taken out.", labels=_LABELS),
        lambda one: one.taken_out,
    ),
)


class _State:
    """What is looked up when it is asked for. A part that cannot be looked up now is left out, not invented."""

    def __init__(self, backend: Backend, readiness: Readiness, turns: Turns) -> None:
        self._backend, self._readiness, self._turns = backend, readiness, turns

    def collect(self) -> Iterable[Metric]:
        """For Prometheus' library."""
        yield self._work()
        yield GaugeMetricFamily(
            "dermacite_ready", "1 when the last probe of readiness proved every leg.", int(self._readiness.was_ready)
        )
        for part in (self._replicas, self._jobs, self._generations, self._disk):
            try:
                yield from part()
            except (KnowledgeError, RetrievalError, RuntimeRefused, OSError):
                continue

    def _work(self) -> Metric:
        family = GaugeMetricFamily(
            "dermacite_work", "Work by kind; turns are of requests that compute an answer.", labels=["kind", "state"]
        )
        for kind, (running, waiting) in {**self._backend.load(), "turns": self._turns.load}.items():
            family.add_metric([kind, "running"], running)
            family.add_metric([kind, "waiting"], waiting)
        return family

    def _replicas(self) -> Iterator[Metric]:
        # Without a sample where no model has several servers.
        models = {model.profile.name: model.replicas for model in self._backend.service.models_in_use.all}
        for made, read in _OF_REPLICAS:
            family = made()
            for profile, replicas in models.items():
                for one in replicas:
                    family.add_metric([profile, one.name], read(one))
            yield family

    def _jobs(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("dermacite_jobs", "Jobs by state.", labels=["state"])
        for state in JobState:
            family.add_metric([str(state)], len(self._backend.service.registry.jobs.ids([state])))
        yield family

    def _generations(self) -> Iterator[Metric]:
        service = self._backend.service
        yield GaugeMetricFamily(
            "dermacite_corpus_generation", "Rises with every visible change of the evidence.",
            service.registry.corpus_generation(),
        )  # fmt: skip
        built = service.index.corpus_generation()
        if built is not None:
            yield GaugeMetricFamily(
                "dermacite_index_generation",
                "The corpus generation that the index holds; later changes lie beside it.",
                built,
            )
            yield GaugeMetricFamily(
                "dermacite_index_behind", "Changed items beside the index.", service.registry.changes_since(built)
            )

    def _disk(self) -> Iterator[Metric]:
        free = shutil.disk_usage(self._backend.service.home.root).free
        yield GaugeMetricFamily("dermacite_disk_free_bytes", "Free space where the home folder is.", free)


@get(
    "/metrics", role=Role.ADMIN, rated=False, operation_id="metrics", summary="Numbers for Prometheus", tags=["health"],
    media_type="text/plain",
    responses={200: text("text/plain", "Prometheus' text format, version 0.0.4", EXAMPLE), **problems()},
)  # fmt: skip
async def metrics(numbers: NamedDependency[Metrics], backend: NamedDependency[Backend]) -> Response[bytes]:
    """Requests, consultations by outcome, steps, work that waits, jobs, generations of evidence and index, disk, process."""
    return Response(await backend.read(numbers.told), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
