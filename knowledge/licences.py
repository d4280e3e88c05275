"""What the licence of a case allows. The terms are data (licences.toml); a licence nobody wrote down there is unknown.

Where a licence forbids showing, a case still votes, and what leaves the service is its id, label and similarity.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

from knowledge.types import ReferenceCase

FILE: Final = Path(__file__).parent / "licences.toml"
WITHHELD: Final = "withheld: its licence forbids showing it"


@dataclass(frozen=True, slots=True)
class Terms:
    """`show`: picture and caption may be shown, and go to a model server. `keep`: they may be stored at all.

    `known` is False where no rule fits the licence, or there is none: it is shown to the one user of this machine, who
    obtained it, and reported.
    """

    show: bool = True
    keep: bool = True
    attribution: bool = True
    non_commercial: bool = True
    known: bool = True


UNKNOWN: Final = Terms(known=False)


@cache
def terms_of(licence: str | None) -> Terms:
    """The terms of a licence, by its SPDX id or text."""
    name = "-".join((licence or "").casefold().replace("_", " ").split())
    return next((terms for pattern, terms in _rules() if fnmatchcase(name, pattern)), UNKNOWN)


def may_show(licence: str | None) -> bool:
    """Whether the bytes of evidence under this licence may leave the service."""
    return terms_of(licence).show


def shown(case: ReferenceCase) -> ReferenceCase:
    """The case as it may be shown: itself, or what is left where its licence forbids it (id, label, dataset, licence)."""
    if may_show(case.licence):
        return case
    return ReferenceCase(
        case.id, case.dataset, case.label, caption="", picture="", original="", perceptual_hash="", licence=case.licence
    )


@cache
def _rules() -> tuple[tuple[str, Terms], ...]:
    rules = tomllib.loads(FILE.read_text("utf-8"))["terms"]
    return tuple((pattern, Terms(**rule)) for rule in rules for pattern in rule.pop("pattern"))
