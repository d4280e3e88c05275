"""Exports and imports that are killed, meet a full disk, or meet somebody who writes: nothing is half there."""

import errno
import json
import runpy
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import BlobCorrupt, NotFound
from knowledge.types import FileOutcome, Outcome
from runtime.curation import Curator
from runtime.deletion import Receipt
from runtime.doctor import examine
from runtime.errors import WriterBusy
from runtime.exporting import export_archive
from runtime.home import Home
from runtime.importing import import_archive, verify_archive
from runtime.jobs import Upload
from runtime.service import Service
from runtime.settings import load_settings
from runtime.tarring import ArchiveFailed, TarWriter
from tests.sample import guideline

HERE = Path(__file__).parent
HELPERS = runpy.run_path(str(HERE / "archives.py"))
kill_at: Callable[..., int] = runpy.run_path(str(HERE / "test_kill.py"))["kill_at"]
Moment = Callable[[Path], bool]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home, its cases, and its archive."""
    folder = tmp_path_factory.mktemp("made")
    HELPERS["small_archive"](folder)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "home", tmp_path / "home", symlinks=True)
    return tmp_path / "home"


@contextmanager
def opened(home: Path, **settings: Any) -> Iterator[Service]:
    service = HELPERS["open_light"](home, load_settings(home, **settings))
    yield service
    service.close()


def unhealthy(home: Path) -> list[str]:
    with opened(home) as service:
        return [f"{check.name}: {check.detail}" for check in examine(service) if not check.healthy]


# --- killed --------------------------------------------------------------------------------------------------------------


def aside_begins(home: Path) -> bool:
    return any(home.parent.glob(".*.exporting"))


def rows_are_written(home: Path) -> bool:
    return any(home.parent.glob(".*.exporting/members/registry/*.jsonl"))


def archive_is_written(home: Path) -> bool:
    return any(home.parent.glob(".*.exporting/archive.tar"))


@pytest.mark.parametrize("moment", [aside_begins, rows_are_written, archive_is_written, 2.5, 3.0])
def test_a_killed_export_leaves_no_file_of_that_name_or_a_whole_one(home: Path, moment: Moment | float) -> None:
    target = home.parent / "a.tar"
    code = kill_at(home, ("export", target), moment)
    if not target.exists():
        assert code == -signal.SIGKILL
        with opened(home) as service:
            export_archive(Curator(service), target)
    assert verify_archive(target).warnings == ()
    assert not aside_begins(home) or code == -signal.SIGKILL
    assert unhealthy(home) == []


def import_begins(home: Path) -> bool:
    return (home.parent / f".{home.name}.importing").exists()


def files_are_there(home: Path) -> bool:
    return any(home.parent.glob(f".{home.name}.importing/blobs/??/*"))


def registry_is_made(home: Path) -> bool:
    return (home.parent / f".{home.name}.importing" / "registry.sqlite3").exists()


def vectors_are_there(home: Path) -> bool:
    return (home.parent / f".{home.name}.importing" / "embeddings.sqlite3").exists()


def home_is_there(home: Path) -> bool:
    return home.exists()


MOMENTS = [import_begins, files_are_there, registry_is_made, vectors_are_there, home_is_there, 2.5, 3.0]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_import_leaves_nothing_or_all_of_it(made: Path, tmp_path: Path, moment: Moment | float) -> None:
    home = tmp_path / "new"
    code = kill_at(home, ("import", made / "small.tar"), moment)
    if moment in {import_begins, files_are_there, registry_is_made}:
        assert code == -signal.SIGKILL
        assert not home.exists()
    if not home.exists():
        import_archive(made / "small.tar", home)
    assert unhealthy(home) == []
    assert not import_begins(home)
    with opened(home) as service:
        export_archive(Curator(service), tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == (made / "small.tar").read_bytes()


# --- full disks and names that are taken ---------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 3, 30])
def test_a_full_disk_is_said_and_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    write, written = TarWriter.add, []

    def full(self: TarWriter, name: str, size: int, chunks: Any) -> None:
        written.append(name)
        if len(written) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, name, size, chunks)

    monkeypatch.setattr(TarWriter, "add", full)
    before = {file.name for file in home.parent.iterdir()}
    with opened(home) as service, pytest.raises(ArchiveFailed, match="the disk is full"):
        export_archive(Curator(service), home.parent / "a.tar")
    assert {file.name for file in home.parent.iterdir()} == before


def test_an_import_that_has_no_room_is_refused_at_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr("runtime.importing.shutil.disk_usage", lambda _path: usage(10, 9, 1))
    with pytest.raises(ArchiveFailed, match="free some space"):
        import_archive(made / "small.tar", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_replaces_no_file_and_needs_its_folder(home: Path) -> None:
    (home.parent / "a.tar").write_bytes(b"older")
    with opened(home) as service:
        with pytest.raises(ArchiveFailed, match="replaces nothing"):
            export_archive(Curator(service), home.parent / "a.tar")
        with pytest.raises(ArchiveFailed, match="No such file"):
            export_archive(Curator(service), home.parent / "nowhere" / "a.tar")
    assert (home.parent / "a.tar").read_bytes() == b"older"


def test_two_imports_into_one_home_exclude_each_other(made: Path, tmp_path: Path) -> None:
    aside = tmp_path / ".new.importing"
    aside.mkdir()
    with Home(aside).writing(), pytest.raises(ArchiveFailed, match="another import"):
        import_archive(made / "small.tar", tmp_path / "new")
    assert import_archive(made / "small.tar", tmp_path / "new").warnings == ()


def test_who_fills_the_home_meanwhile_keeps_it(made: Path, tmp_path: Path) -> None:
    def somebody_comes(_done: int, _of: int) -> None:
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new" / "mine").touch()

    with pytest.raises(ArchiveFailed, match="not empty"):
        import_archive(made / "small.tar", tmp_path / "new", progress=somebody_comes)
    assert [file.name for file in tmp_path.rglob("*")] == ["new", "mine"]


# --- while others work ---------------------------------------------------------------------------------------------------


def _other_guideline() -> bytes:
    return guideline((("Scabies", "Treat all contacts of scabies on one day and again after 7 days."),))


def test_others_write_while_the_stored_files_are_archived(home: Path, made: Path) -> None:
    """What comes in meanwhile is not in the archive, whose state is that of its beginning."""
    outcomes: list[FileOutcome] = []
    with opened(home) as service:
        other = Curator(service, patience_s=5)

        def somebody_writes(_done: int, _of: int) -> None:
            if not outcomes:
                outcomes.extend(other.ingest_documents([Upload("late.pdf", _other_guideline)]))

        export_archive(Curator(service), home.parent / "a.tar", progress=somebody_writes)
        assert [one.state for one in outcomes] == [Outcome.ADDED]
    assert (home.parent / "a.tar").read_bytes() == (made / "small.tar").read_bytes()


def test_an_export_begins_again_and_keeps_the_lock_when_evidence_is_deleted_meanwhile(home: Path) -> None:
    receipts: list[Receipt] = []
    refused: list[WriterBusy] = []
    with opened(home) as service:
        (document,) = service.registry.documents()
        other = Curator(service, patience_s=0.05)

        def somebody_deletes(_done: int, _of: int) -> None:
            if not receipts:
                receipts.append(other.delete_document(document.id))
                return
            try:
                with other.writing():
                    pass
            except WriterBusy as error:
                refused.append(error)

        done = export_archive(Curator(service), home.parent / "a.tar", progress=somebody_deletes)
    assert receipts[0].absent_from[-1] == "disk"
    assert refused
    assert done.manifest.counts["documents"] == 0
    assert b"potent topical corticosteroid" not in (home.parent / "a.tar").read_bytes()


def test_a_damaged_home_is_not_archived(home: Path) -> None:
    file = sorted((home / "blobs").glob("??/*"))[0]
    data = file.read_bytes()
    with opened(home) as service:
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(BlobCorrupt):
            export_archive(Curator(service), home.parent / "a.tar")
        file.unlink()
        with pytest.raises(NotFound):
            export_archive(Curator(service), home.parent / "a.tar")
    assert [one.name for one in home.parent.iterdir()] == ["home"]


# --- other encoders, other settings, no index ----------------------------------------------------------------------------


def test_an_archive_of_other_encoders_says_what_to_do_and_serves_after_it(made: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"other weights")
    shutil.copytree(made / "home", tmp_path / "home", symlinks=True)
    with opened(tmp_path / "home", captions={"card": "minilm", "folder": tmp_path / "weights"}) as service:
        Curator(service).reindex()
        export_archive(Curator(service), tmp_path / "a.tar")
    warnings = import_archive(tmp_path / "a.tar", tmp_path / "new").warnings
    assert [one.split(" is ")[0] for one in warnings] == ["the encoder of captions"]
    assert "dermacite reindex" in warnings[0]
    assert unhealthy(tmp_path / "new") != []
    with opened(tmp_path / "new") as service:
        Curator(service).reindex()
    assert unhealthy(tmp_path / "new") == []


def test_a_switch_of_encoders_travels(made: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"other weights")
    home = tmp_path / "home"
    shutil.copytree(made / "home", home, symlinks=True)
    serving = {"captions": {"card": "minilm", "folder": str(tmp_path / "weights")}}
    (home / "encoders.json").write_text(json.dumps({"serving": serving, "previous": {}}))
    with opened(home) as service:
        Curator(service).reindex()
        export_archive(Curator(service), tmp_path / "a.tar")
    assert import_archive(tmp_path / "a.tar", tmp_path / "new").warnings == ()
    assert unhealthy(tmp_path / "new") == []
    shutil.rmtree(tmp_path / "weights")
    (warning,) = import_archive(tmp_path / "a.tar", tmp_path / "third").warnings
    assert "encoders of this home cannot be used" in warning


def test_settings_that_change_answers_are_compared_and_secrets_never_travel(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "settings.toml").write_text(
        'alpha = 0.4\nparsers = 1\n[models.hikari-vega]\nurl = "http://127.0.0.1:9/v1"\napi_key = "very-secret"\n'
    )
    with opened(home) as service:
        export_archive(Curator(service), tmp_path / "a.tar")
    data = (tmp_path / "a.tar").read_bytes()
    assert b"very-secret" not in data
    assert b"127.0.0.1" not in data
    (warning,) = import_archive(tmp_path / "a.tar", tmp_path / "new").warnings
    assert warning == "the setting alpha is 0.7 here and was 0.4; answers may differ"


def test_without_an_index_the_same_is_found_and_doctor_names_the_command(home: Path, tmp_path: Path) -> None:
    with opened(home) as service:
        done = export_archive(Curator(service), tmp_path / "a.tar", with_index=False)
        assert done.manifest.index is None
        before = service.reader.view()
    assert import_archive(tmp_path / "a.tar", tmp_path / "new").warnings == (
        "the archive has no index: run dermacite reindex",
    )
    with opened(tmp_path / "new") as service:
        view = service.reader.view()
        assert sorted(view.passages.ids) == sorted(before.passages.ids)
        assert sorted(view.cases.ids) == sorted(before.cases.ids)
        assert [check.mend for check in examine(service) if not check.healthy] == ["dermacite reindex"]
        Curator(service).reindex()
    assert unhealthy(tmp_path / "new") == []


def test_accepted_work_travels_and_is_told(home: Path, tmp_path: Path) -> None:
    from runtime.jobs import JobRunner

    with opened(home) as service:
        curator = Curator(service)
        job = JobRunner(curator).accept_documents([Upload("late.pdf", _other_guideline)], curator.intent())
        export_archive(curator, tmp_path / "a.tar")
    (warning,) = import_archive(tmp_path / "a.tar", tmp_path / "new").warnings
    assert warning.startswith("1 accepted jobs were not done")
    with opened(tmp_path / "new") as service:
        assert JobRunner(Curator(service)).run(job.id).outcomes[0].state is Outcome.ADDED
    assert unhealthy(tmp_path / "new") == []
