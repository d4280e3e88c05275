"""What the tests of this folder share, and start once: the cluster, and two Ray nodes."""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

from retrieval.search import Encoders
from tests.chroma_server import ChromaServer
from tests.cluster.cluster import MERGE_ABOVE, Cluster, models
from tests.object_storage import S3Server
from tests.postgres_server import PostgresServer
from tests.ray_nodes import Nodes, two_nodes
from tests.sample import fill
from tests.vllm.server import VllmServer


@pytest.fixture(scope="module")
def cluster(
    s3_server: S3Server,
    vllm_replicas: tuple[VllmServer, VllmServer],
    encoders: Encoders,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Three workers on the sample, which another machine took in."""
    folder = tmp_path_factory.mktemp("cluster")
    postgres, chroma = PostgresServer(), ChromaServer(folder / "chroma")
    settings = {
        "registry_url": postgres.fresh(), "registry_connections": 8, "chroma_url": chroma.url, "exact_below": 0,
        "storage_url": s3_server.bucket(f"b{uuid.uuid4().hex}"), "storage_endpoint": s3_server.endpoint,
        "merge_above": MERGE_ABOVE, **models(vllm_replicas),
    }  # fmt: skip
    with ExitStack() as stack:
        stack.callback(postgres.remove)
        stack.callback(chroma.stop)
        made = Cluster(settings, postgres, chroma, vllm_replicas, folder, stack)
        curator = made.opened(folder / "curator", encoders)
        fill(curator, folder / "cases")
        curator.close()
        made.workers = [made.start(number) for number in range(3)]
        yield made


@pytest.fixture(scope="package")
def nodes() -> Iterator[Nodes]:
    """A Ray head on loopback; a test that needs the second node starts it."""
    with two_nodes(second=False) as found, mock.patch.dict(os.environ, found.environment):
        yield found
