"""Everything that writes: ingest, delete, rebuild. One writer at a time; readers never wait."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from knowledge.ingest import Progress
from knowledge.types import DocumentVersion, FileOutcome, Outcome, Source
from retrieval.embedder import Embedder
from retrieval.embeddings import text_key
from retrieval.errors import RetrievalError
from retrieval.generation import damaged_files
from runtime.errors import BuildFailed, SettingsRefused
from runtime.home import PATIENCE_S
from runtime.proof import prove
from runtime.service import Service
from runtime.settings import EncoderChoice, encoder_choices, where_named
from runtime.switching import Switched

PROJECT = Path(__file__).resolve().parent.parent

StepProgress = Callable[[str, int, int], None]  # (step, done, of)


@dataclass(frozen=True, slots=True)
class Upload:
    """One PDF to take in: the name to report it by, how to read its bytes, and what is known of its source."""

    name: str
    read: Callable[[], bytes]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed, and where absence was looked for and found afterwards."""

    document_id: str
    version_id: str
    passages: int
    absent_from: tuple[str, ...]


class Curator:
    """The writing side of a service.

    `waiting` is told when another writer is at work; WriterBusy is raised after `patience_s` seconds of waiting, and
    EncodersSwitched when the service is of encoders that the home no longer serves.
    """

    def __init__(
        self, service: Service, waiting: Callable[[], None] | None = None, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._service = service
        self._waiting = waiting
        self._patience_s = patience_s

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._service.home.writing(self._waiting, patience_s=self._patience_s):
            # What an outdated service would take in lacks vectors of the encoders that serve.
            self._service.must_be_current()
            yield

    @property
    def document_bytes(self) -> int:
        """How large a document may be."""
        return self._service.pdf_limits.bytes

    def ingest_documents(
        self, uploads: Iterable[Upload], done: Callable[[FileOutcome], None] | None = None
    ) -> list[FileOutcome]:
        """Take PDFs in; each is visible when its outcome is reported to `done`."""
        outcomes = []
        with self._writing():
            for upload in uploads:
                outcomes.append(self._take_in(upload))
                if done is not None:
                    done(outcomes[-1])
            self._merge_if_due()
        return outcomes

    def ingest_cases(self, path: Path, dataset: str | None, progress: Progress | None = None) -> list[FileOutcome]:
        """Take a collection of cases in; all of it becomes visible at once. Raises CasesRefused."""
        with self._writing():
            outcomes = self._service.ingest.cases(path, dataset, progress)
            self._merge_if_due()
        return outcomes

    def delete_document(self, document_id: str) -> Receipt:
        """Invisible first, then its vectors, words and files; then the proof. Raises NotFound."""
        service = self._service
        with self._writing():
            version = service.registry.document(document_id).version
            texts = service.registry.texts_of_version(version.id)
            passages = service.registry.delete_document(document_id)
            self._forget_vectors(texts)
            self._forget_files(version)
            self._build(keep_previous=False)
            return Receipt(version.document_id, version.id, len(passages), self._absence(version, passages, texts))

    def reindex(self, progress: StepProgress | None = None) -> Path:
        """Encode what the configured encoders have not seen, remove leftovers, build a generation and switch to it.

        Raises BuildFailed when a check fails; what serves is untouched then.
        """
        with self._writing():
            return self._rebuild(self._service, progress)

    def reindex_with(self, choices: Mapping[str, EncoderChoice], progress: StepProgress | None = None) -> Path:
        """Build the index of other encoders for these spaces beside the one that serves, then make the home serve it.

        Raises SettingsRefused with the lines to write where the settings name a space, BuildFailed, EncoderMissing.
        """
        with self._writing():
            _refuse_where_named(self._service.home.root, choices)
            values = {space: _values_of(choice) for space, choice in choices.items()}
            target = Switched.read(self._service.home.root).to(values)
            with self._under(choices) as service:
                final = self._rebuild(service, progress)
            target.write(self._service.home.root)
            return final

    def roll_back(self, progress: StepProgress | None = None) -> Path:
        """Serve the encoders from before the last switch again; once more returns. Raises NothingToRollBack.

        Their index still stands; it is built anew only where it is gone, damaged, or far behind.
        """
        home = self._service.home.root
        with self._writing():
            now = Switched.read(home)
            target = now.back()
            spaces = sorted({*now.serving, *target.serving})
            choices = encoder_choices(target.serving, self._service.settings.configuration, spaces)
            _refuse_where_named(home, choices)
            with self._under(choices) as service:
                self._encode(service, progress)
                final = self._still_good(service) or self._rebuild(service, progress)
            target.write(home)
            return final

    @contextmanager
    def _under(self, choices: Mapping[str, EncoderChoice]) -> Iterator[Service]:
        service = self._service.under(choices)
        try:
            yield service
        finally:
            service.close()

    def _rebuild(self, service: Service, progress: StepProgress | None) -> Path:
        self._encode(service, progress)
        self.sweep()
        aside = build_in_child(service)
        prove(service, aside)
        # A deletion that was killed left its passages in the generation before: that one goes too.
        return service.index.publish(aside, keep_previous=False)

    def _encode(self, service: Service, progress: StepProgress | None) -> None:
        report = progress or (lambda _step, _done, _of: None)
        embedder = Embedder(service.encoders, service.embeddings)
        cases = service.registry.case_captions()
        loaders = [(picture, partial(service.stored_pixels, picture)) for _, picture, _ in cases]
        embedder.pictures(loaders, partial(report, "pictures"))
        embedder.sketches(loaders, partial(report, "sketches"))
        embedder.captions((caption for *_, caption in cases), partial(report, "captions"))
        embedder.passages((text for _, text in service.registry.passage_texts()), partial(report, "passages"))

    def _still_good(self, service: Service) -> Path | None:
        """The index these encoders left behind, if it can serve as it is."""
        current = service.index.current()
        try:
            behind = service.registry.changes_since(service.index.corpus_generation() or 0)
            if current is None or damaged_files(current) or behind > service.settings.merge_above:
                return None
            prove(service, current)
        except (BuildFailed, RetrievalError):
            return None
        return current

    def sweep(self) -> int:
        """Remove stored files and vectors that nothing points at (an ingest or a deletion was killed).

        Returns the number of files. The caller is the writer.
        """
        service = self._service
        used = service.registry.blobs_in_use()
        orphans = [digest for digest in service.blobs.digests() if digest not in used]
        for digest in orphans:
            service.blobs.delete(digest)
        service.blobs.sweep_unfinished()
        service.embeddings.delete(service.embeddings.keys() - self._keys_in_use())
        service.index.sweep_unfinished()
        return len(orphans)

    def _keys_in_use(self) -> set[str]:
        """What live evidence is remembered by in the embedding store."""
        registry = self._service.registry
        keys = {text_key(text) for _, text in registry.passage_texts()}
        for _, picture, caption in registry.case_captions():
            keys.update((picture, text_key(caption)))
        return keys

    def _take_in(self, upload: Upload) -> FileOutcome:
        try:
            data = upload.read()
        except OSError:
            message = "The file cannot be read. Check that it is still there and that this user may read it."
            return FileOutcome(upload.name, Outcome.REFUSED, "not_readable", message)
        return self._service.ingest.document(data, upload.name, upload.source)

    def _merge_if_due(self) -> None:
        service = self._service
        since = service.index.corpus_generation()
        if since is None or service.registry.changes_since(since) > service.settings.merge_above:
            self._build()

    def _build(self, *, keep_previous: bool = True) -> Path:
        aside = build_in_child(self._service)
        return self._service.index.publish(aside, keep_previous=keep_previous)

    def _forget_vectors(self, texts: Sequence[str]) -> None:
        # The same sentence may stand in another document; its vector is that one's too.
        self._service.embeddings.delete({text_key(text) for text in texts} - self._keys_in_use())

    def _forget_files(self, version: DocumentVersion) -> None:
        used = self._service.registry.blobs_in_use()
        for digest in (version.id, version.text_sha256):
            if digest is not None and digest not in used:
                self._service.blobs.delete(digest)
        # Indexes of other encoders hold the passages too; they are derived and come back with `reindex`.
        self._service.index.remove_others()

    def _absence(self, version: DocumentVersion, passages: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
        service = self._service
        remembered = service.embeddings.keys() - self._keys_in_use()
        checks = {
            "registry": service.registry.forget_deleted()
            and not service.registry.has_version(version.id)
            and not service.registry.passages(passages),
            "vectors": not remembered.intersection(text_key(text) for text in texts),
            "index": not service.index.holds(passages) and not service.index.kept_by_servers(),
            "files": version.id not in set(service.blobs.digests()),
        }
        return tuple(name for name, absent in checks.items() if absent)


def _refuse_where_named(home: Path, choices: Mapping[str, EncoderChoice]) -> None:
    for space, choice in choices.items():
        if where := where_named(home, space):
            lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in _values_of(choice).items())
            raise SettingsRefused(
                f"the encoder of {space} is named in {where}, which beats a switch. Write it there, then run "
                f"dermacite reindex, which leaves the index of the earlier encoders as it is:\n[{space}]\n{lines}"
            )


def _values_of(choice: EncoderChoice) -> dict[str, str]:
    values: dict[str, str] = choice.model_dump(mode="json", exclude_none=True)
    return values


def build_in_child(service: Service) -> Path:
    """The folder of a new generation of what is registered, not yet published.

    Raises BuildFailed; what serves is untouched then.
    """
    index = service.index
    spaces = {
        "fingerprints": index.fingerprints, "dimensions": index.dimensions, "names": index.names,
        "chroma_url": service.settings.chroma_url,
    }  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-m", "runtime.index_child", str(service.home.root.resolve())],
        input=json.dumps(spaces),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    if finished.returncode != 0:
        lines = finished.stderr.strip().splitlines()
        why = lines[-1] if lines else f"its process ended with code {finished.returncode}"
        raise BuildFailed(
            f"the new index was not built ({why}); the old one still serves. Try again: dermacite reindex"
        )
    return Path(finished.stdout)
