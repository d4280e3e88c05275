"""More than a hundred kills at random moments of everything that writes; after each, nothing is half there and all is found.

A world is a home that lives through one kill after the other. What a process said before it died must be complete; what it
did not say is wholly there or wholly absent, or a job that can be taken up again. A failure names its seed and its steps.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from knowledge.registry import NewVersion
from knowledge.registry.jobs import JobState
from knowledge.types import Cut, DocumentVersion, Outcome, Page, PageState, Source, VersionState
from retrieval.embeddings import text_key
from retrieval.view import IndexReader
from runtime.doctor import examine
from runtime.jobs import GONE
from tests.integration.killing import Attempt, KilledService, Zygote, digest_of, opened

WORLDS = (11, 12, 13, 14)  # seeds
KILLS = 27  # a world
STEPS = (*range(12), *range(12, 30, 3), *range(30, 61, 10))  # the first one by one: what follows removes many files
PAGES, LINES, PICTURES = 2, 40, 8
MERGE_ABOVE = 30  # items: so that every few ingests build an index
LIVE, DRAFT, SUPERSEDED, RETIRED = VersionState.LIVE, VersionState.DRAFT, VersionState.SUPERSEDED, VersionState.RETIRED
INTAKE = {"registry": 12, "vectors": 4, "files": 4}  # what changes in the home, and how often at least or nearly
WRITES = {
    "approve": 1,
    "retire": 1,
    "delete_version": 2,
    "delete_document": 2,
    "reindex": 1,
    "cases": 6,
}  # transactions
BUILD = {"build": 10, "chroma": 4, "switch": 3}
AIMS = {"reindex": BUILD, "delete_version": {**BUILD, "registry": 2}, "delete_document": {**BUILD, "registry": 2},
        "approve": {"registry": 2}, "retire": {"registry": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started


@pytest.fixture(scope="module")
def usual(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> "Usual":
    return Usual(zygote, tmp_path_factory.mktemp("usual"))


def text_of(number: int, edition: int) -> str:
    """A document of which every line is its own: two hits never tie."""
    pages = (
        "\n".join(f"Guide {number} edition {edition} says w{number}x{edition}x{page}x{at} of the skin." for at in range(LINES))
        for page in range(PAGES)
    )  # fmt: skip
    return f"Guide {number} edition {edition}\n" + "\f".join(pages)


def collection(folder: Path, number: int) -> Path:
    folder.mkdir(parents=True)
    rows = []
    for at in range(PICTURES):
        image = Image.new("RGB", (64, 64), (200, 160, number % 256))
        ImageDraw.Draw(image).ellipse((at * 4, number % 40, at * 4 + 20, 60), fill=(150, at * 9, 60))
        image.save(folder / f"{at}.png")
        caption = f"collection {number} shows lesion {at}"
        rows.append({"picture": f"{at}.png", "label": ("acne", "nevus")[at % 2], "caption": caption})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def new_home(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(f"merge_above = {MERGE_ABOVE}\n")
    return folder


class Usual:
    """How long work takes that nobody kills: the window in which the moments are drawn."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        home = new_home(folder / "home")
        texts = [text_of(number, 0) for number in range(3)]
        self.seconds: dict[str, float] = {}
        self._run(zygote, home, "ingest", {"texts": texts})
        self._run(zygote, home, "ingest", {"texts": [text_of(number, 0) for number in range(3, 6)]})
        self._run(zygote, home, "cases", {"folder": str(collection(folder / "cases", 0))})
        self._run(zygote, home, "cancel_and_retry", {"texts": [text_of(6, 0)]})
        self._run(zygote, home, "reindex", {})
        self._run(zygote, home, "retire", {"version": digest_of(texts[0])})
        self._run(zygote, home, "approve", {"version": digest_of(texts[0])})
        self._run(zygote, home, "delete_version", {"version": digest_of(texts[1])})
        self._run(zygote, home, "delete_document", {"document": digest_of(texts[2])})
        self.seconds["resume"] = self.seconds["worker"] = self.seconds["ingest"]

    def _run(self, zygote: Zygote, home: Path, work: str, arguments: dict[str, Any]) -> None:
        ended = zygote.attempt(home, work, arguments)
        assert (ended.place, ended.error) == ("after", None)
        self.seconds[work] = max(ended.seconds, self.seconds.get(work, 0))


@dataclass
class World:
    """A home, and what is known of it for sure."""

    home: Path
    zygote: Zygote
    rng: random.Random
    states: dict[str, VersionState] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # of every version that was ever sent
    gone: dict[str, str] = field(default_factory=dict)  # passages of deleted versions
    just_gone: dict[str, str] = field(default_factory=dict)  # of those, by the last work
    passages: dict[str, dict[str, str]] = field(default_factory=dict)  # of every version that was ever seen
    collections: dict[str, int] = field(default_factory=dict)  # name -> cases
    places: Counter[str] = field(default_factory=Counter)
    steps: list[str] = field(default_factory=list)
    sent: int = 0

    # --- what is done next -----------------------------------------------------------------------------------------

    def next_work(self) -> tuple[str, dict[str, Any]]:
        with open_closing(self.home) as service:
            open_jobs = service.registry.jobs.ids()
            documents = [one.id for one in service.registry.documents()]
        choices: list[tuple[str, dict[str, Any]]] = [
            ("ingest", {"texts": self.new_texts(3)}), ("ingest", {"texts": self.new_texts(2), "draft": True}),
            ("cases", {"folder": str(self.new_collection())}), ("cancel_and_retry", {"texts": self.new_texts(2)}),
        ]  # fmt: skip
        if open_jobs:
            choices += [("resume", {"job": self.rng.choice(open_jobs)}), ("worker", {})] * 2
        if documents:
            document = self.rng.choice(documents)
            choices += [("ingest", {"texts": self.new_texts(1), "document": document})] * 2
            choices += [("delete_document", {"document": document}), ("reindex", {}), ("reindex", {})]
        for work, of in (
            ("approve", {DRAFT, SUPERSEDED, RETIRED}),
            ("retire", {LIVE, SUPERSEDED}),
            ("delete_version", set(VersionState)),
        ):
            if found := [one for one, state in sorted(self.states.items()) if state in of]:
                choices.append((work, {"version": self.rng.choice(found)}))
        return self.rng.choice(choices)

    def new_texts(self, count: int) -> list[str]:
        texts = []
        for _ in range(count):
            self.sent += 1
            texts.append(text_of(self.sent, self.rng.randrange(9)))
        self.texts.update((digest_of(text), text) for text in texts)
        return texts

    def new_collection(self) -> Path:
        self.sent += 1
        self.collections[f"c{self.sent}"] = 0
        return collection(self.home.parent / "collections" / f"c{self.sent}", self.sent)

    # --- killing ---------------------------------------------------------------------------------------------------

    def killed(self, work: str, arguments: dict[str, Any], usual_s: float) -> Attempt:
        when: dict[str, Any] = {"after": round(self.rng.uniform(0, 1.1) * usual_s, 4)}
        kind = self.rng.random()
        if kind < 0.25:  # or between two transactions
            when = {"write": self.rng.randrange(WRITES.get(work, 6))}
        elif kind < 0.4 and work not in {"approve", "retire"}:  # or between two steps in the file system
            when = {"file_step": self.rng.randrange(3 if work in {"ingest", "resume", "worker"} else 7)}
        elif kind < 0.6:  # or when a file changes, if that is earlier
            aim, times = self.rng.choice(list(AIMS.get(work, INTAKE).items()))
            when = {"moment": aim, "nth": self.rng.randrange(times), "after": round(1.1 * usual_s, 4)}
        told = {name: value for name, value in arguments.items() if name != "texts"}
        self.steps.append(f"{work} {told} killed {when}")
        attempt = self.zygote.attempt(self.home, work, arguments, **when)
        self.places[attempt.place] += 1
        self.steps.append(f"    {attempt.place}: {[one['ack'] for one in attempt.acks]}")
        self.check(work, arguments, attempt)
        return attempt

    def unkilled(self, work: str, arguments: dict[str, Any]) -> Attempt:
        self.steps.append(f"{work} {arguments} to its end")
        attempt = self.zygote.attempt(self.home, work, arguments)
        assert attempt.place == "after"
        self.check(work, arguments, attempt)
        return attempt

    def settle(self) -> None:
        """Every job that a kill left open comes to its end, and what a deletion left goes."""
        self.unkilled("worker", {})
        self.unkilled("reindex", {})

    def arguments_of(self, work: str) -> dict[str, Any]:
        """Of work that is always possible: new editions of one document, new cases, the deletion of another document."""
        with open_closing(self.home) as service:
            [first, *_, last] = sorted(one.id for one in service.registry.documents())
        if work == "ingest":
            return {"texts": self.new_texts(1), "document": last}
        if work == "cases":
            return {"folder": str(self.new_collection())}
        return {"document": first} if work == "delete_document" else {}

    # --- what must hold --------------------------------------------------------------------------------------------

    def check(self, work: str, arguments: dict[str, Any], attempt: Attempt) -> None:
        with open_closing(self.home) as service:
            now = self._versions(service)
            self._check_error(work, arguments, attempt, now)
            self._check_states(work, arguments, attempt, now)
            self._check_whole(service, now)
            self._check_jobs(service, attempt, now)
            self._check_cases(service)
            self._check_search(service, now)
            self._check_gone(service, bool(attempt.said("deleted")), bool(attempt.said("reindexed")))
            # An index that was never built is said to be missing; what is visible is served from memory until then.
            excused = {"index"} if service.index.current() is None else set()
            assert {check.name for check in examine(service) if not check.healthy} <= excused
        self.states = {one.id: one.state for one in now.values()}

    def _versions(self, service: KilledService) -> dict[str, DocumentVersion]:
        found: dict[str, DocumentVersion] = {}
        for document in service.registry.documents():
            versions = service.registry.versions(document.id)
            assert sum(one.state is LIVE for one in versions) <= 1
            found.update((one.id, one) for one in versions)
        for version_id in found.keys() - self.passages.keys():
            self.passages[version_id] = self._passages_of(service, version_id)
        self.just_gone = {}
        for version_id in self.states.keys() - found.keys():
            self.just_gone |= self.passages[version_id]
        self.gone |= self.just_gone
        return found

    def _passages_of(self, service: KilledService, version_id: str) -> dict[str, str]:
        import sqlite3

        with sqlite3.connect(self.home / "registry.sqlite3") as connection:
            rows = connection.execute("SELECT id, text FROM passages WHERE version_id = ?", (version_id,)).fetchall()
        connection.close()
        return dict(rows)

    def _check_error(
        self, work: str, arguments: dict[str, Any], attempt: Attempt, now: dict[str, DocumentVersion]
    ) -> None:
        """The only refusal there may be: of a job for a document that was deleted meanwhile."""
        if attempt.error is not None:
            assert (work, attempt.error[0]) in {("resume", "NotFound")}, attempt.error

    def _check_states(
        self, work: str, arguments: dict[str, Any], attempt: Attempt, now: dict[str, DocumentVersion]
    ) -> None:
        """Every version is what it was, or what the work makes of it; what was said is so."""
        for version_id in self.texts:
            before, after = self.states.get(version_id), now.get(version_id)
            state = after.state if after else None
            if state is not before:
                assert (before, state) in _CHANGES[work], (version_id[:8], before, state)
        for one in attempt.said("outcome"):
            if one["state"] in {Outcome.ADDED, Outcome.UNCHANGED} and one["version"] and work != "cases":
                # A job that goes on tells first what it had told before: that version may have been deleted since.
                gone_before = one["version"] in self.passages and one["version"] not in self.states
                deleted = gone_before and work in {"resume", "worker"}
                assert one["version"] in now or deleted, "an acknowledged version is not there"
        for one in attempt.said("approved"):
            assert now[one["version"]].state is LIVE
        for one in attempt.said("retired"):
            assert now[one["version"]].state is RETIRED
        if attempt.said("deleted"):
            assert arguments.get("version") not in now
            assert arguments.get("document") not in {one.document_id for one in now.values()}
        # A document that had a version in force loses it to another, or by being retired or deleted, and to nothing else.
        if work in {"ingest", "approve", "resume", "worker"}:
            lost = {
                one.document_id for one in now.values() if self.states.get(one.id) is LIVE and one.state is not LIVE
            }
            assert lost <= {one.document_id for one in now.values() if one.state is LIVE}

    def _check_whole(self, service: KilledService, now: dict[str, DocumentVersion]) -> None:
        for version in now.values():
            assert service.blobs.get(version.id).decode() == self.texts[version.id]
            passages = service.registry.texts_of_version(version.id)
            assert len(passages) == version.passage_count > 3
            assert len(service.registry.pages(version.id)) == PAGES
            assert "".join(passages).count("Guide") >= PAGES * LINES
            if version.superseded_by in now:
                assert version.state in {SUPERSEDED, RETIRED}

    def _check_jobs(self, service: KilledService, attempt: Attempt, now: dict[str, DocumentVersion]) -> None:
        """What was accepted is there; a file that is at its end in a job is in the registry, and was added once."""
        for one in attempt.said("accepted"):
            assert service.registry.jobs.job(one["job"]).items
        for one in attempt.said("ended"):
            assert service.registry.jobs.job(one["job"]).state == one["state"]
        added: Counter[str] = Counter()
        for job_id in service.registry.jobs.ids([*JobState]):
            job = service.registry.jobs.job(job_id)
            for item in job.items if job.kind == "ingest_documents" else ():
                if item.outcome is None:
                    assert item.file is None or service.blobs.get(item.file)
                    assert item.file not in now, "a version came in and its job does not know"
                elif item.outcome.state is Outcome.ADDED:
                    added[str(item.outcome.version)] += 1
                else:
                    assert item.outcome.message == GONE
        assert set(added.values()) <= {1}
        assert now.keys() <= added.keys()

    def _check_cases(self, service: KilledService) -> None:
        found = Counter(guard.dataset for guard in service.registry.case_guards())
        for name, before in self.collections.items():
            assert found[name] in ({PICTURES} if before else {0, PICTURES}), "a collection is half there"
            self.collections[name] = found[name]
        view = service.reader.view()
        assert len(view.cases.ids) == sum(found.values())

    def _check_search(self, service: KilledService, now: dict[str, DocumentVersion]) -> None:
        """What is found is what an exact ranking of the visible passages finds, through Chroma too."""
        visible = [item for one in now.values() if one.state is LIVE for item in self.passages[one.id].items()]
        view = service.reader.view()
        alive = {item for item, there in zip(view.passages.ids, view.passages.alive, strict=True) if there}
        assert alive == {item for item, _ in visible}
        if not visible:
            return
        encoder = service.encoders.passages
        matrix = encoder.encode_documents([text for _, text in visible])
        for number in range(3):
            query = encoder.encode_queries([f"question {number} of {self.sent}"])[0]
            order = np.argsort(-(matrix @ query), kind="stable")[:8]
            rows, _ = view.passages.vectors.search(query, 8, view.passages.alive)
            assert [view.passages.ids[row] for row in rows] == [visible[at][0] for at in order]
        item, text = self.rng.choice(visible)
        [best, *_] = service.lookup.search(text).passages
        assert (best.id, best.text) == (item, text)

    def _check_gone(self, service: KilledService, deleted: bool, reindexed: bool) -> None:
        view = service.reader.view()
        there = {item for item, present in zip(view.passages.ids, view.present, strict=True) if present}
        assert there.isdisjoint(self.gone)
        assert service.registry.passages(sorted(self.gone)) == {}
        # What an earlier deletion left when it was killed goes with the next reindex.
        gone = self.gone if reindexed else self.just_gone
        if gone and (deleted or reindexed):
            assert not service.index.holds(gone)
            assert service.embeddings.keys().isdisjoint(map(text_key, gone.values()))
            files = [file for file in service.home.indexes.rglob("*") if file.is_file()]
            words = [text[:48].encode() for text in gone.values()]
            assert not [file.name for file in files if any(map(file.read_bytes().__contains__, words))]
        if reindexed:
            assert set(service.blobs.digests()) == service.registry.blobs_in_use()
            assert service.index.unfinished() == []


_Changes = set[tuple[VersionState | None, VersionState | None]]
_ADDED: _Changes = {(None, LIVE), (None, DRAFT), (LIVE, SUPERSEDED)}
_DELETED: _Changes = {(state, None) for state in VersionState}
_CHANGES: dict[str, _Changes] = {
    "ingest": _ADDED, "resume": _ADDED,
    "worker": _ADDED | {(None, SUPERSEDED)},  # two jobs, one after the other
    "cancel_and_retry": _ADDED, "cases": set(), "reindex": set(),
    "approve": {(DRAFT, LIVE), (SUPERSEDED, LIVE), (RETIRED, LIVE), (LIVE, SUPERSEDED)},
    "retire": {(LIVE, RETIRED), (SUPERSEDED, RETIRED)}, "delete_version": _DELETED, "delete_document": _DELETED,
}  # fmt: skip


@pytest.mark.parametrize("seed", WORLDS)
def test_whatever_is_killed_nothing_is_half_there_and_nothing_acknowledged_is_lost(
    seed: int, zygote: Zygote, usual: Usual, tmp_path: Path
) -> None:
    world = World(new_home(tmp_path / "home"), zygote, random.Random(seed))
    try:
        world.unkilled("ingest", {"texts": world.new_texts(3)})
        for number in range(KILLS):
            work, arguments = world.next_work()
            world.killed(work, arguments, usual.seconds[work])
            if number % 9 == 8:
                world.settle()
        world.settle()
    except BaseException:
        print(f"seed {seed}", *world.steps, sep="\n")  # noqa: T201 (pytest shows it with the failure)
        raise
    # A test whose processes were dead or done before they were killed would pass whatever they do.
    assert world.places["inside"] >= KILLS / 3, world.places


LEAST_STEPS = {
    ("write", "ingest"): 5, ("write", "cases"): 4, ("write", "delete_document"): 2, ("write", "reindex"): 0,
    ("file_step", "ingest"): 1, ("file_step", "cases"): 8, ("file_step", "delete_document"): 5, ("file_step", "reindex"): 4,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["write", "file_step"])
@pytest.mark.parametrize("work", ["ingest", "cases", "delete_document", "reindex"])
def test_between_any_two_steps_of_what_writes_nothing_is_half_there(
    kind: str, work: str, zygote: Zygote, tmp_path: Path
) -> None:
    """Not at random: after the first transaction, after the second and so on, until there is none left to die after."""
    world = World(new_home(tmp_path / "home"), zygote, random.Random(5))
    world.unkilled("ingest", {"texts": world.new_texts(7)})  # enough for an index
    for nth in STEPS:
        with open_closing(world.home) as service:
            service.index.sweep()  # else the first steps would be those of removing what the kill before left
        arguments = world.arguments_of(work)
        attempt = zygote.attempt(world.home, work, arguments, **{kind: nth})
        world.check(work, arguments, attempt)
        if attempt.place == "after":
            break
        if work == "delete_document" and len(world.states) < 3:
            world.unkilled("ingest", {"texts": world.new_texts(2)})
    assert attempt.error is None
    assert attempt.place == "after" or kind == "file_step"  # a deletion removes a whole index, file by file
    assert nth >= LEAST_STEPS[kind, work]
    world.settle()


# --- inside Chroma's flush ---------------------------------------------------------------------------------------------

DRAWN, FLUSHES = 1_500, 12  # vectors in one collection; kills of a whole process group inside one of their flushes
BUILDS = 6  # kills of the build alone
QUERIES = 6


def drawn_home(folder: Path) -> Path:
    """A home with one document of many passages, whose vectors are drawn: nobody waits for an encoder or a chunker."""
    home = new_home(folder)
    with open_closing(home) as service:
        rng = np.random.default_rng(7)
        text = "\n".join(f"sentence {number} says {rng.integers(10**9)} of the skin" for number in range(DRAWN))
        cuts, start = [], 0
        for number, line in enumerate(text.split("\n")):
            cuts.append((f"p-{number:05}", Cut(start, start + len(line), line, 1, 1, (), 8)))
            start += len(line) + 1
        pages = [Page(1, 0, len(text), PageState.TEXT)]
        version = service.blobs.put(text.encode())
        new = NewVersion(version, Source("Drawn"), len(text), version, pages, cuts)
        encoder = service.encoders.passages
        texts = [cut.text for _, cut in cuts]
        service.embeddings.put(encoder.fingerprint, [text_key(one) for one in texts], encoder.encode_documents(texts))
        service.registry.add_version(new)
    return home


@contextmanager
def open_closing(home: Path) -> Iterator[KilledService]:
    service = opened(home)
    try:
        yield service
    finally:
        service.close()


def assert_serves_as_before(home: Path, serving: str) -> None:
    """The same generation, whole, and Chroma in it proposes the exact neighbours."""
    with open_closing(home) as service:
        current = service.index.current()
        assert current is not None
        assert current.name == serving
        assert all(check.healthy for check in examine(service))
        exact = service.reader.view().passages.vectors
        through_chroma = IndexReader(service.index, service.registry, service.embeddings, exact_below=1).view().passages
        encoder = service.encoders.passages
        same = 0
        for query in encoder.encode_queries([f"question {number}" for number in range(QUERIES)]):
            rows, _ = through_chroma.vectors.search(query, 10)
            same += len(set(rows.tolist()) & set(exact.search(query, 10)[0].tolist()))
        assert through_chroma.vectors.degraded is None
        assert same >= 0.9 * 10 * QUERIES


@pytest.fixture(scope="module")
def drawn(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a home with an index."""
    home = drawn_home(tmp_path_factory.mktemp("drawn") / "home")
    assert zygote.attempt(home, "reindex").said("reindexed")
    return home


def serving_in(home: Path) -> str:
    with open_closing(home) as service:
        current = service.index.current()
        assert current is not None
        return current.name


def test_a_kill_inside_a_flush_of_chroma_costs_the_build_alone(zygote: Zygote, drawn: Path) -> None:
    serving = serving_in(drawn)
    rng = random.Random(21)
    inside = 0
    for _ in range(FLUSHES):
        attempt = zygote.attempt(drawn, "reindex", moment="flush", nth=rng.randrange(10))
        for ack in attempt.said("reindexed"):
            serving = ack["generation"]
        builds = list((drawn / "indexes").glob("*/.building-*"))
        inside += attempt.place == "inside" and len(builds) == 1 and not (builds[0] / "manifest.json").exists()
        assert_serves_as_before(drawn, serving)
    assert inside >= FLUSHES / 2


def test_an_index_build_that_is_killed_alone_is_reported_and_the_old_one_serves(zygote: Zygote, drawn: Path) -> None:
    serving = serving_in(drawn)
    for seed in range(BUILDS):
        attempt = zygote.attempt(drawn, "reindex", kill_build=("flush", "build", "chroma")[seed % 3], seed=seed)
        assert attempt.error is not None
        assert attempt.error[0] == "BuildFailed"
        assert "its process ended with code -9); the old one still serves" in attempt.error[1]
        assert_serves_as_before(drawn, serving)
        assert not list((drawn / "indexes").glob("*/.building-*"))
