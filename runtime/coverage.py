"""What the knowledge base has no answer for: labels without a guideline passage, and guidelines that nothing ever shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.naming import all_names_of, counted_names, diseases_of_sets
from retrieval.types import Scores
from retrieval.view import View
from runtime.service import Service

NOT_KEPT: Final = "answers are not kept, so nobody knows; setting: keep_answers"
NO_ANSWERS: Final = "no answer was kept yet"


@dataclass(frozen=True, slots=True)
class LabelPassages:
    """How guidelines speak of a label. `cases` have it; 0: it only stands in a label set of served models.

    `named_in` counts passages in force that hold any of its names in whole words, in their text or headings. `nearest` is
    the passage most similar to any of its names, `similarity` that cosine, None where there are no passages.
    """

    label: str
    cases: int
    named_in: int
    nearest: str | None
    similarity: float | None


@dataclass(frozen=True, slots=True)
class UnusedDocument:
    """A guideline of which no kept answer ever showed a passage, of whatever version."""

    id: str
    title: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """`without_passage`: no passage names the label and none is as similar as `floor` (the setting cosine_floor).
    `not_named`: no passage names it, but some are that similar: they may be about something else. `covered`: how many others.

    `never_retrieved` is None where that cannot be known; `retrieval` says why, or of how many answers since when it is true.
    """

    floor: float
    without_passage: tuple[LabelPassages, ...]
    not_named: tuple[LabelPassages, ...]
    covered: int
    never_retrieved: tuple[UnusedDocument, ...] | None
    retrieval: str


def coverage(service: Service) -> Coverage:
    """Of live cases, the label sets, and guidelines in force. Raises RetrievalError where there is no usable index."""
    view = service.reader.view()
    labels = sorted({*view.cases.labels, *diseases_of_sets()})
    floor = service.settings.cosine_floor
    found = _passages_of(service, view, labels)
    unnamed = [one for one in found if not one.named_in]
    unused, told = _never_retrieved(service)
    return Coverage(
        floor,
        tuple(one for one in unnamed if one.similarity is None or one.similarity < floor),
        tuple(one for one in unnamed if one.similarity is not None and one.similarity >= floor),
        len(found) - len(unnamed),
        unused,
        told,
    )


def _passages_of(service: Service, view: View, labels: Sequence[str]) -> list[LabelPassages]:
    alive = np.flatnonzero(view.passages.alive)
    texts = service.registry.passages([view.passages.ids[row] for row in alive])
    # A heading names what its passages are about.
    named = counted_names(labels, ("\n".join((*one.section, one.text)) for one in texts.values()))
    cases = dict(zip(*np.unique(view.cases.row_labels, return_counts=True), strict=True))
    unnamed = [label for label in labels if not named[label]]
    nearest = dict(zip(unnamed, _nearest(service, view, unnamed), strict=True))
    return [
        LabelPassages(label, int(cases.get(label, 0)), named[label], *nearest.get(label, (None, None)))
        for label in labels
    ]


def _nearest(service: Service, view: View, labels: Sequence[str]) -> list[tuple[str | None, float | None]]:
    """For each label the passage in force most similar to any of its names, and their cosine."""
    rows = np.flatnonzero(view.passages.alive)
    if not len(rows) or not labels:
        return [(None, None)] * len(labels)
    names = [all_names_of(label) for label in labels]
    vectors = iter(service.encoders.passages.encode_queries([name for some in names for name in some]))
    found: list[tuple[str | None, float | None]] = []
    for some in names:
        scores: Scores = np.max([view.passages.vectors.score(next(vectors), rows) for _ in some], axis=0)
        best = int(scores.argmax())
        found.append((view.passages.ids[rows[best]], float(scores[best])))
    return found


def _never_retrieved(service: Service) -> tuple[tuple[UnusedDocument, ...] | None, str]:
    registry = service.registry
    answers, since = registry.answers.kept()
    if not answers:
        return None, NO_ANSWERS if service.settings.keep_answers else NOT_KEPT
    places, known = registry.facts.places_of_passages(), registry.facts.versions()
    used = {places[item][0] for item in registry.answers.used_items() & places.keys()}
    shown = {known[version].document_id for version in used if version in known}
    unused = tuple(
        UnusedDocument(one.id, one.source.title, one.version.created_at)
        for one in registry.documents()
        if one.id not in shown
    )
    kept = "" if service.settings.keep_answers else "; answers are no longer kept (setting: keep_answers)"
    return unused, f"of {answers} answers since {since}{kept}"
