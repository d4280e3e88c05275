"""The one writer of a home: its lock, the index it leaves behind, and what it removes when nothing points at it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.registry import Registry
from knowledge.registry.audit import UNKNOWN_ACTOR
from retrieval.embeddings import text_key
from runtime.building import build_in_child
from runtime.engines import Engine, Here
from runtime.home import PATIENCE_S
from runtime.service import Service


def keys_in_use(registry: Registry) -> set[str]:
    """What evidence is remembered by in an embedding store."""
    keys = {text_key(text) for _, text in registry.passage_texts()}
    keys.update(map(text_key, registry.draft_texts()))
    for _, picture, caption in registry.case_captions():
        keys.update((picture, text_key(caption)))
    return keys


class Writer:
    """The writing side of a service, in the name of `actor`.

    `waiting` is told when another writer is at work; WriterBusy is raised after `patience_s` seconds of waiting, and
    EncodersSwitched when the service is of encoders that the home no longer serves.
    """

    def __init__(
        self, service: Service, waiting: Callable[[], None] | None = None, *, patience_s: float = PATIENCE_S,
        actor: str = UNKNOWN_ACTOR, engine: Engine = Here(),
    ) -> None:  # fmt: skip
        self.service = service
        self.actor = actor
        self.engine = engine  # does what is costly
        self._waiting = waiting
        self._patience_s = patience_s

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer."""
        with self.service.locks.writing(self._waiting, patience_s=self._patience_s):
            # What an outdated service would take in lacks vectors of the encoders that serve.
            self.service.must_be_current()
            yield

    def merge_if_due(self) -> None:
        """Build a new generation where enough came since the last one, or there is none."""
        service = self.service
        with self.writing():
            if (left := service.index.finished()) is not None:
                service.index.publish(left)
            since = service.index.corpus_generation()
            if since is None or service.registry.changes_since(since) > service.settings.merge_above:
                self.build()

    def build(self, *, keep_previous: bool = True) -> Path:
        """Build a generation of what is registered and switch to it. The caller is the writer."""
        aside = build_in_child(self.service)
        self.service.registry.confirm_locks()
        return self.service.index.publish(aside, keep_previous=keep_previous)

    def sweep(self) -> int:
        """Remove stored files and vectors that nothing points at (an ingest or a deletion was killed).

        Returns the number of files. The caller is the writer.
        """
        service = self.service
        orphans = self.drop_files(service.blobs.digests())
        with service.locks.files():
            service.blobs.sweep_unfinished()
        service.embeddings.delete(service.embeddings.keys() - self.keys_in_use())
        service.index.sweep_unfinished()
        return orphans

    def keys_in_use(self) -> set[str]:
        """What evidence is remembered by in the embedding store."""
        return keys_in_use(self.service.registry)

    def drop_files(self, digests: Iterable[str]) -> int:
        """Remove those of these stored files that nothing points at; returns how many."""
        with self.service.locks.files():
            return self.drop_held_files(digests)

    def drop_held_files(self, digests: Iterable[str]) -> int:
        """The same for a caller who holds the files (`Home.files`)."""
        used = self.service.registry.blobs_in_use()
        self.service.registry.confirm_locks()
        return self.service.blobs.delete_unused(digests, used)
