"""Stored bytes over HTTP: entity tags, conditional requests and single ranges (RFC 9110), which Litestar lacks."""

import re
from typing import Any

from litestar import Request, Response

from api.errors import RangeRefused

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")


def etag_of(name: str) -> str:
    """A strong entity tag. `name` stands for content that never changes, such as a sha256."""
    return f'"{name}"'


def not_modified(request: Request[Any, Any, Any], etag: str) -> Response[bytes] | None:
    """304 when the caller holds this content already, else None."""
    held = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    if etag not in known and held.strip() != "*":
        return None
    return Response(b"", status_code=304, headers=_caching(etag))


def whole(data: bytes, media_type: str, etag: str) -> Response[bytes]:
    """200 with all of it."""
    return Response(data, media_type=media_type, headers=_caching(etag))


def ranged(request: Request[Any, Any, Any], data: bytes, media_type: str, etag: str) -> Response[bytes]:
    """206 with the part asked for, or 200 with all of it. Raises RangeRefused for a part that is not there.

    Several ranges, other units and a range of other content (`If-Range`) are answered with all of it, as they may be.
    """
    headers = {**_caching(etag), "Accept-Ranges": "bytes"}
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or not (asked["first"] or asked["last"]) or request.headers.get("if-range", etag) != etag:
        return Response(data, media_type=media_type, headers=headers)
    start, end = _span(asked["first"], asked["last"], len(data))
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return Response(data[start:end], status_code=206, media_type=media_type, headers=headers)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """Half-open. `last` alone counts from the end; a `last` beyond the end means the end."""
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        raise RangeRefused(size)
    return start, end


def _caching(etag: str) -> dict[str, str]:
    # Kept by the one browser that asked, and asked for again each time: what was deleted must be gone.
    return {"ETag": etag, "Cache-Control": "private, no-cache"}
