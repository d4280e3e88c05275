"""The HTTP application of one service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TypeVar

import anyio
import anyio.to_thread
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import ASGIMiddleware
from litestar.types import ControllerRouterHandler

from api.actors import acting
from api.audit import list_audit
from api.auth import cookie_name
from api.backend import Backend
from api.cases import get_case, get_case_picture
from api.cds_hooks import answer_cds_hook, list_cds_services
from api.counterfactuals import diagnose_counterfactually
from api.datasets import ROUTES as DATASETS
from api.diagnoses import diagnose
from api.documents import FULL_SIZE_PDFS, add_documents, delete_document, get_document, list_documents
from api.door import Door, EveryRouteSaysItsRole
from api.draining import Draining
from api.guard import OwnNames, add_hsts, add_security_headers
from api.health import Readiness, live, ready
from api.jobs import cancel_job, follow_job, get_job, list_jobs, retry_job
from api.limits import Count, Rate, Turns
from api.metrics import Metrics, metrics
from api.openapi import openapi_config
from api.pages import get_document_file, get_page, get_page_image
from api.problems import HANDLERS
from api.search import search, search_by_picture
from api.sessions import SIGN_INS_PER_MINUTE, sign_in, sign_out
from api.tracing import Tracing
from api.versions import (
    approve_version,
    compare_versions,
    delete_version,
    describe_version,
    find_places,
    list_passages,
    retire_version,
)
from api.watching import Watchers, watch
from api.web import ROUTES as PAGES
from inference.observing import Observers
from inference.types import MAX_PICTURES
from runtime.service import Service

T = TypeVar("T")

MEGABYTE = 1_000_000
WORDS = MEGABYTE  # what the JSON of a request may take, alone or beside files
MAX_PARTS = 32  # of a form; the longest has 20 files and three words about them
JOB_PATIENCE_S = 5.0  # for the file at hand when the process ends


def create_app(service: Service, draining: Draining | None = None, *, keyless: bool = True) -> Litestar:
    """The application. It closes `service` when it ends.

    Answers under loopback names and that of `public_url` (api.guard), to whom each route serves (api.auth). While the home
    has no keys it serves everybody, but for a `public_url` or without `keyless`: then nobody.
    """
    watchers = _watchers(service, draining)
    readiness, backend = Readiness(service, lambda: watchers.draining.begun), Backend(service)
    settings = service.settings
    turns = Turns(settings.answers, settings.answers_waiting, settings.answer_seconds)
    watchers.metrics.watch(backend, readiness, turns)
    public_url = settings.public_url
    cookie = cookie_name(public_url)
    app = Litestar(
        route_handlers=_routes(service),
        dependencies={
            "backend": _always(backend),
            "readiness": _always(readiness),
            "numbers": _always(watchers.metrics),
            "actor": Provide(acting),
            "sign_ins": _always(Rate(SIGN_INS_PER_MINUTE, partial(_shared, service, "sign-in"))),
        },
        lifespan=[_lifespan(backend, readiness, watchers.tracing)],
        middleware=_middleware(service, cookie, turns, keyless=keyless and public_url is None),
        before_send=[add_security_headers, add_hsts] if public_url else [add_security_headers],
        exception_handlers=HANDLERS,
        openapi_config=openapi_config(version("dermacite"), cookie),
        plugins=[EveryRouteSaysItsRole()],
        request_max_body_size=WORDS,
        multipart_form_part_limit=MAX_PARTS,
        logging_config=None,  # Litestar would log tracebacks, which can hold what a caller sent
        debug=False,  # whatever LITESTAR_DEBUG says
    )
    watch(app, watchers)
    return app


def _middleware(service: Service, cookie: str, turns: Turns, *, keyless: bool) -> list[ASGIMiddleware]:
    """What a request passes on its way to a route, in this order."""
    settings = service.settings
    door = Door(
        lambda: service.keys,
        cookie,
        Rate(settings.requests_per_minute, partial(_shared, service, "request")),
        keyless=keyless,
    )
    return [OwnNames(settings.public_url), door, turns]


def _shared(service: Service, what: str) -> Count | None:
    """Where requests are counted for all processes, if the registry is on a server. Each kind has a count of its own."""
    rates = service.registry.rates if service.settings.registry_url is not None else None
    return None if rates is None else lambda whose, most: rates.spend(f"{what} {whose}", most)


def _watchers(service: Service, draining: Draining | None) -> Watchers:
    """Who looks on, and is told of every consultation. Raises SettingsRefused where traces cannot be sent."""
    metrics, tracing = Metrics(service), Tracing(service.settings.otlp_endpoint)
    service.observer = Observers((metrics, tracing))
    return Watchers(draining or Draining(service.settings.drain_seconds), metrics, tracing)


def _routes(service: Service) -> list[ControllerRouterHandler]:
    """Every route, in groups by how large a body may be."""
    settings = service.settings
    picture = settings.picture_megabytes * MEGABYTE + WORDS
    pictures = MAX_PICTURES * settings.picture_megabytes * MEGABYTE + WORDS
    uploads = FULL_SIZE_PDFS * settings.pdf_megabytes * MEGABYTE + WORDS
    return [
        Router("/", route_handlers=[diagnose, diagnose_counterfactually], request_max_body_size=pictures),
        Router("/", route_handlers=[answer_cds_hook], request_max_body_size=pictures * 4 // 3),  # in base64
        Router("/", route_handlers=[search_by_picture], request_max_body_size=picture),
        Router("/", route_handlers=[add_documents], request_max_body_size=uploads),
        search, list_documents, get_document, delete_document, get_page, get_page_image, get_document_file,
        approve_version, retire_version, describe_version, delete_version, list_passages, compare_versions, find_places,
        list_jobs, get_job, follow_job, cancel_job, retry_job, list_audit, get_case, get_case_picture, *DATASETS,
        list_cds_services, live, ready, metrics, sign_in, sign_out, *PAGES,
    ]  # fmt: skip


def _lifespan(
    backend: Backend, readiness: Readiness, tracing: Tracing
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        # Warming up goes on beside the first requests: a service with an encoder missing must be able to say so.
        try:
            backend.worker.start()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(readiness.warm_up)
                yield
                tasks.cancel_scope.cancel()  # a probe of a slow model must not hold up the end
        finally:
            with anyio.CancelScope(shield=True):
                await backend.service.close_models()
                await anyio.to_thread.run_sync(_close, backend)
                await anyio.to_thread.run_sync(tracing.close)

    return lifespan


def _close(backend: Backend) -> None:
    # A job that does not end in time goes on with the next start: its files are stored, and its lock dies with us.
    backend.worker.stop(JOB_PATIENCE_S)
    backend.service.close()


def _always(value: T) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)
