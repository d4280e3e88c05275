"""The difference of two versions as a curator reads it: which advice changed, in which numbers, and which answers used it."""

from dataclasses import dataclass

from inference.citations import quantities
from knowledge.comparing import Changed, compared
from knowledge.registry import Registry
from knowledge.registry.answers import PastUse
from knowledge.types import Passage


@dataclass(frozen=True, slots=True)
class PassageTold:
    """Where a passage is and what it says."""

    id: str
    first_page: int
    last_page: int
    section: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """A passage before and after. `numbers_gone` and `numbers_new` are quantities that only one of them states."""

    before: PassageTold
    after: PassageTold
    similarity: float
    numbers_gone: tuple[str, ...]
    numbers_new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions compared. `answers` are past answers that showed or cited what changed or is gone; None: none are kept."""

    before: str
    after: str
    unchanged: int
    changed: tuple[ChangeTold, ...]
    added: tuple[PassageTold, ...]
    removed: tuple[PassageTold, ...]
    answers: tuple[PastUse, ...] | None


def difference(registry: Registry, before: str, after: str, *, answers_kept: bool) -> Difference:
    """From one version to another, of the same document or not. Raises NotFound."""
    old, new = registry.version(before), registry.version(after)
    found = compared(registry.passages_of(old.id), registry.passages_of(new.id))
    touched = [one.id for one in found.removed] + [one.before.id for one in found.changed]
    return Difference(
        old.id,
        new.id,
        found.unchanged,
        tuple(map(_change, found.changed)),
        tuple(map(_told, found.added)),
        tuple(map(_told, found.removed)),
        tuple(registry.answers.uses_of(touched)) if answers_kept else None,
    )


def _change(one: Changed) -> ChangeTold:
    before, after = quantities(one.before.text), quantities(one.after.text)
    gone = tuple(dict.fromkeys(number for number in before if number not in after))
    new = tuple(dict.fromkeys(number for number in after if number not in before))
    return ChangeTold(_told(one.before), _told(one.after), round(one.similarity, 3), gone, new)


def _told(passage: Passage) -> PassageTold:
    return PassageTold(passage.id, passage.first_page, passage.last_page, passage.section, passage.text)
