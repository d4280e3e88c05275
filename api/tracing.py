"""OpenTelemetry traces, by setting: a span for each request and one for each step of a consultation.

They are sent as OTLP over HTTP. Of a request they hold its method, the template of its route and its status, of a step its
name and the class of its failure: nothing of what anybody sent or was answered.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING

from runtime.errors import SettingsRefused
from runtime.extras import EXTRAS, install_command

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_NANO = 1_000_000_000


class RequestSpan:
    """A request under way; without a span it forgets what it is told."""

    def __init__(self, span: "Span | None") -> None:
        self._span = span

    def tell(self, method: str, route: str, status: int) -> None:
        """What it was, known at its end."""
        if self._span is None:
            return
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)


class Tracing:
    """Sends spans to an OTLP receiver, or nowhere."""

    def __init__(self, endpoint: str | None) -> None:
        """`endpoint` as http://HOST:4318. Raises SettingsRefused where the packages are missing."""
        self._provider = _provider(endpoint) if endpoint else None
        self._tracer = self._provider.get_tracer("dermacite") if self._provider else None

    @contextmanager
    def request(self) -> Iterator[RequestSpan]:
        """A span around a request."""
        if self._tracer is None:
            yield RequestSpan(None)
            return
        from opentelemetry.trace import SpanKind

        # An exception's message can hold anything, so none is recorded.
        with self._tracer.start_as_current_span(
            "request", kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield RequestSpan(span)

    def step(self, name: str, seconds: float, error: BaseException | None) -> None:
        """A step that ended just now, within the request that this thread or task answers."""
        if self._tracer is None:
            return
        end = time.time_ns()
        attributes = {} if error is None else {"error.type": type(error).__qualname__}
        span = self._tracer.start_span(
            f"step {name}", start_time=end - int(seconds * _NANO), attributes=attributes, record_exception=False
        )
        span.end(end)

    def ended(self, outcome: str, reason: str) -> None:
        """A consultation ended; metrics count how."""

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._provider is not None:
            self._provider.shutdown()


def _provider(endpoint: str) -> "TracerProvider":
    if not EXTRAS["tracing"].is_installed:
        raise SettingsRefused(f"otlp_endpoint is set, and traces need more packages; run {install_command('tracing')}")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "dermacite", "service.version": version("dermacite")})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    return provider
