"""Whether cases to be asked are in the index already: by their bytes, their picture, their lesion, subject or source."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from evaluation.datasets import Dataset, Item, kin
from evaluation.records import CaseRecord
from knowledge.errors import KnowledgeError
from retrieval.leakage import Probe, leak_guard
from retrieval.sketches import sketch_of
from runtime.service import Service

LISTED: Final = 1_000  # pairs; all are counted
NO_LEAK: Final = "held_out_split"  # kept from every answer, whoever asks

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A case to be asked, the reference case that it is or shows, and how that was seen."""

    case: str
    of: str
    reason: str


def probe_of(service: Service, item: Item) -> Probe:
    """What the leak guard knows of a case. Raises OSError, KnowledgeError when its picture cannot be read."""
    picture = service.admit(item.read())
    return Probe(
        frozenset({picture.sha256}), (picture.perceptual_hash,), frozenset(filter(None, [item.lesion])),
        frozenset(filter(None, [item.subject])), frozenset(filter(None, [item.source])), [sketch_of(picture.rgb)],
    )  # fmt: skip


def overlaps(service: Service, items: Sequence[Item], advance: Advance) -> Iterator[Overlap]:
    """Every pair, by the order of the cases; a pair has the first reason that applies. Unreadable pictures overlap nothing."""
    cases = service.reader.view().cases
    for item in items:
        advance(1)
        try:
            guarded = leak_guard(cases.guard, probe_of(service, item))
        except (OSError, KnowledgeError):
            continue
        for reason, rows in guarded.kept_back.items():
            if reason != NO_LEAK:
                yield from (Overlap(item.id, cases.ids[row], reason) for row in rows)


def overlap_report(dataset: Dataset, found: Sequence[Overlap]) -> dict[str, Any]:
    """What leaks.json says before anything is asked."""
    return {
        "asked": len(dataset.items),
        "leave_one_out": dataset.leave_one_out,
        "in_the_index": dict(sorted(Counter(one.reason for one in found).items())),
        "cases_in_the_index": len({one.case for one in found}),
        "pairs": [asdict(one) for one in found[:LISTED]],
        "pairs_left_out": max(0, len(found) - LISTED),
    }


def leaked(service: Service, dataset: Dataset, records: Sequence[CaseRecord]) -> dict[str, Any]:
    """How many answers had the case itself, or its kin, among their evidence or voters. Must be 0."""
    used = {
        record.key: {one.id for one in (*record.evidence, *record.voters) if one.kind == "case"} for record in records
    }
    cases = service.registry.cases(sorted(set().union(*used.values())))
    items: Mapping[str, Item] = {one.id: one for one in dataset.items}
    leaks = [
        {"case": record.case, "arm": record.arm, "seed": record.seed, "of": one}
        for record in records
        for one in sorted(used[record.key] & cases.keys())
        if kin(items[record.case], cases[one])
    ]
    answers = {(one["arm"], one["case"], one["seed"]) for one in leaks}
    return {"answers": len(records), "answers_with_kin_among_evidence": len(answers), "let_through": leaks[:LISTED]}
