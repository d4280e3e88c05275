"""The ledger: hits become evidence with keys E1, E2, ... that a statement can cite and a reader can open."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.labels import group_of
from inference.types import Candidate, Evidence, EvidenceKind
from knowledge.types import Passage, ReferenceCase
from retrieval.types import Hit


@dataclass(frozen=True, slots=True)
class Found:
    """A hit and which parts of the consultation found it."""

    hit: Hit
    by: tuple[str, ...]


def ledger_of(
    case_hits: Sequence[Found], cases: Mapping[str, ReferenceCase],
    passage_hits: Sequence[Found], passages: Mapping[str, Passage],
) -> tuple[Evidence, ...]:  # fmt: skip
    """Cases first, then passages, each in the order found; an item found twice keeps its better hit.

    A hit that the registry no longer knows is left out: an index can never show what was deleted.
    """
    items = [_case(found, cases[found.hit.id]) for found in case_hits if found.hit.id in cases]
    items += [_passage(found, passages[found.hit.id]) for found in passage_hits if found.hit.id in passages]
    merged: dict[str, Evidence] = {}
    for item in items:
        merged[item.id] = _merge(merged[item.id], item) if item.id in merged else item
    return tuple(replace(item, key=f"E{number}") for number, item in enumerate(merged.values(), start=1))


def _merge(first: Evidence, second: Evidence) -> Evidence:
    better = first if first.score >= second.score else second
    return replace(better, found_by=tuple(dict.fromkeys(first.found_by + second.found_by)))


def _case(found: Found, case: ReferenceCase) -> Evidence:
    return Evidence(
        key="",
        kind=EvidenceKind.CASE,
        id=case.id,
        text=case.caption,
        title=case.source or case.dataset,
        start=0,
        end=len(case.caption),
        licence=case.licence,
        label=case.label,
        group=case.group or group_of(case.label),
        picture=case.picture,
        **_scores(found),
    )


def _passage(found: Found, passage: Passage) -> Evidence:
    return Evidence(
        key="",
        kind=EvidenceKind.PASSAGE,
        id=passage.id,
        text=passage.text,
        title=passage.source.title,
        start=passage.start,
        end=passage.end,
        licence=passage.source.licence,
        document_id=passage.document_id,
        version_id=passage.version_id,
        section=passage.section,
        first_page=passage.first_page,
        last_page=passage.last_page,
        standing=passage.standing,
        role=passage.role,
        header=passage.header,
        ocr=passage.ocr,
        **_scores(found),
    )


def _scores(found: Found) -> dict[str, Any]:
    legs = found.hit.legs
    return {
        "found_by": found.by,
        "score": found.hit.score,
        "scores": {name: leg.score for name, leg in legs.items()},
        "ranks": {name: leg.rank for name, leg in legs.items()},
    }


def with_evidence(
    candidates: Sequence[Candidate], ledger: Sequence[Evidence], named: Callable[[str], str]
) -> tuple[Candidate, ...]:
    """The candidates with the keys of the cases that carry their label; `named` gives a case's label its name there."""
    keys: dict[str, list[str]] = {}
    for item in ledger:
        if item.kind is EvidenceKind.CASE and item.label is not None:
            keys.setdefault(named(item.label), []).append(item.key)
    return tuple(replace(one, evidence=tuple(keys.get(named(one.label), ()))) for one in candidates)
