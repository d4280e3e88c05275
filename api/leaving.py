"""Work that ends when the caller leaves: nobody should wait behind an answer that nobody reads."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from litestar import Request

from api.errors import CallerLeft

T = TypeVar("T")


async def unless_left(request: Request[Any, Any, Any], work: Callable[[], Awaitable[T]]) -> T:
    """What `work` gives. Cancels it when the connection is closed, and raises CallerLeft.

    The body of the request must have been read: what comes after it can only be the end of the connection.
    """
    results: list[T] = []
    failures: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await work())
        except Exception as error:
            failures.append(error)
        group.cancel_scope.cancel()

    async def listen() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(listen)
    if failures:
        raise failures[0]
    if not results:
        raise CallerLeft("the caller closed the connection before the answer was ready")
    return results[0]
