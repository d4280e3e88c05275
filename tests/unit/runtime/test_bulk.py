"""What the writer hands to a cluster and takes back, without one."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import pytest
import torch

from knowledge.case_ingest import Admitted, NewPicture
from knowledge.errors import DocumentRefused, StorageFailed
from knowledge.pictures import admit_picture
from knowledge.registry.jobs import JobItem, JobState
from knowledge.types import VersionState
from retrieval.sketches import SKETCHER, sketch_of
from runtime.building import PROJECT
from runtime.bulk.cluster import Cluster, _Pieces
from runtime.bulk.engine import RayEngine, _Died, _read, _with_gaps, order_of
from runtime.bulk.orders import Broken, Order, PreparedPictures, ReadDocument, Refused, Work
from runtime.bulk.steps import Second, _extractor, first
from runtime.curation import Curator
from runtime.errors import ClusterFailed, SettingsRefused
from runtime.extras import EXTRAS, Extra
from runtime.jobs import Upload
from runtime.service import Service, open_service
from tests.sample import drawn, guideline


def asked(pieces: _Pieces, number: int) -> bytes:
    with Client(pieces.feed.address, "AF_UNIX", authkey=pieces.feed.key) as client:
        client.send(number)
        return client.recv_bytes()


def test_pieces_are_made_in_order_and_kept_until_their_result_is_there() -> None:
    made: list[int] = []

    def making() -> Iterator[bytes]:
        for number in range(4):
            made.append(number)
            yield b"%d" % number

    pieces = _Pieces(making())
    try:
        assert asked(pieces, 2) == b"2"  # asked for first
        assert made == [0, 1, 2]
        assert asked(pieces, 1) == asked(pieces, 1) == b"1"  # its worker died
        pieces.forget(1)
        assert asked(pieces, 1) == b""  # nobody needs it any more
        assert asked(pieces, 2) == b"2"
        assert made == [0, 1, 2]
    finally:
        pieces.close()


def test_what_making_a_piece_raised_reaches_the_writer() -> None:
    def failing() -> Iterator[bytes]:
        yield b"0"
        raise StorageFailed("the disk is gone")

    pieces = _Pieces(failing())
    try:
        assert asked(pieces, 0) == b"0"
        pieces.raise_fault()
        with pytest.raises(EOFError):
            asked(pieces, 1)
        with pytest.raises(StorageFailed, match="the disk is gone"):
            pieces.raise_fault()
    finally:
        pieces.close()


def test_who_has_no_key_gets_no_piece() -> None:
    pieces = _Pieces(iter([b"0"]))
    try:
        with pytest.raises(AuthenticationError):
            Client(pieces.feed.address, "AF_UNIX", authkey=b"guessed")
        assert asked(pieces, 0) == b"0"
    finally:
        pieces.close()


def test_numbers_that_never_come_leave_gaps() -> None:
    results = [*_with_gaps(iter([(1, "b"), (2, "c"), (4, "e")]), 7)]  # type: ignore[arg-type]
    assert [one if isinstance(one, str) else None for one in results] == [None, "b", "c", None, "e", None, None]


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A step sets the threads of its process, which here is that of every other test: last digits depend on them."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(sample_service: Service) -> Iterator[Callable[[Work, bytes], object]]:
    """A piece through the steps of a node, in this process."""

    def through(work: Work, piece: bytes) -> object:
        order = order_of(sample_service, work)
        return pickle.loads(Second(order, 2, "cpu")(first(order, piece)))

    yield through
    _extractor(sample_service.pdf_limits).close()
    _extractor.cache_clear()


def test_a_document_is_read_cut_and_encoded(run: Callable[[Work, bytes], object], sample_service: Service) -> None:
    found = run(Work.DOCUMENTS, guideline())
    assert isinstance(found, ReadDocument)
    assert not isinstance(found.cuts, Refused)
    assert {text for _, text in sample_service.registry.passage_texts()} == {cut.text for cut in found.cuts}
    [(fingerprint, keys, vectors)] = found.vectors
    assert fingerprint == sample_service.fingerprints["passages"]
    stored = sample_service.embeddings.get_bytes(fingerprint, keys)
    assert [row.tobytes() for row in vectors] == [stored[key] for key in keys], "the same pieces give the same bytes"
    refused = run(Work.DOCUMENTS, b"nothing")
    assert isinstance(refused, ReadDocument)
    assert isinstance(refused.reading, Refused)
    assert refused.reading.reason == "not_a_pdf"
    assert run(Work.DOCUMENTS, b"") is None


def test_what_died_on_a_node_is_read_once_more_by_the_writer() -> None:
    item = JobItem(1, "a.pdf", "0" * 64, None, VersionState.EXTRACTING, 0, None, None)
    assert _read(item, _Died()).reading is None
    assert _read(item, ReadDocument(Refused("parser_died", "It died.", None))).reading is None
    broken = _read(item, ReadDocument(Refused("broken_pdf", "Fetch it again.", None))).reading
    assert isinstance(broken, DocumentRefused)
    assert (broken.reason, str(broken)) == ("broken_pdf", "Fetch it again.")


def test_pictures_are_decoded_and_encoded(run: Callable[[Work, bytes], object], sample_service: Service) -> None:
    png = drawn("acne", 1)
    found = run(Work.CASES, pickle.dumps([NewPicture(png, "red papules"), NewPicture(b"none", "")]))
    assert isinstance(found, PreparedPictures)
    here = admit_picture(png)
    good, bad = found.pictures
    assert good == Admitted(here.encoded(), here.sha256, here.perceptual_hash)
    assert isinstance(bad, Refused)
    spaces = [fingerprint for fingerprint, _, _ in found.vectors]
    assert spaces == [sample_service.fingerprints["pictures"], SKETCHER, sample_service.fingerprints["captions"]]
    assert found.vectors[1][2][0].tobytes() == sketch_of(here.rgb).tobytes()


def test_a_fault_that_is_not_the_files_own_is_told_as_such() -> None:
    found = pickle.loads(first(Order(Work.CASES, "0"), b"no pickle"))
    assert isinstance(found, Broken)
    assert found.reason == "cluster_failed"
    assert "no pickle" not in found.message


def test_no_cluster_no_job(sample_service: Service, tmp_path: Path) -> None:
    service = open_service(tmp_path / "home", sample_service.settings, sample_service.encoders)
    curator = Curator(service, engine=RayEngine("127.0.0.1:1"))
    with pytest.raises(ClusterFailed, match="ray start --head") as refusal:
        curator.ingest_documents([Upload("a.pdf", guideline)])
    assert refusal.value.reason == "cluster_unreachable"
    with pytest.raises(ClusterFailed):
        curator.ingest_cases(tmp_path, "set")
    assert service.registry.jobs.ids([*JobState]) == []
    for address in ("ray://127.0.0.1:10001", "nonsense", "127.0.0.1:port"):
        with pytest.raises(SettingsRefused, match="HOST:PORT"):
            Cluster(address).check()
    service.close()


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "ray", Extra("nothing", ("ray_is_not_there",)))
    with pytest.raises(SettingsRefused, match=r"\[ray\]"):
        RayEngine().check()


def test_the_embedded_path_imports_no_ray() -> None:
    script = "import sys, runtime.cli, runtime.jobs; sys.exit(not {'ray', 'pyarrow', 'runtime.bulk'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0
