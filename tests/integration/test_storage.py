"""Two services with homes of their own over one storage and one registry: what one takes in or deletes, the other follows."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.blobs import LocalBlobs
from knowledge.errors import StorageFailed
from retrieval import search
from retrieval.hybrid import HybridOptions
from retrieval.search import Encoders
from runtime.checking import State, findings
from runtime.curation import Curator
from runtime.errors import SettingsRefused
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.object_storage import S3Server
from tests.sample import guideline

QUESTION = "itching of the elbow with silvery scale"


@pytest.fixture
def storage(s3_server: S3Server) -> dict[str, str]:
    """Settings that name a new bucket."""
    return {"storage_url": s3_server.bucket(f"b{uuid.uuid4().hex}"), "storage_endpoint": s3_server.endpoint}


@pytest.fixture
def writer(sample_service: Service, encoders: Encoders, storage: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """The sample, moved into the storage as an operator does it: settings first, then reindex."""
    home = tmp_path / "writer"
    shutil.copytree(sample_service.home.root, home, symlinks=True)
    service = open_service(home, load_settings(home, configuration="embedded", **storage), encoders)
    Curator(service).reindex()
    yield service
    service.close()


@pytest.fixture
def worker(writer: Service, encoders: Encoders, storage: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """Another machine: its own home, and the same registry and vectors."""
    home = tmp_path / "worker"
    home.mkdir()
    for name in ("registry.sqlite3", "embeddings.sqlite3"):
        (home / name).symlink_to(writer.home.root / name)
    service = open_service(home, load_settings(home, configuration="embedded", **storage), encoders)
    yield service
    service.close()


def passages(service: Service) -> list[tuple[str, float]]:
    ranking = search.passages(service.reader.view(), service.encoders, QUESTION, HybridOptions(k=20))
    return [(hit.id, hit.score) for hit in ranking.hits]


def test_a_home_moves_into_the_storage_and_answers_everywhere_as_before(
    sample_service: Service, writer: Service, worker: Service
) -> None:
    assert list(LocalBlobs(writer.home.blobs).digests()) == []
    assert set(writer.blobs.digests()) == set(sample_service.blobs.digests())
    assert passages(worker) == passages(writer) == passages(sample_service)
    case = worker.registry.case_captions()[0]
    assert (worker.stored_pixels(case[1]) == sample_service.stored_pixels(case[1])).all()
    assert not worker.home.blobs.exists()


def test_what_one_machine_takes_in_and_deletes_the_other_follows(writer: Service, worker: Service) -> None:
    assert len(passages(worker)) > 0
    pdf = guideline((("Warts", "Offer salicylic acid once daily for up to 12 weeks for warts of the hand."),))
    [outcome] = Curator(writer).ingest_documents([Upload("warts.pdf", lambda: pdf)])
    assert outcome.id is not None
    version = worker.registry.versions(outcome.id)[0]
    assert worker.blobs.get(version.id) == pdf
    assert worker.reader.view().delta_size == 1
    receipt = Curator(writer).delete_document(outcome.id)
    assert set(receipt.absent_from) == {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}
    assert receipt.copies_gone_within_s == writer.settings.deletion_seconds
    assert not worker.blobs.has(version.id)
    view = worker.reader.view()
    assert (view.delta_size, view.masked) == (0, 0)
    assert view.generation is not None
    assert [path.name for path in view.generation.parent.glob("g*")] == [view.generation.name]


def test_storage_that_is_down_is_an_error_of_the_check_and_of_an_ingest(
    writer: Service, encoders: Encoders, tmp_path: Path
) -> None:
    down = {"storage_url": writer.settings.storage_url, "storage_endpoint": "http://127.0.0.1:9"}
    home = tmp_path / "cut-off"
    home.mkdir()
    (home / "settings.toml").write_text("\n".join(f'{key} = "{value}"' for key, value in down.items()))
    service = open_service(home, load_settings(home, configuration="embedded"), encoders)
    with pytest.raises(StorageFailed, match="Check that it runs"):
        Curator(service).ingest_documents([Upload("sample.pdf", guideline)])
    assert list(service.registry.jobs.ids()) == []
    service.close()
    [found] = [one for one in findings(home, "embedded", models=False) if one.name == "storage"]
    assert (found.state, "not-for-any-log" in found.detail) == (State.ERROR, False)
    assert "not-for-any-log" in os.environ["AWS_SECRET_ACCESS_KEY"]


def test_the_check_says_what_still_lies_in_the_home(
    sample_service: Service, storage: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "unmoved"
    shutil.copytree(sample_service.home.root, home, symlinks=True)
    (home / "settings.toml").write_text("\n".join(f'{key} = "{value}"' for key, value in storage.items()))
    [found] = [one for one in findings(home, "embedded", models=False) if one.name == "storage"]
    assert (found.state, found.mend) == (State.ERROR, "dermacite reindex")
    assert "no other machine finds them" in found.detail


@pytest.mark.parametrize(
    "wrong",
    [{"storage_url": "s3://key:secret@bucket/x"}, {"storage_url": "https://bucket"}, {"storage_url": "s3://b?x=y"},
     {"storage_endpoint": "http://storage.example:9000"}, {"storage_endpoint": "https://me:secret@host"},
     {"deletion_seconds": 5}],
)  # fmt: skip
def test_settings_that_would_hold_a_secret_or_go_in_the_clear_are_refused(
    wrong: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(SettingsRefused, match=next(iter(wrong))) as raised:
        load_settings(tmp_path, **wrong)
    assert "secret" not in str(raised.value)
