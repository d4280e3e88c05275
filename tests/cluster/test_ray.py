"""Bulk ingest on a real Ray cluster: what comes in is what the embedded path takes in, whatever dies meanwhile.

The nodes are two `ray start` on loopback, of one processor each. Every run starts workers of its own: there are few runs.
"""

import os
import pickle
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from knowledge.registry.jobs import JobState
from knowledge.types import FileOutcome, Source
from retrieval.hybrid import HybridOptions
from retrieval.search import passages
from retrieval.sketches import sketch_of
from runtime.bulk.cluster import Cluster
from runtime.bulk.engine import RayEngine, order_of
from runtime.bulk.orders import Order, Work
from runtime.bulk.steps import node_fault
from runtime.curation import Curator
from runtime.errors import ClusterFailed
from runtime.jobs import JobRunner, Upload
from runtime.service import Service, open_service
from tests.cluster.cluster import CLOSE, assert_same_vectors, until
from tests.ray_nodes import Nodes, children_of, command_of
from tests.sample import guideline, write_cases

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("ray")]


def opened(home: Path, like: Service) -> Service:
    return open_service(home, like.settings, like.encoders)


def documents(count: int) -> list[Upload]:
    """Guidelines of some pages each, no two alike."""
    texts = (
        (f"Part {page}", f"In guideline {n} page {page} asks for {n + page} mg a day. " * 12)
        for n in range(count)
        for page in range(3)
    )
    pages = list(texts)
    files = [guideline(tuple(pages[3 * n : 3 * n + 3])) for n in range(count)]
    return [Upload(f"{n}.pdf", partial(bytes, file), Source(f"Guideline {n}", "Tests")) for n, file in enumerate(files)]


def told(outcomes: list[FileOutcome]) -> list[FileOutcome]:
    return sorted(outcomes, key=lambda one: one.file)


def passage_rows(service: Service) -> list[tuple[str, str]]:
    return sorted(service.registry.passage_texts())


def found(service: Service, text: str) -> list[str]:
    ranking = passages(service.reader.view(), service.encoders, text, HybridOptions())
    return [hit.id for hit in ranking.hits]


# --- the same results --------------------------------------------------------------------------------------------------


def test_cases_are_those_of_the_embedded_path(nodes: Nodes, sample_service: Service, tmp_path: Path) -> None:
    folder = write_cases(tmp_path / "cases", each=3)
    (folder / "acne-1.png").write_bytes(b"no picture")
    (folder / "acne-2.png").write_bytes((folder / "nevus-1.png").read_bytes())
    here, there = opened(tmp_path / "here", sample_service), opened(tmp_path / "there", sample_service)
    embedded = Curator(here).ingest_cases(folder, "sample")
    steps: list[tuple[int, int]] = []
    engine = RayEngine(nodes.address)
    clustered = Curator(there, engine=engine).ingest_cases(folder, "sample", lambda *one: steps.append(one))
    assert clustered == embedded
    assert {one.reason for one in clustered} == {None, "not_a_picture", "conflicting_row"}
    assert steps[-1] == (9, 9)
    assert there.registry.case_captions() == here.registry.case_captions()
    assert set(there.blobs.digests()) == set(here.blobs.digests())
    assert_same_vectors(here, there)
    assert there.embeddings.keys() == here.embeddings.keys()
    here.close()
    there.close()


def test_an_index_is_that_of_the_embedded_path(nodes: Nodes, own_service: Service, tmp_path: Path) -> None:
    texts = [text for _, text in own_service.registry.passage_texts()]
    key = own_service.fingerprints["passages"]
    before = own_service.embeddings.get_bytes(key, own_service.embeddings.keys())
    questions = ("plaques with silvery scale", "margin of a nevus")
    ranked = [found(own_service, one) for one in questions]
    own_service.embeddings.delete(before)
    steps: dict[str, int] = {}
    Curator(own_service, engine=RayEngine(nodes.address)).reindex(lambda step, now, _of: steps.__setitem__(step, now))
    assert steps == {"captions": 3, "passages": len(texts)}
    after = own_service.embeddings.get_bytes(key, before)
    for one, row in before.items():
        np.testing.assert_allclose(np.frombuffer(after[one], np.float32), np.frombuffer(row, np.float32), atol=CLOSE)
    assert [found(own_service, one) for one in questions] == ranked


# --- what dies ---------------------------------------------------------------------------------------------------------


def test_a_cluster_that_is_lost_lays_the_job_down_and_says_so(
    nodes: Nodes, sample_service: Service, tmp_path: Path
) -> None:
    """Ray ends drivers of a cluster that it lost: the process beside the writer is one."""
    service = opened(tmp_path / "home", sample_service)
    curator = Curator(service, engine=RayEngine(nodes.address))
    runner = JobRunner(curator)
    job = runner.accept_documents(documents(1), curator.intent())
    killer = threading.Thread(target=kill_child)
    killer.start()
    with pytest.raises(ClusterFailed, match="dermacite jobs run") as refusal:
        runner.run(job.id)
    killer.join()
    assert refusal.value.reason == "cluster_lost"
    assert service.registry.jobs.job(job.id).state is JobState.QUEUED
    assert JobRunner(Curator(service)).run(job.id).state is JobState.DONE
    service.close()


def kill_child() -> None:
    """Kill the process beside this one, as soon as there is one."""

    def found() -> list[int]:
        return [one for one in children_of(os.getpid()) if b"runtime.bulk.ray_child" in command_of(one)]

    until(lambda: bool(found()))
    [child] = found()
    os.kill(child, signal.SIGKILL)


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (9,)


def test_a_piece_that_kills_its_workers_is_left_out_and_the_others_come(nodes: Nodes, sample_service: Service) -> None:
    digest = sample_service.registry.case_captions()[0][1]
    stored = sample_service.blobs.get(digest)
    pieces = [pickle.dumps([stored]), pickle.dumps(Deadly()), pickle.dumps([stored])]
    with Cluster(nodes.address).run(order_of(sample_service, Work.SKETCHES), 3, iter(pieces)) as run:
        results = dict(run)
    assert sorted(results) == [0, 2]
    np.testing.assert_array_equal(results[0][0], sketch_of(sample_service.stored_pixels(digest)))


# --- what is refused ---------------------------------------------------------------------------------------------------


def test_a_node_with_other_weights_or_another_version_is_refused_by_name(nodes: Nodes, sample_service: Service) -> None:
    good = order_of(sample_service, Work.CAPTIONS)
    space = good.spaces["captions"]
    other = Order(good.work, good.version, {"captions": type(space)(space.card, space.folder, "0" * 16)})
    with (
        pytest.raises(ClusterFailed, match="other weights for the encoder of captions") as refusal,
        Cluster(nodes.address).run(other, 1, iter([b""])) as run,
    ):
        list(run)
    assert refusal.value.reason == "node_refused"
    fault = node_fault(Order(Work.SKETCHES, "0.0.0"))
    assert fault is not None
    assert "it has Dermacite" in fault.message
