"""Marked words, names and pictures go through every route of a real server; then everything it wrote is searched for them.

What is written: both of its outputs, its home folder, its temporary files (also those it holds open without a name), the
user's folders, its metrics. A caller's files of guidelines are knowledge and are kept; their names stand in the list of jobs
and nowhere else.
"""

import base64
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from knowledge.pictures import PictureLimits, admit_picture
from runtime.service import Service
from tests.marked_caller import Caller, consult, exchange, look, raw, teach
from tests.marks import Marks, found_in, photograph, spellings
from tests.real_server import RealServer, real_server

pytestmark = pytest.mark.timeout(1_200)  # a server, or a knowledge base, is made for all of them

KEPT_IN = {"job_items"}  # the table that holds the names of uploaded guidelines
SETTINGS = 'keep_answers = true\nlog_format = "json"\n'
REPEATED = {"unknown_field", "key"}  # names of fields: an error must say which one it does not know


def test_a_mark_is_found_in_every_spelling() -> None:
    for before in ("", "a", "ab"):
        packed = base64.b64encode(f"{before}zq001noteqz and more".encode())
        assert any(one in packed.lower() for one in spellings("zq001noteqz"))


def written(server: RealServer) -> Iterator[tuple[str, bytes]]:
    """Every file the process wrote, also those it holds open without a name, by where it was found."""
    for root in (server.folder, server.home):
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(root)), path.read_bytes()
            yield f"the name {path.relative_to(root)}", str(path).encode()
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        if link.is_symlink() and str(link.readlink()).endswith("(deleted)"):
            yield f"an open file: {link.readlink()}", link.read_bytes()


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory, sample_service: Service) -> Iterator[tuple[Caller, RealServer]]:
    """A server to which everything has been sent; answers are remembered, so that also that table is looked at."""
    folder = tmp_path_factory.mktemp("privacy")
    shutil.copytree(sample_service.home.root, folder / "home", symlinks=True)
    served = real_server(folder / "home", folder / "written", SETTINGS)
    with served as server, httpx.Client(base_url=server.url, timeout=120) as client:
        caller = Caller(client, Marks(), Marks())
        for step in (consult, exchange, raw, look, teach):
            step(caller)
        yield caller, server


def test_nothing_of_a_caller_is_written_anywhere(caller: tuple[Caller, RealServer]) -> None:
    sender, server = caller
    assert len(sender.marks.sent) > 65
    assert len(sender.statuses) > 60
    places = list(written(server))
    assert any(name.endswith("registry.sqlite3") for name, _ in places)
    assert any(b"running on" in data for name, data in places if name == "told")
    assert {name: found for name, data in places if (found := found_in(data, sender.marks))} == {}


def test_no_part_of_a_picture_is_written_anywhere(caller: tuple[Caller, RealServer]) -> None:
    sender, server = caller
    for data in (photograph(sender.marks, 1), photograph(sender.marks, 2, "PNG")):
        parts = [data[at : at + 48] for at in range(len(data) // 2, len(data) - 48, len(data) // 9)]
        pixels = admit_picture(data, PictureLimits()).rgb.tobytes()
        parts.append(pixels[len(pixels) // 2 :][:48])
        assert [name for name, held in written(server) if any(part in held for part in parts)] == []


def test_no_error_repeats_what_was_sent(caller: tuple[Caller, RealServer]) -> None:
    sender, _ = caller
    assert len(sender.problems) > 60
    assert [text for text in sender.problems if set(found_in(text.encode(), sender.marks)) - REPEATED] == []


def test_names_of_guidelines_stand_in_the_list_of_jobs_alone(caller: tuple[Caller, RealServer]) -> None:
    sender, server = caller
    assert len(sender.names.sent) == 3
    holding = {name for name, data in written(server) if found_in(data, sender.names)}
    assert holding <= {"registry.sqlite3", "registry.sqlite3-wal"}
    with contextlib.closing(sqlite3.connect(f"file:{server.home / 'registry.sqlite3'}?mode=ro", uri=True)) as registry:
        tables = [name for (name,) in registry.execute("select name from sqlite_master where type = 'table'")]
        rows = {table: repr(registry.execute(f'select * from "{table}"').fetchall()).encode() for table in tables}
    assert {table for table, text in rows.items() if found_in(text, sender.names)} == KEPT_IN


def test_no_metric_and_no_later_answer_knows_what_was_sent(caller: tuple[Caller, RealServer]) -> None:
    sender, _ = caller
    for path in (
        "/metrics",
        "/health/live",
        "/health/ready",
        "/v1/audit",
        "/v1/documents",
        "/v1/datasets",
        "/v1/coverage",
    ):
        answer = sender.client.get(path)
        assert (path, answer.status_code) in {(path, 200), ("/metrics", 404)}
        assert found_in(answer.content, sender.marks) == []
        assert found_in(answer.content, sender.names) == []
