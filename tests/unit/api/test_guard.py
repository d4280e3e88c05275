"""Which names are this machine, and which bytes a range means."""

import pytest
from litestar import Litestar, Request, Response, get
from litestar.datastructures import UploadFile
from litestar.testing import TestClient

from api.content import ranged, whole
from api.documents import shown_name
from api.guard import OwnNames, add_hsts, add_security_headers, is_loopback
from api.problems import HANDLERS

BODY = b"0123456789"


@get("/file")
async def file(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
    return ranged(request, BODY, "application/pdf", '"tag"')


@get("/whole")
async def all_of_it() -> Response[bytes]:
    return whole(BODY, "image/webp", '"tag"')


APP = Litestar(
    [file, all_of_it],
    middleware=[OwnNames()],
    before_send=[add_security_headers],
    exception_handlers=HANDLERS,
    logging_config=None,
)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("LOCALHOST", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False), ("", False),
        ("127.0.0.1.evil.example", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_only_loopback_is_this_machine(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", None, 200),
        ("localhost", None, 200),
        ("[::1]:9", None, 200),
        ("evil.example", None, 421),
        ("evil.example:8000", None, 421),
        ("user@127.0.0.1", None, 421),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", 403),
        ("127.0.0.1:8000", "https://evil.example", 403),
        ("127.0.0.1:8000", "null", 403),
    ],
)
def test_foreign_names_and_pages_are_refused(host: str, origin: str | None, status: int) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    with TestClient(APP) as client:
        response = client.get("/whole", headers=headers)
    # A host that is none at all is refused before any route is looked for.
    assert response.status_code in ({400, 421} if "@" in host else {status})
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("derm.example", None, 200),
        ("DERM.example:443", "https://derm.example", 200),
        ("127.0.0.1:8000", "https://derm.example", 200),  # a proxy that puts our name in the place of its own
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
        ("derm.example", "http://derm.example", 403),
        ("derm.example", "http://127.0.0.1:8000", 403),
        ("derm.example", "https://derm.example:8443", 403),
        ("derm.example", "https://derm.example.evil.example", 403),
        ("derm.example:8443", None, 421),
        ("evil.derm.example", None, 421),
        ("derm.example.evil.example", None, 421),
        ("10.0.0.1", None, 421),
    ],
)
def test_the_public_name_is_ours_too(host: str, origin: str | None, status: int) -> None:
    app = Litestar(
        [all_of_it], middleware=[OwnNames("https://derm.example")], before_send=[add_hsts], exception_handlers=HANDLERS,
        logging_config=None,
    )  # fmt: skip
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    with TestClient(app) as client:
        response = client.get("/whole", headers=headers)
    assert response.status_code == status
    assert response.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        (None, 200, BODY, None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, BODY, "bytes 0-9/10"),
        ("bytes=4-99", 206, b"456789", "bytes 4-9/10"),
        ("bytes=0-1,4-5", 200, BODY, None),
        ("lines=0-1", 200, BODY, None),
        ("bytes=-", 200, BODY, None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=5-4", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
def test_ranges(asked: str | None, status: int, body: bytes | None, content_range: str | None) -> None:
    with TestClient(APP, base_url="http://127.0.0.1") as client:
        response = client.get("/file", headers={"Range": asked} if asked else {})
    assert response.status_code == status
    assert response.headers.get("content-range") == content_range
    assert body is None or response.content == body


def test_a_range_of_other_content_is_all_of_it() -> None:
    with TestClient(APP, base_url="http://127.0.0.1") as client:
        response = client.get("/file", headers={"Range": "bytes=0-1", "If-Range": '"older"'})
    assert (response.status_code, response.content) == (200, BODY)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("guideline.pdf", "guideline.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.pdf", "a.pdf"),
        ("a\r\nSet-Cookie: b\x1b[31m.pdf", "aSet-Cookie: b[31m.pdf"),
        ("x" * 999, "x" * 200),
        ("\u202e\x00", "file 3"),
    ],
)
def test_names_are_given_back_harmless(given: str, shown: str) -> None:
    file = UploadFile("application/pdf", given)
    assert shown_name(file, 3) == shown
    file.file.close()
