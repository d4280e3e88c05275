"""Search without a consultation, for curators and researchers: what is found, with every leg's score."""

from functools import partial
from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, MultipartBody

from api import examples
from api.admitting import admitted
from api.auth import caller_of
from api.backend import Backend
from api.openapi import body_example, example, problems
from api.plain import must_be_plain
from api.schemas import PictureSearchForm, PictureSearchRequest, SearchRequest
from inference.lookup import SearchResult
from knowledge.pictures import Picture
from runtime.keys import Role

_FOUND = example(SearchResult, examples.SEARCH_RESULT, "Passages and reference cases, best first")


def _search(
    backend: Backend, asked: SearchRequest | PictureSearchRequest, picture: Picture | None = None
) -> SearchResult:
    return backend.service.lookup.search(asked.text, picture, asked.options())


@post(
    "/v1/search", status_code=200, role=Role.READER, answers=True, operation_id="search",
    summary="Search by words", tags=["answers"],
    responses={200: _FOUND, **problems(400, 413, 422, 503, 504)},
    operation_class=body_example("application/json", examples.SEARCH),
)  # fmt: skip
async def search(
    data: JSONBody[SearchRequest], request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> SearchResult:
    """Guideline passages and captions that fit the words, by meaning and by word. Only `filters` keep anything back.

    `fusion` needs a researcher.
    """
    must_be_plain(caller_of(request), data)
    return await backend.answer(partial(_search, backend, data))


@post(
    "/v1/search/picture", status_code=200, role=Role.READER, answers=True, operation_id="search_by_picture",
    summary="Search by picture",
    tags=["answers"], responses={200: _FOUND, **problems(400, 413, 415, 422, 503, 504)},
    operation_class=body_example(
        "multipart/form-data", {"image": "(bytes of a JPEG)", "request": examples.PICTURE_SEARCH}
    ),
)  # fmt: skip
async def search_by_picture(
    data: MultipartBody[PictureSearchForm], request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> SearchResult:
    """Reference cases like the picture, and passages that fit the words where there are any.

    The leak guard is off: a curator looks for the very picture. `alpha`, `strategy`, `fusion`, `hard_negatives` and
    `against` need a researcher.
    """
    must_be_plain(caller_of(request), data.request)
    [picture] = await admitted(backend, [data.image])
    return await backend.answer(partial(_search, backend, data.request, picture))
