"""One index for several machines: published by a writer, followed by the others, whole or not there whatever is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knowledge.errors import StorageFailed
from knowledge.objects import ObjectStorage
from knowledge.registry.generations import Published
from retrieval import search
from retrieval.depot import Depot
from retrieval.errors import IndexBroken, IndexTooLarge
from retrieval.follower import Follower
from retrieval.following import SharedIndex
from retrieval.generation import chroma_of
from retrieval.hybrid import HybridOptions
from retrieval.index import BUILDING
from retrieval.view import IndexReader, View
from tests.fakes import ROOT, Corpus, sha256
from tests.object_storage import S3Server

DEAD = "http://127.0.0.1:9"
KERATOSIS = "Actinic keratosis may be treated with fluorouracil."
FIVE_SECONDS_OFTEN = 60.0  # patience of a busy machine


@dataclass
class Machine:
    """A worker: its folder, and what it shares with the others."""

    corpus: Corpus
    url: str
    endpoint: str
    root: Path
    room: int | None = None
    drop_after_s: float = 600.0
    index: SharedIndex = field(init=False)
    reader: IndexReader = field(init=False)

    def __post_init__(self) -> None:
        storage = ObjectStorage(self.url, self.endpoint)
        self.index = SharedIndex(
            self.root, self.corpus.index.fingerprints, self.corpus.index.dimensions, {},
            depot=lambda key: Depot(storage, key, self.room), generations=self.corpus.registry.generations,
            drop_after_s=self.drop_after_s,
        )  # fmt: skip
        self.reader = IndexReader(self.index, self.corpus.registry, self.corpus.embeddings)

    def generations(self) -> set[str]:
        """What it has."""
        return {path.name for path in self.index.folder.glob("g*")}

    def again(self, **changed: object) -> "Machine":
        """The same machine after a restart."""
        given = {"endpoint": self.endpoint, "room": self.room, "drop_after_s": self.drop_after_s} | changed
        return Machine(self.corpus, self.url, root=self.root, **given)  # type: ignore[arg-type] # as they are named


@dataclass
class Hospital:
    """A writer and another worker."""

    writer: Machine
    worker: Machine
    server: S3Server
    bucket: str

    def build(self) -> Path:
        """A whole build of the writer that is not published."""
        return self.writer.corpus.build()

    def stored(self) -> set[str]:
        """Generations that have objects."""
        storage = ObjectStorage(self.writer.url, self.server.endpoint)
        return {name.split("/")[2] for name in storage.names("indexes")}

    def requests(self, method: str) -> list[str]:
        """Objects that were asked for or sent, of the index."""
        wanted = f"{method} /{self.bucket}/dermacite/indexes/"
        return [line.split(wanted)[1].split()[0] for line in self.server.log.splitlines() if wanted in line]


@pytest.fixture
def hospital(built: Corpus, s3_server: S3Server, tmp_path: Path) -> Hospital:
    bucket = f"b{uuid.uuid4().hex}"
    url = s3_server.bucket(bucket)
    writer = Machine(built, url, s3_server.endpoint, built.home / "indexes")
    worker = Machine(built, url, s3_server.endpoint, tmp_path / "worker" / "indexes")
    current = built.index.current()
    assert current is not None
    writer.index.publish(shutil.copytree(current, current.with_name(f"{BUILDING}{uuid.uuid4().hex[:8]}")))
    return Hospital(writer, worker, s3_server, bucket)


def searched(corpus: Corpus, view: View) -> list[tuple[str, float]]:
    """Passages for a question with their fused scores, best first."""
    ranking = search.passages(view, corpus.encoders, "adapalene for acne", HybridOptions(k=20))
    return [(hit.id, hit.score) for hit in ranking.hits]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + FIVE_SECONDS_OFTEN
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


# --- following -----------------------------------------------------------------------------------------------------


def test_another_machine_fetches_what_is_published_and_finds_the_same(hospital: Hospital, built_home: Path) -> None:
    view = hospital.worker.reader.view()
    assert view.generation is not None
    assert (view.generation.parent.parent, view.delta_size) == (hospital.worker.root, 0)
    corpus = hospital.writer.corpus
    assert searched(corpus, view) == searched(corpus, hospital.writer.reader.view())
    alone = Corpus(built_home)
    assert searched(corpus, view) == searched(alone, alone.reader().view())
    alone.close()
    space, rows = "passages", len(view.passages.ids)
    proposed = chroma_of(view.generation, None).propose(space, corpus.query_vector("acne"), rows)
    assert sorted(proposed.tolist()) == list(range(rows)), "Chroma's copy does not answer"


def test_what_came_since_is_found_at_once_and_a_switch_is_followed(hospital: Hospital) -> None:
    worker, corpus = hospital.worker, hospital.writer.corpus
    first = worker.reader.view().generation
    corpus.add_document("new-guide", [KERATOSIS])
    beside = worker.reader.view()
    assert (beside.generation, beside.delta_size) == (first, 1)
    final = hospital.writer.index.publish(hospital.build())
    after = worker.reader.view()
    assert after.generation is not None
    assert (after.generation.name, after.delta_size) == (final.name, 0)
    assert [one for one, _ in searched(corpus, after)] == [one for one, _ in searched(corpus, beside)]


def test_the_generation_before_stays_for_who_still_fetches_and_the_one_before_that_goes(hospital: Hospital) -> None:
    names = [hospital.writer.reader.view().generation.name]  # type: ignore[union-attr] # it was published
    for number in range(2):
        hospital.worker.reader.view()
        hospital.writer.corpus.add_document(f"guide {number}", [f"{KERATOSIS} {number}"])
        names.append(hospital.writer.index.publish(hospital.build()).name)
    hospital.worker.reader.view()
    kept = set(names[1:])
    assert (hospital.stored(), hospital.writer.generations(), hospital.worker.generations()) == (kept, kept, kept)


def test_a_deletion_leaves_no_earlier_copy_anywhere(hospital: Hospital) -> None:
    hospital.worker.reader.view()
    corpus, index = hospital.writer.corpus, hospital.writer.index
    gone = ["p-acne-guide-1", "p-acne-guide-2"]
    corpus.registry.delete_document(sha256("acne-guide"))
    masked = hospital.worker.reader.view()
    assert masked.masked == 2
    assert index.holds(gone)
    final = index.publish(hospital.build(), keep_previous=False)
    assert (hospital.stored(), hospital.writer.generations()) == ({final.name}, {final.name})
    assert not index.holds(gone)
    assert hospital.worker.index.holds(gone), "its own copy is still there"
    hospital.worker.reader.view()
    assert hospital.worker.generations() == {final.name}
    assert not hospital.worker.index.holds(gone)


def test_a_machine_that_slept_through_a_deletion_and_a_merge_keeps_nothing_from_before(hospital: Hospital) -> None:
    hospital.worker.reader.view()
    corpus = hospital.writer.corpus
    corpus.registry.delete_document(sha256("acne-guide"))
    hospital.writer.index.publish(hospital.build(), keep_previous=False)
    corpus.add_document("new-guide", [KERATOSIS])
    final = hospital.writer.index.publish(hospital.build())
    hospital.worker.reader.view()
    assert hospital.worker.generations() == {final.name}


def test_a_thread_follows_without_being_asked_and_requests_do_not_wait_for_it(hospital: Hospital) -> None:
    worker = hospital.worker
    told: list[int] = []
    follower = Follower(worker.index, worker.reader.view, lambda: told.append(1))
    follower.start()
    wait_until(lambda: len(told) == 1)
    hospital.writer.corpus.registry.delete_document(sha256("acne-guide"))
    final = hospital.writer.index.publish(hospital.build(), keep_previous=False)
    wait_until(lambda: worker.generations() == {final.name} and len(told) == 2)
    follower.stop()


def test_a_second_writer_that_missed_a_switch_publishes_nothing(hospital: Hospital) -> None:
    generations = hospital.writer.corpus.registry.generations
    key = hospital.writer.index.folder.name
    before = generations.published(key)
    with pytest.raises(StorageFailed, match="another writer"):
        generations.publish(key, Published("g00000009-late"), None)
    assert generations.published(key) == before


# --- what fails ----------------------------------------------------------------------------------------------------


def test_a_damaged_object_is_refused_and_the_earlier_index_serves(
    hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    worker, corpus = hospital.worker, hospital.writer.corpus
    first = worker.reader.view().generation
    corpus.add_document("new-guide", [KERATOSIS])
    final = hospital.writer.index.publish(hospital.build())
    damaged = f"indexes/{final.parent.name}/{final.name}/passages.npy"
    hospital.server.damage(hospital.writer.url, damaged, b"not what was sent")
    view = worker.reader.view()
    assert (view.generation, view.delta_size) == (first, 1)
    assert "is damaged. Build it again: dermacite reindex" in caplog.text
    with pytest.raises(IndexBroken, match="dermacite reindex"):
        worker.index.current()
    mended = hospital.writer.index.publish(hospital.build())
    assert worker.again().reader.view().generation == worker.index.folder / mended.name


def test_storage_that_is_down_stops_no_worker_that_has_an_index(hospital: Hospital, tmp_path: Path) -> None:
    worker, corpus = hospital.worker, hospital.writer.corpus
    first = worker.reader.view().generation
    corpus.add_document("new-guide", [KERATOSIS])
    hospital.writer.index.publish(hospital.build())
    view = worker.again(endpoint=DEAD).reader.view()
    assert (view.generation, view.delta_size) == (first, 1)
    new = Machine(corpus, worker.url, DEAD, tmp_path / "new" / "indexes")
    with pytest.raises(StorageFailed, match="dermacite check"):
        new.reader.view()


def test_a_writer_without_storage_publishes_nothing(hospital: Hospital) -> None:
    before = hospital.writer.index.published()
    cut_off = hospital.writer.again(endpoint=DEAD)
    aside = hospital.build()
    with pytest.raises(StorageFailed):
        cut_off.index.publish(aside)
    assert (hospital.writer.index.published(), aside.exists()) == (before, True)


def test_what_was_deleted_does_not_serve_on_where_the_new_index_cannot_be_fetched(hospital: Hospital) -> None:
    hospital.worker.reader.view()
    hospital.writer.corpus.registry.delete_document(sha256("acne-guide"))
    hospital.writer.index.publish(hospital.build(), keep_previous=False)
    late = hospital.worker.again(endpoint=DEAD, drop_after_s=-1.0)
    with pytest.raises(IndexBroken, match="holds what was deleted"):
        late.reader.view()
    assert late.generations() == set()


def test_an_index_that_does_not_fit_is_refused_with_the_number_it_needs(hospital: Hospital, tmp_path: Path) -> None:
    small = Machine(hospital.writer.corpus, hospital.worker.url, hospital.server.endpoint, tmp_path / "s", room=1)
    with pytest.raises(IndexTooLarge, match="index_cache_megabytes allows 1"):
        small.reader.view()
    assert small.generations() == set()


# --- kills ---------------------------------------------------------------------------------------------------------

KILLED = """
import json, os, signal, sys
from pathlib import Path
from unittest import mock
from knowledge.objects import ObjectStorage
from knowledge.registry import Registry
from retrieval.depot import Depot
from retrieval.following import SharedIndex
told = json.load(sys.stdin)
storage = ObjectStorage(told["url"], told["endpoint"])
index = SharedIndex(
    Path(told["root"]), told["fingerprints"], told["dimensions"], {},
    depot=lambda key: Depot(storage, key), generations=Registry.in_folder(Path(told["home"])).generations,
)
owner, name = told["at"].split(".")
target = {"storage": ObjectStorage, "depot": Depot, "index": SharedIndex, "generations": type(index._generations)}[owner]
real, calls = getattr(target, name), []
def dying(*given):
    calls.append(1)
    if len(calls) == told["call"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
with mock.patch.object(target, name, dying):
    index.publish(Path(told["aside"])) if told["aside"] else index.current()
"""


def killed(machine: Machine, at: str, call: int, aside: Path | None = None) -> None:
    """A process of this machine that is killed when it calls something for the n-th time."""
    told = {
        "url": machine.url, "endpoint": machine.endpoint, "root": str(machine.root), "home": str(machine.corpus.home),
        "fingerprints": machine.index.fingerprints, "dimensions": machine.index.dimensions, "at": at, "call": call,
        "aside": str(aside) if aside else "",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", KILLED], input=json.dumps(told), text=True, cwd=ROOT, env=os.environ, check=False
    )
    assert ended.returncode == -signal.SIGKILL, "it ended before the moment it was to be killed at"


@pytest.mark.parametrize("at", ["storage.write_file 9", "generations.publish 1"])
def test_a_writer_killed_while_it_sends_changes_nothing_and_the_next_sends_only_the_rest(
    hospital: Hospital, at: str
) -> None:
    worker, index = hospital.worker, hospital.writer.index
    first = worker.reader.view().generation
    hospital.writer.corpus.add_document("new-guide", [KERATOSIS])
    aside = hospital.build()
    name, _, call = at.partition(" ")
    killed(hospital.writer, name, int(call), aside)
    view = worker.again().reader.view()
    assert (view.generation, view.delta_size) == (first, 1)
    left = hospital.writer.again().index.finished()
    assert left == aside
    final = index.publish(left)
    sent = [one for one in hospital.requests("PUT") if f"/{final.name}/" in one and not one.endswith("listing.json")]
    assert len(sent) == len(set(sent)) > 9, "files that were there already were sent again"
    assert worker.again().reader.view().generation == worker.index.folder / final.name


def test_a_writer_killed_after_the_switch_leaves_an_index_that_serves(hospital: Hospital) -> None:
    hospital.writer.corpus.add_document("new-guide", [KERATOSIS])
    aside = hospital.build()
    killed(hospital.writer, "index._settle", 1, aside)
    index = hospital.writer.again().index
    assert index.unfinished() == []
    view = hospital.worker.again().reader.view()
    assert (view.generation is not None, view.delta_size) == (True, 0)
    assert index.finished() is None
    assert index.folder / str(view.generation and view.generation.name) == index.current()
    assert not aside.exists()


def test_a_worker_killed_while_it_fetches_goes_on_where_it_was(hospital: Hospital) -> None:
    killed(hospital.worker, "depot._fetch_file", 9)
    assert hospital.worker.generations() == set()
    before = hospital.requests("GET")
    view = hospital.worker.reader.view()
    assert view.delta_size == 0
    again = hospital.requests("GET")[len(before) :]
    fetched = [one for one in before if "listing" not in one]
    assert len(fetched) == 8
    assert not set(fetched) & {one for one in again if "listing" not in one}, "files that were here were fetched again"


# --- vectors on a Chroma server ------------------------------------------------------------------------------------


def test_vectors_on_a_server_are_everybodys_until_the_writer_removes_them(
    hospital: Hospital, chroma_server: str, built_home: Path
) -> None:
    corpus, index = hospital.writer.corpus, hospital.writer.index
    corpus.chroma_url = chroma_server
    first = index.publish(hospital.build())
    view = hospital.worker.reader.view()
    assert view.generation is not None
    assert not (view.generation / "chroma").exists()
    store = chroma_of(view.generation, chroma_server)
    assert len(store.propose("passages", corpus.query_vector("acne"), 4)) == 4
    corpus.registry.delete_document(sha256("acne-guide"))
    second = index.publish(hospital.build(), keep_previous=False)
    assert second != first
    hospital.worker.reader.view()
    names = [one.name for one in store._opened().list_collections()]
    assert not [name for name in names if first.name.rpartition("-")[2] in name]
    assert [name for name in names if second.name.rpartition("-")[2] in name]
    assert not index.kept_by_servers()
