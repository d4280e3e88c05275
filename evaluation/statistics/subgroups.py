"""The same cases in parts, since a mean may hide that one part of the people is served worse."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evaluation.records import CaseRecord

FEW = 20  # cases: below that a share moves by 5 points with a single case
NOT_RECORDED = "not recorded"

By = Literal["label", "skin_tone", "body_site", "group"]


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The records of one part; `few`: too few cases to say more than that they were there."""

    by: By
    name: str
    records: tuple[CaseRecord, ...]
    cases: int
    few: bool


def subgroups(records: Iterable[CaseRecord], by: By) -> tuple[Subgroup, ...]:
    """In order of their names, what is not recorded last; all records of all arms that were given."""
    parts: dict[str, list[CaseRecord]] = {}
    for record in records:
        parts.setdefault(getattr(record, by) or NOT_RECORDED, []).append(record)
    order = sorted(parts, key=lambda name: (name == NOT_RECORDED, name))
    return tuple(_subgroup(by, name, parts[name]) for name in order)


def _subgroup(by: By, name: str, records: list[CaseRecord]) -> Subgroup:
    cases = len({record.case for record in records})
    return Subgroup(by, name, tuple(records), cases, cases < FEW)
