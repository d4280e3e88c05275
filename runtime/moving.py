"""The rows and vectors of a home that was made in a folder, on their way to the server that the settings name."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from knowledge.registry import Registry, RowsRefused
from retrieval.embeddings import EmbeddingStore
from retrieval.parcels import ROWS
from runtime.home import Home
from runtime.settings import Settings
from runtime.tarring import ArchiveFailed
from runtime.truth import open_registry
from runtime.writing import keys_in_use


@dataclass(frozen=True, slots=True)
class Move:
    """Rows that wait for their server."""

    registry: Registry
    folder: Path

    def rows(self) -> None:
        """Make them those of the server, in one step. Raises ArchiveFailed, StorageFailed."""
        try:
            self.registry.transfer.take_in(self.folder)
        except RowsRefused as error:
            raise ArchiveFailed(str(error)) from error


@contextmanager
def moving(aside: Path, settings: Settings, fingerprints: Iterable[str]) -> Iterator[Move | None]:
    """Bring the vectors of the home `aside` to the server and take its registry out of it; None where there is no server.

    Raises ArchiveFailed where the server holds something already, StorageFailed, EmbeddingsFailed.
    """
    if settings.registry_url is None:
        yield None
        return
    home = Home(aside)
    with closing(open_registry(home, settings)) as registry, tempfile.TemporaryDirectory(prefix="dermacite-") as folder:
        try:
            registry.transfer.refuse_unless_empty()
        except RowsRefused as error:
            raise ArchiveFailed(str(error)) from error
        rows = Path(folder) / "rows"
        rows.mkdir()
        with closing(Registry.in_folder(aside)) as here:
            keys = sorted(keys_in_use(here))
            for fingerprint in fingerprints:
                _copy(fingerprint, keys, EmbeddingStore(home.embeddings), registry)
            here.transfer.dump(rows)
        for file in (*aside.glob("registry.sqlite3*"), *aside.glob("embeddings.sqlite3*")):
            file.unlink()
        yield Move(registry, rows)


def _copy(fingerprint: str, keys: Sequence[str], here: EmbeddingStore, registry: Registry) -> None:
    if registry.vectors is None:
        return
    for start in range(0, len(keys), ROWS):
        registry.vectors.put(fingerprint, here.get_bytes(fingerprint, keys[start : start + ROWS]).items())
