"""What curators do: take evidence in, approve, retire and delete it, rebuild. One writer at a time; readers never wait."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from knowledge.case_ingest import Progress
from knowledge.document_ingest import Intent
from knowledge.registry.jobs import Job, JobState
from knowledge.types import DocumentVersion, FileOutcome, Source
from retrieval.embedder import Embedder
from retrieval.embeddings import text_key
from retrieval.errors import RetrievalError
from retrieval.generation import damaged_files
from runtime.building import build_in_child, refuse_where_named, values_of
from runtime.case_curation import CaseCurator
from runtime.deletion import Gone, Receipt, not_looked_at
from runtime.errors import BuildFailed, JobStopped, SettingsRefused
from runtime.jobs import Done, JobRunner, Upload
from runtime.proof import prove
from runtime.service import Service
from runtime.settings import EncoderChoice, encoder_choices
from runtime.storage import take_along
from runtime.switching import Switched

StepProgress = Callable[[str, int, int], None]  # (step, done, of)


class Curator(CaseCurator):
    """Every change to what is known."""

    # --- in --------------------------------------------------------------------------------------------------------

    @property
    def document_bytes(self) -> int:
        """How large a document may be."""
        return self.service.pdf_limits.bytes

    def ingest_documents(
        self, uploads: Iterable[Upload], done: Done | None = None, *, document_id: str | None = None,
        draft: bool = False,
    ) -> list[FileOutcome]:  # fmt: skip
        """Take PDFs in as one job, here and now; each is visible when its outcome is reported to `done`."""
        self.engine.check()
        runner = JobRunner(self)
        job = runner.accept_documents(uploads, self.intent(document_id=document_id, draft=draft))
        return _ended_well(runner.run(job.id, done)).outcomes

    def intent(self, *, document_id: str | None = None, draft: bool = False) -> Intent:
        """How documents are taken in: approved at once only where the setting `approval` leaves it to who adds them.

        Raises NotFound for an unknown document.
        """
        if document_id is not None:
            document_id = self.service.registry.document(document_id).id
        return Intent(self.actor, document_id, not draft and self.service.settings.approval == "automatic")

    def ingest_cases(self, path: Path, dataset: str | None, progress: Progress | None = None) -> list[FileOutcome]:
        """Take a collection of cases in as one job; all of it becomes visible at once. Raises CasesRefused."""
        self.engine.check()
        outcomes: list[FileOutcome] = []
        runner = JobRunner(self)
        job = runner.run(runner.accept_cases(path, dataset, self.actor).id, outcomes.append, progress=progress)
        # Another process may have been the one that worked on it: then its sum is known, and no rows.
        return outcomes or _ended_well(job).outcomes

    # --- versions --------------------------------------------------------------------------------------------------

    def approve(self, version_id: str) -> DocumentVersion:
        """Put a version in force in place of the one that is. Raises NotFound, TransitionRefused."""
        four_eyes = self.service.settings.approval == "four_eyes"
        with self.writing():
            self._encode_version(version_id)
            version = self.service.registry.approve(version_id, self.actor, four_eyes=four_eyes)
        self.merge_if_due()
        return version

    def _encode_version(self, version_id: str) -> None:
        """A draft may be older than the encoders that serve; made visible without vectors it would stop every search."""
        service = self.service
        texts = {text_key(text): text for text in service.registry.texts_of_version(version_id)}
        found = service.embeddings.known(service.fingerprints["passages"], texts)
        if missing := [text for key, text in texts.items() if key not in found]:  # else spare the loading of encoders
            Embedder(service.encoders, service.embeddings).passages(missing)

    def retire(self, version_id: str) -> DocumentVersion:
        """Take a version out of use; it can still be opened. Raises NotFound, TransitionRefused."""
        with self.writing():
            return self.service.registry.retire(version_id, self.actor)

    def describe(self, version_id: str, source: Source) -> DocumentVersion:
        """Correct what is known of a version's source. Raises NotFound."""
        with self.writing():
            return self.service.registry.describe(version_id, source, self.actor)

    # --- out -------------------------------------------------------------------------------------------------------

    def delete_document(self, document_id: str) -> Receipt:
        """All versions: invisible first, then their vectors, words and files; then the proof. Raises NotFound."""
        with self.writing():
            versions = self.service.registry.versions(document_id)
            return self._deleted(versions, partial(self.service.registry.delete_document, document_id, self.actor))

    def delete_version(self, version_id: str) -> Receipt:
        """One version, in the same way; its document goes with the last. Raises NotFound."""
        with self.writing():
            version = self.service.registry.version(version_id)
            return self._deleted([version], partial(self.service.registry.delete_version, version_id, self.actor))

    def _deleted(self, versions: Sequence[DocumentVersion], delete: Callable[[], Sequence[str]]) -> Receipt:
        service = self.service
        texts = [text for one in versions for text in service.registry.texts_of_version(one.id)]
        files = {digest for one in versions for digest in (one.id, one.text_sha256, service.registry.lines_of(one.id))}
        stored = [digest for digest in files if digest is not None]
        ids = delete()
        gone = Gone(ids, texts, stored, lambda: any(service.registry.has_version(one.id) for one in versions))
        receipt = Receipt(
            versions[0].document_id,
            tuple(one.id for one in versions),
            len(ids),
            self.removed_everywhere(gone),
            not_looked_at(service),
            service.copies_gone_within_s,
        )
        for version in versions:
            service.registry.audit.record(
                self.actor, "receipt", "version", version.id, absent_from=list(receipt.absent_from)
            )
        return receipt

    # --- index -----------------------------------------------------------------------------------------------------

    def reindex(self, progress: StepProgress | None = None) -> Path:
        """Encode what the configured encoders have not seen, remove leftovers, build a generation and switch to it.

        Raises BuildFailed when a check fails; what serves is untouched then.
        """
        self.engine.check()
        with self.writing():
            return self._rebuild(self.service, progress)

    def reindex_with(self, choices: Mapping[str, EncoderChoice], progress: StepProgress | None = None) -> Path:
        """Build the index of other encoders for these spaces beside the one that serves, then make the home serve it.

        Raises SettingsRefused with the lines to write where the settings name a space, BuildFailed, EncoderMissing.
        """
        _refuse_switch(self.service)
        with self.writing():
            refuse_where_named(self.service.home.root, choices)
            values = {space: values_of(choice) for space, choice in choices.items()}
            target = Switched.read(self.service.home.root).to(values)
            with self._under(choices) as service:
                final = self._rebuild(service, progress)
            target.write(self.service.home.root)
            return final

    def roll_back(self, progress: StepProgress | None = None) -> Path:
        """Serve the encoders from before the last switch again; once more returns. Raises NothingToRollBack.

        Their index still stands; it is built anew only where it is gone, damaged, or far behind.
        """
        home = self.service.home.root
        _refuse_switch(self.service)
        with self.writing():
            now = Switched.read(home)
            target = now.back()
            spaces = sorted({*now.serving, *target.serving})
            choices = encoder_choices(target.serving, self.service.settings.configuration, spaces)
            refuse_where_named(home, choices)
            with self._under(choices) as service:
                self._encode(service, progress)
                final = self._still_good(service) or self._rebuild(service, progress)
            target.write(home)
            return final

    @contextmanager
    def _under(self, choices: Mapping[str, EncoderChoice]) -> Iterator[Service]:
        service = self.service.under(choices)
        try:
            yield service
        finally:
            service.close()

    def _rebuild(self, service: Service, progress: StepProgress | None) -> Path:
        take_along(service.home, service.blobs, service.registry.blobs_in_use())
        self._encode(service, progress)
        self.sweep()
        aside = build_in_child(service)
        prove(service, aside)
        self.service.registry.confirm_locks()
        # A deletion that was killed left its passages in the generation before: that one goes too.
        return service.index.publish(aside, keep_previous=False)

    def _encode(self, service: Service, progress: StepProgress | None) -> None:
        report = progress or (lambda _step, _done, _of: None)
        embedder = self.engine.embedder(service)
        cases = service.registry.case_captions()
        loaders = [(picture, partial(service.stored_pixels, picture)) for _, picture, _ in cases]
        embedder.pictures(loaders, partial(report, "pictures"))
        embedder.sketches(loaders, partial(report, "sketches"))
        embedder.captions((caption for *_, caption in cases), partial(report, "captions"))
        approved = (text for _, text in service.registry.passage_texts())
        # Drafts are in no index, and are searched the moment they are approved.
        embedder.passages((*approved, *service.registry.draft_texts()), partial(report, "passages"))

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


def _refuse_switch(service: Service) -> None:
    """Raises SettingsRefused where the choice, a file of this home, would not reach the other hosts."""
    if service.settings.registry_url is not None:
        raise SettingsRefused(
            "with registry_url every host reads its encoders from its own settings: name the encoder there ([passages] card "
            "= ...), run dermacite reindex, then restart the servers one after the other"
        )


def _ended_well(job: Job) -> Job:
    """Raises JobStopped where another process worked on the job, or somebody cancelled it, and not all of it was done."""
    if job.state is not JobState.DONE:
        raise JobStopped(f"the job {job.id} is {job.state}{f': {job.message}' if job.message else ''}")
    return job
