"""What curators do with datasets and single cases: retire, restore, delete."""

from collections.abc import Callable, Sequence

from knowledge.registry.datasets import item_of
from knowledge.types import Dataset, ReferenceCase
from runtime.deletion import CasesReceipt, Gone, absence, not_looked_at, unused_keys
from runtime.writing import Writer


class CaseCurator(Writer):
    """Every change to collections of cases that are in already."""

    def retire_dataset(self, name: str) -> Dataset:
        """Hide all its cases at once; they stay in the index. Raises NotFound, TransitionRefused, BuildFailed.

        Then the index is built anew: how sure a vote is was fitted to the cases that voted.
        """
        with self.writing():
            dataset = self.service.registry.datasets.retire(name, self.actor)
            self.build()
        return dataset

    def restore_dataset(self, name: str) -> Dataset:
        """Let its cases be found again, in the same way. Raises NotFound, TransitionRefused, BuildFailed."""
        with self.writing():
            dataset = self.service.registry.datasets.restore(name, self.actor)
            self.build()
        return dataset

    def delete_dataset(self, name: str) -> CasesReceipt:
        """All cases: invisible first, then their vectors, words and pictures; then the proof. Raises NotFound."""
        datasets = self.service.registry.datasets
        with self.writing():
            cases = datasets.cases_of(datasets.one(name).name)
            receipt = self._cases_deleted(name, cases, lambda: datasets.delete(name, self.actor))
            self.service.registry.audit.record(
                self.actor, "receipt", "dataset", item_of(name), absent_from=list(receipt.absent_from)
            )
        return receipt

    def delete_case(self, case_id: str) -> CasesReceipt:
        """One case, in the same way; its dataset goes with the last. Raises NotFound."""
        registry = self.service.registry
        with self.writing():
            case = registry.case(case_id)
            receipt = self._cases_deleted(
                case.dataset, [case], lambda: registry.datasets.delete_case(case_id, self.actor)
            )
            registry.audit.record(self.actor, "receipt", "case", case_id, absent_from=list(receipt.absent_from))
        return receipt

    def _cases_deleted(
        self, dataset: str, cases: Sequence[ReferenceCase], delete: Callable[[], Sequence[str]]
    ) -> CasesReceipt:
        pictures = {case.picture for case in cases}
        captions = [case.caption for case in cases if case.caption]
        ids = tuple(delete())
        gone = Gone(ids, captions, pictures, lambda: bool(self.service.registry.cases(ids)))
        absent_from, unseen = self.removed_everywhere(gone), not_looked_at(self.service)
        return CasesReceipt(dataset, ids, len(pictures), absent_from, unseen, self.service.copies_gone_within_s)

    def removed_everywhere(self, gone: Gone) -> tuple[str, ...]:
        """Remove what is derived from something that the registry no longer has; where nothing of it is left.

        The caller is the writer.
        """
        service = self.service
        service.embeddings.delete(unused_keys(self, gone))
        self.drop_files(gone.files)
        service.shelf.forget(gone.files)
        # Indexes of other encoders hold it too; they are derived and come back with `reindex`.
        service.index.remove_others()
        self.build(keep_previous=False)
        return absence(self, gone)
