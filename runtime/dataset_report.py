"""What a curator must know of a dataset before it is relied on: its licences, what became of its labels, whom it shows, and
which of its pictures come twice."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from inference.labels import group_of
from inference.labelsets import label_sets, load_label_set
from knowledge.licences import terms_of
from knowledge.registry.datasets import LabelCount
from knowledge.types import Dataset, DatasetState
from retrieval.duplicates import Compared, Duplicates, Progress, duplicates
from retrieval.errors import RetrievalError
from runtime.service import Service

THOROUGH_UP_TO = 500  # cases; asking each for cropped copies takes 13 ms among 40,000


@dataclass(frozen=True, slots=True)
class LicenceUse:
    """A licence as the manifest writes it, how many cases have it, and its terms; not `known`: of no terms that we know."""

    licence: str | None
    cases: int
    known: bool
    show: bool
    attribution: bool
    non_commercial: bool


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A label as the manifest writes it, as it is stored, and which label sets of served models know it.

    `written` is None for cases that were taken in before spellings were kept.
    """

    written: str | None
    label: str
    cases: int
    group: str | None
    known_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """All of it. `coverage` counts cases by label, skin tone and split, each None where it is unknown."""

    dataset: Dataset
    licences: tuple[LicenceUse, ...]
    labels: tuple[LabelMapping, ...]
    coverage: tuple[LabelCount, ...]
    duplicates: Duplicates
    warnings: tuple[str, ...]


def dataset_report(
    service: Service, name: str, *, thorough: bool | None = None, progress: Progress = lambda _done, _of: None
) -> DatasetReport:
    """The report of a dataset, live or retired. Raises NotFound, and RetrievalError where there is no usable index.

    `thorough`: also look for cropped copies, case by case; None: where there are at most THOROUGH_UP_TO cases.
    """
    datasets = service.registry.datasets
    dataset = datasets.one(name)
    licences = tuple(_licence(licence, cases) for licence, cases in datasets.licences(name))
    labels = tuple(
        LabelMapping(one.written, one.label, one.cases, group_of(one.label), _known_to(one.label))
        for one in datasets.labels(name)
    )
    asked = frozenset(case.id for case in datasets.cases_of(name))
    found = find_duplicates(service, dataset.name, asked, thorough=thorough, progress=progress)
    warnings = (*_licences_told(licences), *_labels_told(labels), *duplicates_told(found))
    return DatasetReport(dataset, licences, labels, datasets.coverage(name), found, warnings)


def find_duplicates(
    service: Service, name: str, asked: Collection[str], *, thorough: bool | None = None,
    progress: Progress = lambda _done, _of: None,
) -> Duplicates:  # fmt: skip
    """Pairs of the cases `asked` of dataset `name` with it and with every live dataset. See dataset_report."""
    retired = service.registry.datasets.names(DatasetState.RETIRED) - {name}
    guards = [one for one in service.registry.case_guards() if one.dataset not in retired]
    cases = service.reader.view().cases
    compared = Compared.of(guards, cases.ids, cases.guard.sketches, frozenset(asked))
    deep = compared.asked <= THOROUGH_UP_TO if thorough is None else thorough
    return duplicates(compared, thorough=deep, progress=progress)


def told_at_ingest(service: Service, ids: Collection[str]) -> tuple[str, ...]:
    """What a curator should look at in cases that just came in, all of one dataset, with the command that shows it."""
    cases = service.registry.cases(list(ids))
    if not cases:
        return ()
    name = next(iter(cases.values())).dataset
    unknown = sum(not terms_of(case.licence).known for case in cases.values())
    said = [f"{unknown} cases have no licence, or one of unknown terms"] if unknown else []
    try:
        said += duplicates_told(find_duplicates(service, name, cases.keys()))
    except RetrievalError as error:
        said.append(f"near-duplicates were not looked for ({error.reason})")
    return tuple(f"{one}; see: dermacite datasets report {name}" for one in said)


def duplicates_told(found: Duplicates) -> Iterator[str]:
    """What of it needs a look."""
    if found.total:
        within, across = sum(found.within.values()), sum(found.across_datasets.values())
        yield f"{found.total} pairs show the same picture: {within} within the dataset, {across} with other datasets"
    if found.across_splits:
        numbers = ", ".join(f"{number} {reason}" for reason, number in found.across_splits.items())
        yield f"splits are not apart: {numbers}"
    if found.conflicting_labels:
        yield f"{found.conflicting_labels} pairs show the same picture under different labels"
    if found.unsketched:
        yield f"{found.unsketched} cases could be compared by their hash alone; run: dermacite reindex"


def _licence(licence: str | None, cases: int) -> LicenceUse:
    terms = terms_of(licence)
    return LicenceUse(licence, cases, terms.known, terms.show, terms.attribution, terms.non_commercial)


def _known_to(label: str) -> tuple[str, ...]:
    sets = [load_label_set(name) for name in label_sets()]
    return tuple(one.name for one in sets if not one.numbered and one.known_as(label) is not None)


def _licences_told(licences: tuple[LicenceUse, ...]) -> Iterator[str]:
    unknown = sum(one.cases for one in licences if not one.known)
    if unknown:
        yield f"{unknown} cases have no licence, or one of unknown terms; they are shown on this machine"
    withheld = sum(one.cases for one in licences if not one.show)
    if withheld:
        yield f"{withheld} cases are never shown: their licence forbids it; they vote"


def _labels_told(labels: tuple[LabelMapping, ...]) -> Iterator[str]:
    unwritten = sum(one.cases for one in labels if one.written is None)
    if unwritten:
        yield f"how {unwritten} labels were written was not kept; ingest the same manifest again, and it is"
