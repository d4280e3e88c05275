"""Evidence of an earlier run, to be generated from again: what changes then is the model's doing, not retrieval's."""

from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import PlanRefused
from evaluation.records import CaseRecord, EvidenceRecord, read_records
from evaluation.runs import RunFolder
from inference.evidence import Found
from inference.interventions import Frozen
from retrieval.types import Hit, LegScore

BY = "stored evidence"


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """The records of one arm of a run, by case and seed."""

    run: Path
    arm: str
    records: dict[tuple[str, int], CaseRecord]

    @classmethod
    def read(cls, run: Path, arm: str) -> "StoredEvidence":
        """Raises PlanRefused where there is no such run or arm."""
        file = RunFolder(run).records
        try:
            records = list(read_records(file))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise PlanRefused("frozen.run: the records of that run cannot be read; name the folder of a run") from error
        found = {(one.case, one.seed): one for one in records if one.arm == arm}
        if not found:
            there = ", ".join(sorted({one.arm for one in records})) or "none"
            raise PlanRefused(f"frozen.arm: that run has no arm {arm!r}; it has: {there}")
        return cls(run, arm, found)

    def of(self, case: str, seed: int) -> Frozen:
        """What stood in the answer to this case; under another seed where it was not asked under this one.

        Raises PlanRefused where the run did not ask it.
        """
        seeds = sorted(one for asked, one in self.records if asked == case)
        if not seeds:
            raise PlanRefused(f"frozen: the arm {self.arm!r} of that run was not asked about every case of this one")
        record = self.records[case, seed if seed in seeds else seeds[0]]
        return frozen_of(record)


def frozen_of(record: CaseRecord) -> Frozen:
    """The evidence of a record in its order, with its scores: cases that voted, then what was shown beside them."""
    shown = [one for one in record.evidence if one.kind == "case"]
    voted = {one.id for one in record.voters}
    cases = (*record.voters, *(one for one in shown if one.id not in voted))
    passages = (one for one in record.evidence if one.kind == "passage")
    return Frozen(tuple(map(_hit, cases)), tuple(Found(_hit(one), (BY,)) for one in passages))


def _hit(item: EvidenceRecord) -> Hit:
    return Hit(item.id, item.score, {name: LegScore(of, None) for name, of in item.scores.items()})
