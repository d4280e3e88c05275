"""kill -9 at any moment leaves nothing, or something a following run completes; what served before still serves."""

import io
import json
import os
import random
import runpy
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

import runtime
from knowledge.types import Outcome
from runtime.curation import Curator
from runtime.doctor import examine
from runtime.jobs import Upload
from runtime.service import Service

PROJECT = Path(runtime.__file__).parent.parent
SCRIPT = Path(__file__).with_name("light_process.py")
CASES = 70  # three batches
DEADLINE_S = 240  # a busy machine is no failure

open_light: Callable[[Path], Service] = runpy.run_path(str(SCRIPT))["open_light"]


# --- what is taken in --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    rows = []
    for number in range(CASES):
        image = Image.new("RGB", (96, 96), (200, 160, 140))
        ImageDraw.Draw(image).ellipse((number, 5, number + 20, 60), fill=(150, 40, number))
        image.save(folder / f"{number}.png")
        label = ("acne", "nevus")[number % 2]
        rows.append({"picture": f"{number}.png", "label": label, "caption": f"{label} number {number}"})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def guidelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guidelines")
    for name in ("one", "two"):
        buffer = io.BytesIO()
        canvas = Canvas(buffer, pagesize=A5, invariant=True)
        for page in range(12):
            for line in range(30):
                canvas.drawString(
                    40, 560 - 16 * line, f"{name}: sentence {line} of page {page} speaks of {line * page} mg."
                )
            canvas.showPage()
        canvas.save()
        (folder / f"{name}.pdf").write_bytes(buffer.getvalue())
    return folder


# --- processes that are killed -----------------------------------------------------------------------------------------

Moment = Callable[[Path], bool]


def first_blob(home: Path) -> bool:
    return any((home / "blobs").glob("??/*"))


def first_vectors(home: Path) -> bool:
    return (home / "embeddings.sqlite3").exists()


def build_begins(home: Path) -> bool:
    return any((home / "indexes").glob("*/.building-*"))


def chroma_is_written(home: Path) -> bool:
    return any((home / "indexes").glob("*/.building-*/chroma/chroma.sqlite3"))


def build_is_done(home: Path) -> bool:
    return any((home / "indexes").glob("*/.building-*/manifest.json"))


def kill_at(home: Path, arguments: Sequence[str | Path], moment: Moment | float) -> int:
    """Run a command and kill its process at a moment, or after so many seconds; its exit code (-9 when it was killed)."""
    command = [sys.executable, str(SCRIPT), "--home", str(home), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if isinstance(moment, float):
            process.wait(moment)
        else:
            until(lambda: process.poll() is not None or moment(home))
    except subprocess.TimeoutExpired:
        pass
    process.send_signal(signal.SIGKILL)
    return process.wait()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.002)


def orphans(home: Path) -> list[int]:
    """Ids of index builds for `home` that outlived the process that started them."""
    wanted = [b"runtime.index_child", str(home.resolve()).encode()]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if all(word in words for word in wanted):
            found.append(int(process.name))
    return found


@contextmanager
def opened(home: Path) -> Iterator[Service]:
    service = open_light(home)
    yield service
    service.close()


def assert_healthy(service: Service) -> None:
    bad = [check for check in examine(service) if not check.healthy and check.name != "index"]
    assert bad == []
    # An index that was never built is said to be missing; what is visible is served from memory until then.
    if service.index.current() is not None:
        assert all(check.healthy for check in examine(service))


def random_moments(seed: int, count: int) -> list[float]:
    rng = random.Random(seed)
    return [round(rng.uniform(0.8, 2.5), 3) for _ in range(count)]


# --- the tests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [first_blob, build_begins, build_is_done, *random_moments(1, 1)])
def test_a_killed_ingest_of_cases_shows_all_of_them_or_none(
    tmp_path: Path, collection: Path, moment: Moment | float
) -> None:
    home = tmp_path / "home"
    kill_at(home, ("ingest", "cases", collection), moment)
    with opened(home) as service:
        counts = service.registry.counts()
        assert counts["cases"] in {0, CASES}
        assert len(service.reader.view().cases.ids) == counts["cases"]
        assert_healthy(service)
        until(lambda: not orphans(home))
        outcomes = Curator(service).ingest_cases(collection, None)
        expected = Outcome.UNCHANGED if counts["cases"] else Outcome.ADDED
        assert {one.state for one in outcomes} == {expected}
        assert service.registry.counts()["cases"] == CASES
        assert service.index.unfinished() == []
        assert all(check.healthy for check in examine(service))


@pytest.mark.parametrize("moment", [first_vectors, chroma_is_written, *random_moments(2, 1)])
def test_a_killed_ingest_of_documents_shows_each_of_them_whole_or_not_at_all(
    tmp_path: Path, guidelines: Path, moment: Moment | float
) -> None:
    home = tmp_path / "home"
    kill_at(home, ("ingest", "documents", guidelines), moment)
    with opened(home) as service:
        for document in service.registry.documents():
            assert len(service.registry.texts_of_version(document.version.id)) == document.version.passage_count > 10
            assert len(service.registry.pages(document.version.id)) == 12
        visible = service.registry.counts()
        assert len(service.reader.view().passages.ids) == visible["passages"]
        assert_healthy(service)
        until(lambda: not orphans(home))
        uploads = [Upload(file.name, file.read_bytes) for file in sorted(guidelines.glob("*.pdf"))]
        outcomes = Curator(service).ingest_documents(uploads)
        assert [one.state for one in outcomes].count(Outcome.UNCHANGED) == visible["documents"]
        assert service.registry.counts()["documents"] == 2
        assert service.index.unfinished() == []
        assert all(check.healthy for check in examine(service))


@pytest.fixture
def home_with_cases(tmp_path: Path, collection: Path) -> Path:
    with opened(tmp_path / "home") as service:
        Curator(service).ingest_cases(collection, None)
    return tmp_path / "home"


def test_a_killed_reindex_leaves_the_old_generation_serving_and_the_next_one_sweeps(home_with_cases: Path) -> None:
    home = home_with_cases
    with opened(home) as service:
        serving = service.index.current()
        for moment in (build_begins, build_is_done):
            service.index.sweep()
            assert kill_at(home, ("reindex",), moment) == -signal.SIGKILL
            until(lambda: not orphans(home))
            assert service.index.current() == serving
            assert len(service.index.unfinished()) == 1
            view = service.reader.view()
            assert (view.generation, len(view.cases.ids), view.delta_size) == (serving, CASES, 0)
            checks = {check.name: check for check in examine(service)}
            assert all(check.healthy for check in checks.values())
            assert "1 unfinished builds" in checks["leftovers"].detail
        Curator(service).reindex()
        assert service.index.unfinished() == []
        assert service.index.current() != serving
        assert all(check.healthy for check in examine(service))


def index_of_others_stands(home: Path) -> bool:
    return len(list((home / "indexes").glob("*/current"))) == 2


@pytest.mark.parametrize("moment", [build_begins, build_is_done, index_of_others_stands, *random_moments(3, 1)])
def test_a_killed_switch_of_encoders_leaves_the_old_ones_serving_or_the_new(
    home_with_cases: Path, tmp_path: Path, moment: Moment | float
) -> None:
    home = home_with_cases
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"other weights")
    switch = ("reindex", "--encoder", f"captions=minilm@{tmp_path / 'weights'}")
    with opened(home) as service:
        serving = service.index.current()
    kill_at(home, switch, moment)
    until(lambda: not orphans(home))
    switched = (home / "encoders.json").exists()
    with opened(home) as service:
        assert (service.index.current() == serving) is not switched
        assert len(service.reader.view().cases.ids) == CASES
        assert all(check.healthy for check in examine(service))
        Curator(service).reindex()
        assert service.index.unfinished() == []


def test_searches_go_on_while_an_index_is_built(home_with_cases: Path) -> None:
    """Their times during a build are those without it: its process takes a core, never the lock of a reader."""
    with opened(home_with_cases) as service:
        query = service.reader.view().cases.pictures.take(np.array([0]))[0]

        def search_s() -> float:
            started = time.perf_counter()
            service.reader.view().cases.pictures.search(query, 10)
            return time.perf_counter() - started

        def times(going: Callable[[], bool]) -> list[float]:
            found = []
            while going():
                found.append(search_s())
                time.sleep(0.002)
            return found

        countdown = iter(range(200))
        quiet = times(lambda: next(countdown, None) is not None)
        with ThreadPoolExecutor(1) as writer:
            building = writer.submit(Curator(service).reindex)
            busy = times(lambda: not building.done())
            before = service.index.current()
        assert building.result() == before
        assert len(busy) > 50, "the build was over before it was measured"
        # A search that waited for the build would take as long as it: seconds.
        assert statistics.median(busy) < 5 * statistics.median(quiet) + 0.01
        assert sorted(busy)[int(0.95 * len(busy))] < 0.25


def test_a_build_that_outlives_its_killed_parent_does_no_harm(home_with_cases: Path) -> None:
    home = home_with_cases
    assert kill_at(home, ("reindex",), build_begins) == -signal.SIGKILL
    assert orphans(home) != [], "the build ended with its parent: this test no longer tests anything"
    with opened(home) as service:
        # The lock is free although the orphan still writes: the next writer neither waits for it nor trips over it.
        with service.home.writing(lambda: pytest.fail("the orphan held the writer's lock")):
            pass
        mine = Curator(service).reindex()
        until(lambda: not orphans(home))
        assert service.index.current() == mine
        assert all(check.healthy for check in examine(service))
        Curator(service).reindex()
        assert service.index.unfinished() == []


def deleted(home: Path) -> bool:
    """Whether the document is invisible; looked at from outside, as a reader would."""
    import sqlite3

    with sqlite3.connect(f"file:{home / 'registry.sqlite3'}?mode=ro", uri=True) as connection:
        (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
    connection.close()
    return bool(documents == 0)


def test_what_a_killed_deletion_left_is_removed_by_reindex(tmp_path: Path, guidelines: Path) -> None:
    home = tmp_path / "home"
    with opened(home) as service:
        (outcome,) = Curator(service).ingest_documents([Upload("one.pdf", (guidelines / "one.pdf").read_bytes)])
        passages = [item for item, _ in service.registry.passage_texts()]
    assert kill_at(home, ("documents", "delete", str(outcome.id)), deleted) == -signal.SIGKILL
    until(lambda: not orphans(home))
    with opened(home) as service:
        assert service.registry.passages(passages) == {}
        view = service.reader.view()
        assert not view.passages.alive.any()
        assert all(check.healthy for check in examine(service))
        Curator(service).reindex()
        assert not service.index.holds(passages)
        assert list(service.blobs.digests()) == []
        assert service.embeddings.keys() == frozenset()
