"""Style sheets, modules and icons of the pages. They need no key: the page to sign in looks like every other."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import PathParameter

from api.auth import EVERYBODY
from api.content import etag_of, not_modified, whole
from knowledge.errors import NotFound

_FOLDER: Final = Path(__file__).parent / "assets"
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"  # the address changes with the content


@dataclass(frozen=True, slots=True)
class Assets:
    """Every asset by name. `version` is a hash over all of them: modules name each other by relative addresses."""

    files: Mapping[str, bytes]
    version: str

    def address(self, name: str) -> str:
        """Where an asset is served. Raises KeyError for one that is not there, so that a page with it never renders."""
        if name not in self.files:
            raise KeyError(name)
        return f"/assets/{self.version}/{name}"


@cache
def assets() -> Assets:
    """What is installed. Read once: no path from a caller ever opens a file."""
    files = {one.name: one.read_bytes() for one in sorted(_FOLDER.iterdir()) if one.suffix in _TYPES}
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return Assets(files, digest.hexdigest()[:16])


@get("/assets/{version:str}/{name:str}", role=EVERYBODY, rated=False, include_in_schema=False)
async def get_asset(
    version: Annotated[str, PathParameter()], name: Annotated[str, PathParameter()], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """One asset. The address of another version is gone, rather than other content under an address kept for ever."""
    known = assets()
    if version != known.version or name not in known.files:
        raise NotFound("there is no such asset; load the page again")
    etag = etag_of(f"{known.version}-{name}")
    response = not_modified(request, etag) or whole(known.files[name], _TYPES[Path(name).suffix], etag)
    response.headers["Cache-Control"] = _FOREVER
    return response
