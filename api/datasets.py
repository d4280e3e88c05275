"""Collections of cases listed, checked, hidden and deleted, and what the knowledge base has no answer for."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from api import dataset_examples as examples
from api.actors import Actor, curator
from api.backend import Backend
from api.cases import CaseId
from api.openapi import example, problems
from knowledge.types import Dataset
from runtime.coverage import Coverage, coverage
from runtime.dataset_report import DatasetReport, dataset_report
from runtime.deletion import CasesReceipt
from runtime.keys import Role

DatasetName = Annotated[
    str, PathParameter(description="Name of a dataset.", examples=[Example(value=examples.DATASET["name"])])
]


@dataclass(frozen=True, slots=True)
class DatasetList:
    """Every dataset, by name."""

    datasets: tuple[Dataset, ...]


@get(
    "/v1/datasets", role=Role.RESEARCHER, operation_id="list_datasets", summary="List the datasets", tags=["datasets"],
    responses={200: example(DatasetList, {"datasets": [examples.DATASET]}), **problems(503)},
)  # fmt: skip
async def list_datasets(backend: NamedDependency[Backend]) -> DatasetList:
    """Every collection of cases with its state and number of cases, by name."""
    return DatasetList(await backend.read(lambda: backend.service.registry.datasets.all()))


@get(
    "/v1/datasets/{name:str}", role=Role.RESEARCHER, answers=True, operation_id="get_dataset",
    summary="Report on a dataset", tags=["datasets"],
    responses={200: example(DatasetReport, examples.REPORT), **problems(400, 404, 503, 504)},
)  # fmt: skip
async def get_dataset(name: DatasetName, backend: NamedDependency[Backend]) -> DatasetReport:
    """Licences and their terms, what became of every label, cases by label, skin tone and split, pictures that come twice.

    Cropped copies are looked for in small datasets; `duplicates.crops` says whether they were.
    """
    return await backend.answer(partial(dataset_report, backend.service, name))


@post(
    "/v1/datasets/{name:str}/retire", status_code=200, role=Role.CURATOR, operation_id="retire_dataset",
    summary="Hide a dataset",
    tags=["datasets"], responses={200: example(Dataset, examples.RETIRED), **problems(400, 404, 409, 503)},
)  # fmt: skip
async def retire_dataset(name: DatasetName, backend: NamedDependency[Backend], actor: Actor) -> Dataset:
    """None of its cases is found from now on; nothing is deleted."""
    return await backend.write(lambda: curator(backend, actor).retire_dataset(name))


@post(
    "/v1/datasets/{name:str}/restore", status_code=200, role=Role.CURATOR, operation_id="restore_dataset",
    summary="Show a dataset again",
    tags=["datasets"], responses={200: example(Dataset, examples.DATASET), **problems(400, 404, 409, 503)},
)  # fmt: skip
async def restore_dataset(name: DatasetName, backend: NamedDependency[Backend], actor: Actor) -> Dataset:
    """The cases of a retired dataset are found again."""
    return await backend.write(lambda: curator(backend, actor).restore_dataset(name))


@delete(
    "/v1/datasets/{name:str}", status_code=200, role=Role.CURATOR, operation_id="delete_dataset",
    summary="Delete a dataset",
    tags=["datasets"], responses={200: example(CasesReceipt, examples.CASES_RECEIPT), **problems(400, 404, 503)},
)  # fmt: skip
async def delete_dataset(name: DatasetName, backend: NamedDependency[Backend], actor: Actor) -> CasesReceipt:
    """All its cases: invisible at once, then gone from everywhere; the receipt says where they were looked for."""
    return await backend.write(lambda: curator(backend, actor).delete_dataset(name))


@delete(
    "/v1/cases/{case_id:str}", status_code=200, role=Role.CURATOR, operation_id="delete_case",
    summary="Delete a reference case",
    tags=["cases"], responses={200: example(CasesReceipt, examples.CASES_RECEIPT), **problems(400, 404, 503)},
)  # fmt: skip
async def delete_case(case_id: CaseId, backend: NamedDependency[Backend], actor: Actor) -> CasesReceipt:
    """In the same way; its dataset goes with its last case."""
    return await backend.write(lambda: curator(backend, actor).delete_case(case_id))


@get(
    "/v1/coverage", role=Role.RESEARCHER, answers=True, operation_id="get_coverage",
    summary="See what has no guideline", tags=["datasets"],
    responses={200: example(Coverage, examples.COVERAGE), **problems(503, 504)},
)  # fmt: skip
async def get_coverage(backend: NamedDependency[Backend]) -> Coverage:
    """Labels of which no guideline passage speaks, and guidelines that no kept answer ever showed."""
    return await backend.answer(partial(coverage, backend.service))


ROUTES = (
    list_datasets, get_dataset, retire_dataset, restore_dataset, delete_dataset, delete_case, get_coverage,
)  # fmt: skip
