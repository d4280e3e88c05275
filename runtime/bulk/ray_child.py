"""The process between the writer and a Ray cluster: `python -m runtime.bulk.ray_child FD`, a Start pickled on stdin.

Ray ends the processes of a cluster that it lost, drivers among them; the writer must outlive that and say so. What comes
out is written to the file descriptor FD as (number, pickled result), in order, with numbers left out where every worker that
tried a piece died; then None, or a Broken. The end of stdin ends this process.
"""

import os

# Before Ray is imported: nothing is reported to its makers.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from typing import Any

import pyarrow
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.context import DataContext
from ray.data.datasource import Datasource, ReadTask
from ray.exceptions import AuthenticationError as TokenRefused
from ray.exceptions import NodeDiedError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runtime.bulk.orders import Broken, Feed, Order, Start
from runtime.bulk.steps import Second, first, node_fault

LOOPBACK = "127.0.0.1"
TRIES = 3  # of a piece, when its worker dies: a node may be lost, a piece may be deadly
FETCHING = 4  # pieces at once; they wait for the writer's disk
READING_CPUS = 0.9  # of a piece without encoder
ENCODING_CPUS = (
    0.01  # Ray must never wait with reading until an encoder, which waits for what is read, gives a core back
)
MOST_THREADS = 4  # of an encoder: more on one batch wait for each other
CHECK_S = 300  # for all nodes: a slow disk may take a minute to read an encoder
HOW_TO_BE_LET_IN = "the cluster wants a token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH here as on its nodes"
# `broken`: the piece is a pickled Broken, which no step must take for one.
SCHEMA = pyarrow.schema([("number", pyarrow.int64()), ("piece", pyarrow.large_binary()), ("broken", pyarrow.bool_())])


class Refusal(Exception):
    """The cluster cannot do it."""

    def __init__(self, broken: Broken) -> None:
        self.broken = broken


def main() -> None:
    """Entry point."""
    start: Start = pickle.load(sys.stdin.buffer)  # noqa: S301 # from the writer
    threading.Thread(target=_end_with_writer, daemon=True).start()
    results: Connection[Any, Any] = Connection(int(sys.argv[1]), readable=False)
    try:
        _connect(start.address)
        for one in _results(start):
            results.send(one)
        results.send(None)
    except Refusal as refusal:
        results.send(refusal.broken)
    except TokenRefused:
        results.send(Broken("cluster_unreachable", HOW_TO_BE_LET_IN))
    except (RayError, ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        results.send(Broken("cluster_failed", f"Ray refused or lost the work ({type(error).__name__})"))
    finally:
        ray.shutdown()


def _end_with_writer() -> None:
    sys.stdin.buffer.read()
    ray.shutdown()
    os._exit(1)


def _connect(address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address is None:
        ray.init(address="local", include_dashboard=False, _node_ip_address=LOOPBACK, **quiet)
    else:
        ray.init(address=address, **quiet)
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a piece that kills its workers is missing; the others come
    context.print_on_execution_start = False


def _results(start: Start) -> Iterator[tuple[int, bytes]]:
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise Refusal(Broken("cluster_failed", "the cluster has no node with processors"))
    _check(start.order, nodes)
    for batch in _planned(start, nodes).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
        yield from zip(batch["number"].to_pylist(), batch["piece"].to_pylist(), strict=True)


def _check(order: Order, nodes: list[dict[str, Any]]) -> None:
    ask = ray.remote(num_cpus=0, max_retries=0)(node_fault)
    asked = {node["NodeName"]: ask.options(scheduling_strategy=_on(node["NodeID"])).remote(order) for node in nodes}
    for name, answer in asked.items():
        try:
            fault = ray.get(answer, timeout=CHECK_S)
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, TaskUnschedulableError | NodeDiedError):
                continue  # it has gone since it was listed, and takes no part
            said = type(cause).__name__
            fault = Broken("node_refused", f"Dermacite cannot be used there ({said}); install the same version")
        if fault is not None:
            raise Refusal(Broken(fault.reason, f"the node {name} cannot take part: {fault.message}"))


def _planned(start: Start, nodes: list[dict[str, Any]]) -> Any:
    order = start.order
    here = {"scheduling_strategy": _on(ray.get_runtime_context().get_node_id()), "max_retries": TRIES}
    fetched = ray.data.read_datasource(
        Pieces(start.count, start.feed), num_cpus=0, concurrency=FETCHING, override_num_blocks=start.count,
        ray_remote_args=here,
    )  # fmt: skip
    read = fetched.map_batches(
        partial(_each, partial(first, order)), batch_size=None, batch_format="pyarrow", num_cpus=READING_CPUS,
        max_retries=TRIES,
    )  # fmt: skip
    if not order.spaces:
        return read
    gpus = int(ray.cluster_resources().get("GPU", 0))
    threads = max(1, min(MOST_THREADS, *(int(node["Resources"]["CPU"]) for node in nodes)))
    placed: dict[str, Any] = {"num_gpus": 1, "num_cpus": ENCODING_CPUS} if gpus else {"num_cpus": ENCODING_CPUS}
    return read.map_batches(
        Encoding, fn_constructor_args=(order, threads, "cuda" if gpus else "cpu"), batch_size=None,
        batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=gpus or len(nodes)), max_restarts=-1,
        max_task_retries=TRIES, scheduling_strategy="SPREAD", **placed,
    )  # fmt: skip


def _on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)


class Pieces(Datasource):  # type: ignore[misc]
    """The pieces of a run, fetched by number from the writer, on its own machine."""

    def __init__(self, count: int, feed: Feed) -> None:
        super().__init__()
        self._count = count
        self._feed = feed

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown."""
        return None

    def get_read_tasks(self, _parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        """One a piece."""
        about = BlockMetadata(num_rows=1, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(partial(_fetched, number, self._feed), about) for number in range(self._count)]


def _fetched(number: int, feed: Feed) -> list[pyarrow.Table]:
    try:
        with Client(feed.address, "AF_UNIX", authkey=feed.key) as writer:
            writer.send(number)
            return [_row(number, writer.recv_bytes())]
    except (OSError, EOFError, AuthenticationError):
        broken = Broken("cluster_failed", "the node of this machine cannot ask the writer; run both as the same user")
        return [_row(number, pickle.dumps(broken), broken=True)]


class Encoding:
    """`Second` as an actor."""

    def __init__(self, *given: Any) -> None:
        self._second = Second(*given)

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """See Second."""
        return _each(self._second, batch)


def _each(step: Callable[[bytes], bytes], batch: pyarrow.Table) -> pyarrow.Table:
    rows = zip(*(batch[name].to_pylist() for name in SCHEMA.names), strict=True)
    done = (_row(number, piece if broken else step(piece), broken=broken) for number, piece, broken in rows)
    return pyarrow.concat_tables(done)


def _row(number: int, piece: bytes, *, broken: bool = False) -> pyarrow.Table:
    return pyarrow.table([[number], [piece], [broken]], schema=SCHEMA)


if __name__ == "__main__":
    # Functions of this file must be found by its name on the nodes, and not be sent along.
    from runtime.bulk.ray_child import main as found_main

    found_main()
