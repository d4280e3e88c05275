"""One index for many machines: the writer publishes its generations, every other worker follows.

Here a generation is published when the registry names it; the link `current` only says which one this machine has. A worker
that sees a new name serves the one it has, with everything since in memory, until the new one is fetched and verified: what
is searched is right all the time, and one answer uses one generation.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock

from knowledge.disk import put_on_disk
from knowledge.errors import KnowledgeError, NotFound
from knowledge.registry import Registry
from knowledge.registry.generations import Generations, Published
from retrieval.depot import REINDEX, Depot, size_of
from retrieval.errors import IndexBroken, RetrievalError
from retrieval.generation import MANIFEST, Manifest, damaged_files, discard
from retrieval.index import BUILDING, IndexFolder, entries

_log = logging.getLogger("dermacite.index")

FETCHING: Final = ".fetching-"
RETRY_S: Final = 10.0  # after a fetch that failed, before a request tries again


class SharedIndex(IndexFolder):
    """The generations of one set of encoders, followed. `drop_after_s` is how long a deleted one may serve on here."""

    def __init__(
        self, root: Path, fingerprints: Mapping[str, str], dimensions: Mapping[str, int], names: Mapping[str, str],
        *, depot: Callable[[str], Depot], generations: Generations, drop_after_s: float = 600.0,
    ) -> None:  # fmt: skip
        """`depot` is given the key of these encoders."""
        super().__init__(root, fingerprints, dimensions, names)
        self._depot = depot(self.folder.name)
        self._generations = generations
        self._drop_after_s = drop_after_s
        self.followed: threading.Event | None = None  # set to wake the thread that follows, where there is one
        self._behind_since: float | None = None  # monotonic seconds
        self._failed_at: float | None = None

    # --- reading ---------------------------------------------------------------------------------------------------

    def current(self) -> Path | None:
        """What is published, fetched where it is not here. Raises StorageFailed, IndexBroken, IndexTooLarge."""
        published = self.published()
        return None if published is None else self.fetch(published)

    def published(self) -> Published | None:
        """What serves, wherever it is."""
        return self._generations.published(self.folder.name)

    def corpus_generation(self) -> int | None:
        """That of what is published."""
        published = self.published()
        return None if published is None else _corpus_generation(published.name)

    def state(self, registry: Registry) -> tuple[Path | None, int]:
        """What this machine serves now, and the corpus generation. One query where it is what is published."""
        generation, published = registry.generations.serving(self.folder.name)
        if published is None:
            return None, generation
        final = self.folder / published.name
        if final.is_dir():
            self._behind_since = self._failed_at = None
            return final, generation
        return self._meanwhile(published), generation

    def _meanwhile(self, published: Published) -> Path:
        """What serves while the published one is not here."""
        here = super().current()
        if here is None or not (here / MANIFEST).exists():
            return self.fetch(published)  # nothing else can be served
        if self._overdue(published, here):
            raise IndexBroken(
                "the index that serves could not be fetched, and the earlier one holds what was deleted. Check the object "
                "storage: dermacite check"
            )
        if self.followed is not None:
            self.followed.set()
            return here
        if self._failed_at is not None and time.monotonic() - self._failed_at < RETRY_S:
            return here
        try:
            return self.fetch(published)
        except (KnowledgeError, RetrievalError) as error:
            self._failed_at = time.monotonic()
            _log.warning("the index that serves elsewhere is not here yet: %s", error)
            return here

    def give_up(self) -> None:
        """Let go of an earlier generation that a deletion replaced, where the new one could not be fetched for too long."""
        published, here = self.published(), super().current()
        if published is not None and here is not None:
            self._overdue(published, here)

    def _overdue(self, published: Published, here: Path) -> bool:
        now = time.monotonic()
        if self._behind_since is None:
            self._behind_since = now
        if here.name in published.names or now - self._behind_since <= self._drop_after_s:
            return False
        self._drop(frozenset())
        return True

    def fetch(self, published: Published) -> Path:
        """Make a published generation this machine's, and let go of what may not be kept."""
        final = self.folder / published.name
        if not final.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._fetching():
                if not final.is_dir():
                    final = self._fetched(published)
        self._switch_to(final)
        self._drop(published.names)
        return final

    def _fetched(self, published: Published) -> Path:
        aside = self.folder / f"{FETCHING}{published.name}"
        for other in self.folder.glob(f"{FETCHING}*"):
            if other != aside:
                shutil.rmtree(other, ignore_errors=True)
        here = super().current()
        self._drop({published.name, here.name if here else ""})
        kept = size_of(here) if here and here.is_dir() else 0
        aside.mkdir(exist_ok=True)
        try:
            self._depot.fetch(published.name, aside, kept, self.give_up)
        except NotFound as error:
            newer = self.published()
            if newer is not None and newer != published:  # it was replaced while we fetched it
                return self._fetched(newer)
            raise IndexBroken(f"the index that serves is not whole in the object storage. {REINDEX}") from error
        if dict(Manifest.read(aside).fingerprints) != self.fingerprints or damaged_files(aside):
            raise IndexBroken(f"the index in the object storage is damaged. {REINDEX}")
        final = self.folder / published.name
        aside.rename(final)
        put_on_disk(self.folder)
        return final

    @contextmanager
    def _fetching(self) -> Iterator[None]:
        """Several processes of one machine share its folder: one of them fetches."""
        with FileLock(self.folder / ".fetching.lock", thread_local=False, is_singleton=False):
            yield

    # --- writing ---------------------------------------------------------------------------------------------------

    def _switched(self, aside: Path, final: Path, keep_previous: bool) -> Path:
        before = self.published()
        self._depot.send(aside, final.name)
        new = Published(final.name, before.name if before and keep_previous else None)
        self._generations.publish(self.folder.name, new, before)
        self._settle(aside, final)
        self.sweep()
        try:
            self._depot.sweep(new.names)
        except KnowledgeError as error:  # it serves; what is left there goes with the next, and a receipt looks itself
            _log.warning("what an index replaced is still in the object storage: %s", error)
        return final

    def _settle(self, aside: Path, final: Path) -> None:
        """Give what was published its name here too; another process may have fetched it already."""
        with suppress(OSError):
            aside.rename(final)
        shutil.rmtree(aside, ignore_errors=True)
        put_on_disk(self.folder)
        self._switch_to(final)

    def finished(self) -> Path | None:
        """A whole build that a killed writer did not publish, newer than what serves. The caller is the writer."""
        self._settle_published()
        serving = self.corpus_generation() or -1
        for path in sorted(self.folder.glob(f"{BUILDING}*")):
            with suppress(IndexBroken):
                manifest = Manifest.read(path)
                fits = dict(manifest.fingerprints) == self.fingerprints and manifest.corpus_generation > serving
                if fits and not damaged_files(path):
                    return path
        return None

    def _settle_published(self) -> None:
        """A writer was killed after its generation was published: its build is no leftover, its vectors are in use."""
        published = self.published()
        for name in published.names if published else ():
            aside = self.folder / f"{BUILDING}{name.rpartition('-')[2]}"
            if aside.is_dir():
                self._settle(aside, self.folder / name)

    def sweep(self, keep: set[Path] | None = None) -> list[str]:
        """Remove unfinished builds, and generations of this machine that may not be kept."""
        self._settle_published()
        published = self.published()
        kept = {path.name for path in keep or ()} | (published.names if published else set())
        builds = [path for path in entries(self.folder) if path.name.startswith(BUILDING)]
        for path in builds:
            discard(path)
        return [path.name for path in builds] + self._drop(kept)

    def unfinished(self) -> list[str]:
        """Names of builds that were killed."""
        published = self.published()
        ours = {f"{BUILDING}{name.rpartition('-')[2]}" for name in (published.names if published else ())}
        return [name for name in super().unfinished() if name not in ours]

    def sweep_unfinished(self) -> None:
        """Remove them. The caller is the one writer."""
        self._settle_published()
        super().sweep_unfinished()

    def remove_others(self) -> None:
        """Remove the generations of all other encoders, here and in the storage."""
        self._generations.forget_others(self.folder.name)
        super().remove_others()
        published = self.published()
        self._depot.sweep(published.names if published else ())

    def holds(self, ids: Iterable[str]) -> bool:
        """Whether any generation lists one of `ids`, here or in the storage. What cannot be looked at may hold them."""
        wanted = set(ids)
        published = self.published()
        try:
            return super().holds(wanted) or self._depot.holds(wanted, published.name if published else "")
        except (KnowledgeError, ValueError):
            return True

    def kept_by_servers(self) -> bool:
        """Whether a Chroma server still has vectors of a generation that was removed."""
        folders = (self.folder, *self.others())
        paths = [path for folder in folders for path in entries(folder) if not path.name.startswith(FETCHING)]
        return any(not (path / MANIFEST).exists() for path in paths)

    # --- this machine's copies -------------------------------------------------------------------------------------

    def _switch_to(self, final: Path) -> None:
        if super().current() != final:
            self._link_to(final)

    def _drop(self, keep: Iterable[str]) -> list[str]:
        """Remove copies of other generations, also of encoders under which nothing serves; never a writer's build.

        What a Chroma server has belongs to everybody: only the writer takes it away.
        """
        kept = set(keep)
        gone = [path for path in entries(self.folder) if path.name.startswith("g") and path.name not in kept]
        if others := self.others():
            serving = self._generations.keys()
            foreign = (path for folder in others if folder.name not in serving for path in entries(folder))
            gone += [path for path in foreign if path.name.startswith("g")]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)
        return [path.name for path in gone]


def _corpus_generation(name: str) -> int:
    return int(name[1:].partition("-")[0])
