"""Where the truth of a home is: in its folder, or on the PostgreSQL server that the setting `registry_url` names."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from knowledge.registry import LockSessions, LockTaken, Registry
from retrieval.embeddings import EmbeddingStore
from runtime.errors import SettingsRefused
from runtime.extras import EXTRAS, install_command
from runtime.home import PATIENCE_S, Home, JobTaken, Locks, busy
from runtime.settings import Settings


def open_registry(home: Home, settings: Settings) -> Registry:
    """Made where it is not there. Raises StorageFailed, and SettingsRefused where its driver is not installed."""
    if settings.registry_url is None:
        return Registry.in_folder(home.registry)
    return open_server(settings.registry_url.get_secret_value(), settings.registry_connections)


def open_server(url: str, connections: int) -> Registry:
    """The registry of a server. Raises StorageFailed, and SettingsRefused where its driver is not installed."""
    if not EXTRAS["cluster"].is_installed:
        raise SettingsRefused(f"registry_url names a PostgreSQL server, which needs: {install_command('cluster')}")
    return Registry(url, connections)


def schema_of(home: Home, settings: Settings) -> str | None:
    """The schema that the registry has; None where it is not made yet. Changes nothing. Raises StorageFailed."""
    if settings.registry_url is None:
        return Registry.schema_in(home.registry)
    return Registry.schema_at(settings.registry_url.get_secret_value())


def embeddings_of(home: Home, registry: Registry) -> EmbeddingStore:
    """Of one host in a file; of several on the server, since each needs the vectors of what came after the last index."""
    return EmbeddingStore(registry.vectors or home.embeddings)


def locks_of(home: Home, registry: Registry) -> Locks:
    """Files of the home, or sessions of the server."""
    return home if registry.locks is None else ServerLocks(registry.locks)


class ServerLocks:
    """The locks of all hosts. What a thread writes while it holds one is refused once its session has ended."""

    def __init__(self, sessions: LockSessions) -> None:
        self._sessions = sessions

    def files(self) -> AbstractContextManager[None]:
        """See Locks."""
        return self._sessions.held("files")

    @contextmanager
    def working_on(self, job_id: str, *, wait: bool = True) -> Iterator[None]:
        """See Locks."""
        with _refused_by(JobTaken()), self._sessions.held(f"job {job_id}", None if wait else 0):
            yield

    @contextmanager
    def writing(self, waiting: Callable[[], None] | None = None, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """See Locks."""
        with _refused_by(busy(patience_s)), self._sessions.held("writer", patience_s, waiting):
            yield


@contextmanager
def _refused_by(refusal: Exception) -> Iterator[None]:
    try:
        yield
    except LockTaken as error:
        raise refusal from error
