"""A disk that is full or read-only: one clear sentence, exit code 1, nothing lost; with space again the same command works.

Full is a limit on the size of any file, drawn anew each time, so that another file is the one that does not fit: the log of
the registry, the vectors, a stored file, an array or a graph of the new index.
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knowledge.registry.jobs import JobState
from knowledge.types import VersionState
from runtime.doctor import examine
from tests.integration.killing import Attempt, Zygote, digest_of
from tests.integration.test_kill_often import (
    MERGE_ABOVE,
    PICTURES,
    collection,
    new_home,
    open_closing,
    text_of,
)

LIMITS = 14  # a command
OURS = {"StorageFailed", "EmbeddingsFailed", "BuildFailed", "IndexBroken", "RuntimeRefused"}


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started


@pytest.fixture
def home(zygote: Zygote, tmp_path: Path) -> Path:
    """Two documents and an index of them; a third has a draft."""
    made = new_home(tmp_path / "home")
    done = zygote.attempt(made, "ingest", {"texts": [text_of(1, 1), text_of(2, 1)]})
    assert done.error is None
    assert zygote.attempt(made, "ingest", {"texts": [text_of(3, 1)], "draft": True}).error is None
    return made


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    for number in (4, 5, 6):
        (folder / f"{number}.pdf").write_text(text_of(number, 1))
    return folder


def assert_nothing_is_lost(home: Path, *numbers: int) -> None:
    """These documents are whole and found, every other that is there is whole too, and the doctor is content."""
    with open_closing(home) as service:
        there = {one.version.id: one.version for one in service.registry.documents()}
        assert {digest_of(text_of(number, 1)) for number in numbers} <= there.keys()
        for version in there.values():
            assert len(service.registry.texts_of_version(version.id)) == version.passage_count > 3
            service.blobs.get(version.id)
            if version.state is VersionState.LIVE:
                [text, *_] = service.registry.texts_of_version(version.id)
                assert service.lookup.search(text).passages[0].text == text
        assert len(service.registry.case_guards()) in {0, PICTURES}
        assert [check for check in examine(service) if not check.healthy] == []
        assert service.registry.integrity_problems() == []


def limits(seed: int) -> list[int]:
    """Bytes, the tightest first. The registry has about 200 KB after a while, an index file a few."""
    rng = random.Random(seed)
    drawn = [rng.choice((8_192, 60_000, 400_000)) for _ in range(LIMITS)]
    return sorted(map(rng.randrange, drawn))


def said(attempt: Attempt) -> tuple[int, str]:
    [told] = attempt.said("command")
    return told["code"], told["stderr"]


def command(zygote: Zygote, home: Path, words: list[str], **how: Any) -> bool:
    """Whether it succeeded. Where not, it must have said so in one sentence."""
    code, stderr = said(zygote.attempt(home, "command", {"words": words}, **how))
    if code == 0:
        return True
    *_, last = stderr.strip().splitlines()
    assert code == 1, stderr
    assert last.startswith("Refused: "), stderr
    assert stderr.count("Refused: ") == 1
    assert "Traceback" not in stderr
    assert any(word in last for word in ("disk", "permission", "still serves", "cannot be written")), last
    return False


@pytest.mark.parametrize("what", ["documents", "cases", "delete", "reindex"])
def test_a_command_on_a_full_disk_is_refused_loses_nothing_and_works_again_with_space(
    what: str, zygote: Zygote, home: Path, incoming: Path, tmp_path: Path
) -> None:
    words = {
        "documents": ["ingest", "documents", str(incoming)],
        "cases": ["ingest", "cases", str(collection(tmp_path / "cases", 1))],
        "delete": ["documents", "delete", digest_of(text_of(1, 1))],
        "reindex": ["reindex"],
    }[what]
    stay = (2, 3) if what == "delete" else (1, 2, 3)
    refused = 0
    for limit in limits(len(what)):
        if command(zygote, home, words, file_limit=limit):
            break
        refused += 1
        if what == "delete":
            with open_closing(home) as service:
                if not service.registry.has_version(digest_of(text_of(1, 1))):
                    break  # it is deleted, and what is left of it goes with the next reindex
        assert_nothing_is_lost(home, *stay)
    assert refused > 0
    if what != "delete":
        assert command(zygote, home, words)
    assert command(zygote, home, ["reindex"])
    assert_nothing_is_lost(home, *stay, *((4, 5, 6) if what == "documents" else ()))
    with open_closing(home) as service:
        assert service.registry.has_version(digest_of(text_of(1, 1))) is (what != "delete")
        assert len(service.registry.case_guards()) == (PICTURES if what == "cases" else 0)
        assert service.index.unfinished() == []


@pytest.mark.parametrize("work", ["approve", "retire", "delete_version"])
def test_what_curators_do_on_a_full_disk_is_refused_whole(work: str, zygote: Zygote, home: Path) -> None:
    version = digest_of(text_of(3 if work == "approve" else 1, 1))
    places: Counter[str] = Counter()
    for limit in limits(len(work)):
        with open_closing(home) as service:
            before = service.registry.version(version).state
        attempt = zygote.attempt(home, work, {"version": version}, file_limit=limit)
        places["refused" if attempt.error else "done"] += 1
        with open_closing(home) as service:
            if not service.registry.has_version(version):
                assert work == "delete_version"
                break
            after = service.registry.version(version).state
        if attempt.error is None:
            assert after is not before
            break
        assert attempt.error[0] in OURS, attempt.error
        assert_nothing_is_lost(home, 2)
    assert places["refused"] > 0


@pytest.mark.parametrize("words", [["reindex"], ["ingest", "documents"]])
def test_an_index_that_does_not_fit_is_not_switched_to_and_leaves_nothing_behind(
    words: list[str], zygote: Zygote, home: Path, incoming: Path
) -> None:
    (home / "settings.toml").write_text("merge_above = 5\n")
    with open_closing(home) as service:
        serving = service.index.current()
    words = [*words, str(incoming)] if len(words) > 1 else words
    refused = 0
    for limit in limits(len(words)):
        if words == ["reindex"] or not refused:
            refused += not command(zygote, home, words, build_limit=limit)
    with open_closing(home) as service:
        assert refused > 0
        assert service.index.unfinished() == []
        if words != ["reindex"]:
            assert service.index.current() == serving
            assert len(service.registry.documents()) == 6, "what was acknowledged is in, beside the index that serves"
    assert command(zygote, home, words)
    assert_nothing_is_lost(home, 1, 2, 3)


def test_a_job_that_met_a_full_disk_is_finished_when_there_is_space(zygote: Zygote, home: Path) -> None:
    with open_closing(home) as service:
        before = set(service.registry.jobs.ids([*JobState]))
    texts = [text_of(number, 1) for number in (4, 5, 6)]
    attempt = next(
        one for limit in range(40_000, 400_000, 20_000)
        if (one := zygote.attempt(home, "ingest", {"texts": texts}, file_limit=limit)).said("accepted") and one.error
    )  # fmt: skip
    [ack] = attempt.said("accepted")
    with open_closing(home) as service:
        assert set(service.registry.jobs.ids([*JobState])) > before
        job = service.registry.jobs.job(ack["job"])
        if job.state is JobState.FAILED and job.open_items:
            service.registry.jobs.retry(job.id, "ann")
    assert zygote.attempt(home, "worker").error is None
    assert_nothing_is_lost(home, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("words", [
    ["ingest", "documents"], ["ingest", "cases"], ["documents", "delete", digest_of(text_of(1, 1))], ["reindex"],
])  # fmt: skip
def test_a_command_on_a_read_only_home_is_refused_at_once_and_changes_nothing(
    words: list[str], zygote: Zygote, home: Path, incoming: Path, tmp_path: Path
) -> None:
    if words[0] == "ingest":
        words = [*words, str(incoming if words[1] == "documents" else collection(tmp_path / "cases", 1))]
    before = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    read_only(home)
    try:
        assert not command(zygote, home, words, powerless=True)
        assert {file: file.read_bytes() for file in home.rglob("*") if file.is_file()} == before
    finally:
        read_only(home, undo=True)
    assert_nothing_is_lost(home, 1, 2, 3)
    assert command(zygote, home, words)


def read_only(home: Path, *, undo: bool = False) -> None:
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod((0o755 if path.is_dir() else 0o644) if undo else (0o555 if path.is_dir() else 0o444))


def test_the_home_of_these_tests_has_an_index(home: Path) -> None:
    """Else a full disk could not spoil one."""
    with open_closing(home) as service:
        assert service.index.current() is not None
        assert service.settings.merge_above == MERGE_ABOVE
