"""Processes to be killed by the hundred: `python -m tests.integration.killing` imports everything once, then forks each.

Encoders and the reading of files cost nothing here (a PDF is a text with form feeds); the rest is the real thing: the
service, the jobs, the registry, Chroma, and an index build in a process of its own, forked like its parent instead of started.
"""

import ctypes
import glob
import importlib
import io
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

from sqlalchemy import Connection

import runtime.index_child
from knowledge.document_ingest import Intent
from knowledge.errors import DocumentRefused
from knowledge.pdf import PdfLimits
from knowledge.registry.database import Database
from knowledge.types import ExtractedText, Page, PageState, Source
from retrieval import chroma
from retrieval.search import Encoders
from retrieval.types import EncoderCard
from runtime.cli import main
from runtime.curation import Curator
from runtime.errors import BuildFailed
from runtime.home import Home
from runtime.job_worker import JobWorker
from runtime.jobs import JobRunner, Upload
from runtime.settings import Settings, load_settings
from tests.integration.light_process import LightService

ROOT = Path(__file__).parent.parent.parent
PR_SET_CHILD_SUBREAPER = 36
LOOK_S = 0.0005  # between two looks for a moment
FLUSH_EVERY = 100  # vectors; Chroma's default is 1,000, and its index of a test would have one flush

Ack = Callable[..., None]


# --- the service -------------------------------------------------------------------------------------------------------


class TextReader:
    """Stands in for PdfExtractor: pages are divided by form feeds."""

    limits = PdfLimits()

    def extract(self, path: Path, progress: Callable[[int, int], None] | None = None) -> ExtractedText:
        try:
            text = path.read_text("utf-8")
        except OSError:
            raise DocumentRefused("unreadable", "It cannot be read.") from None
        pages, start = [], 0
        for number, page in enumerate(text.split("\f"), start=1):
            pages.append(Page(number, start, start + len(page), PageState.TEXT))
            start += len(page) + 1
        if progress is not None:
            progress(len(pages), len(pages))
        return ExtractedText(text, tuple(pages))

    def close(self) -> None:
        """There is no child."""


_LIGHT: dict[tuple[EncoderCard, ...], tuple[dict[str, str], Encoders]] = {}  # by the cards of the spaces


class KilledService(LightService):
    """The one assembly, with light encoders and a light reader of files. Weights of real encoders are looked at once."""

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        return self._light[0]

    def _load_encoders(self) -> Encoders:
        return self._light[1]

    @property
    def _light(self) -> tuple[dict[str, str], Encoders]:
        cards = tuple(self.cards.values())
        if cards not in _LIGHT:
            _LIGHT[cards] = super().fingerprints, super()._load_encoders()
        return _LIGHT[cards]

    @cached_property
    def extractors(self) -> tuple[TextReader, ...]:  # type: ignore[override]
        return (TextReader(), TextReader())


def opened(home: Path) -> KilledService:
    return KilledService(Home(home), load_settings(home))


def opened_as(home: Path, settings: Settings) -> KilledService:
    """Stands in for runtime.service.open_service."""
    return KilledService(Home(home), settings)


def digest_of(text: str) -> str:
    """The id of the version with this text."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


# --- what a worker does ------------------------------------------------------------------------------------------------


def _ingest(curator: Curator, ack: Ack, texts: list[str], document: str | None = None, draft: bool = False) -> None:
    runner = JobRunner(curator)
    uploads = [
        Upload(f"{number}.pdf", text.encode, Source(text.partition("\n")[0])) for number, text in enumerate(texts)
    ]
    job = runner.accept_documents(uploads, Intent(curator.actor, document, not draft))
    ack("accepted", job=job.id)
    _run(curator, ack, job.id)


def _cases(curator: Curator, ack: Ack, folder: str) -> None:
    job = JobRunner(curator).accept_cases(Path(folder), None, curator.actor)
    ack("accepted", job=job.id)
    _run(curator, ack, job.id)


def _run(curator: Curator, ack: Ack, job: str) -> None:
    ended = JobRunner(curator).run(job, lambda outcome: ack("outcome", **asdict(outcome)))
    ack("ended", job=job, state=ended.state)


def _worker(curator: Curator, ack: Ack) -> None:
    """Every open job, as a server works on them."""
    worker = JobWorker(curator)
    worker.start()
    while curator.service.registry.jobs.ids():
        time.sleep(0.01)
    worker.stop(60)
    ack("idle")


def _approve(curator: Curator, ack: Ack, version: str) -> None:
    ack("approved", version=curator.approve(version).id)


def _retire(curator: Curator, ack: Ack, version: str) -> None:
    ack("retired", version=curator.retire(version).id)


def _delete_version(curator: Curator, ack: Ack, version: str) -> None:
    ack("deleted", absent=curator.delete_version(version).absent_from)


def _delete_document(curator: Curator, ack: Ack, document: str) -> None:
    ack("deleted", absent=curator.delete_document(document).absent_from)


def _reindex(curator: Curator, ack: Ack) -> None:
    ack("reindexed", generation=curator.reindex().name)


def _cancel_and_retry(curator: Curator, ack: Ack, texts: list[str]) -> None:
    """A job that is cancelled before anybody works on it, and then taken up again."""
    runner = JobRunner(curator)
    jobs = curator.service.registry.jobs
    job = runner.accept_documents([Upload("a.pdf", text.encode) for text in texts], curator.intent())
    ack("accepted", job=job.id)
    jobs.cancel(job.id, curator.actor)
    ack("cancelled", job=job.id)
    jobs.retry(job.id, curator.actor)
    ack("retried", job=job.id)
    _run(curator, ack, job.id)


def _command(curator: Curator, ack: Ack, words: list[str]) -> None:
    """The command line: its exit code and what it says on stderr."""
    complained = io.StringIO()
    code: Any = 0
    home = curator.service.home.root
    with (
        redirect_stderr(complained),
        redirect_stdout(io.StringIO()),
        mock.patch("runtime.cli.group.open_service", opened_as),
    ):
        try:
            main(["--home", str(home), *words])
        except SystemExit as exit_:
            code = exit_.code
    ack("command", code=code or 0, stderr=complained.getvalue())


WORK: Mapping[str, Callable[..., None]] = {
    "command": _command,
    "ingest": _ingest, "cases": _cases, "resume": _run, "worker": _worker, "approve": _approve, "retire": _retire,
    "delete_version": _delete_version, "delete_document": _delete_document, "reindex": _reindex,
    "cancel_and_retry": _cancel_and_retry,
}  # fmt: skip


# --- the process that builds indexes -----------------------------------------------------------------------------------


class Builders:
    """A process, forked before anything of the home is open, that forks one more for each build it is asked for."""

    def __init__(self, kill_at: str | None, seed: int, file_limit: int | None) -> None:
        self._mine, theirs = multiprocessing.Pipe()
        self._kill_at = kill_at
        self._rng = random.Random(seed)
        if os.fork() == 0:
            self._mine.close()
            if file_limit is not None:
                _fill_disk(file_limit)
            _serve_builds(theirs)
        theirs.close()

    def run(self, command: list[str], **options: Any) -> SimpleNamespace:
        """Stands in for subprocess.run; kills the build, and only it, at the moment that was asked for."""
        home = Path(command[-1])
        moment = moment_of(self._kill_at, home, self._rng.randrange(4)) if self._kill_at else lambda: False
        self._mine.send((command, options["input"]))
        pid = self._mine.recv()
        alive = True
        while not self._mine.poll(LOOK_S):
            if alive and moment():
                alive = False
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        code, said, complained = self._mine.recv()
        return SimpleNamespace(returncode=code, stdout=said, stderr=complained)


def _serve_builds(asked: "multiprocessing.connection.Connection[Any, Any]") -> None:
    with suppress(EOFError, OSError):
        while True:
            command, spaces = asked.recv()
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                _build(command, spaces, writing)
            os.close(writing)
            asked.send(pid)
            with os.fdopen(reading) as pipe:
                said = pipe.read()
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            asked.send((code, said if code == 0 else "", "" if code == 0 else said))
    os._exit(0)


def _build(command: list[str], spaces: str, writing: int) -> None:
    sys.argv = command[2:]
    sys.stdin, sys.stdout = io.StringIO(spaces), io.StringIO()
    code, said = 0, ""
    try:
        runtime.index_child.main()
        said = sys.stdout.getvalue()
    except BaseException as error:
        code, said = 1, traceback.format_exception_only(error)[-1]
    os.write(writing, said.encode())
    os._exit(code)


# --- moments -----------------------------------------------------------------------------------------------------------


def _stamps(home: Path, pattern: str) -> tuple[tuple[str, int, int], ...]:
    found = []
    for file in glob.iglob(pattern, root_dir=home, include_hidden=True):  # noqa: PTH207 (that fails where a folder goes)
        with suppress(OSError):
            about = (home / file).stat()
            found.append((file, about.st_mtime_ns, about.st_size))
    return tuple(sorted(found))


PATTERNS = {
    "registry": "registry.sqlite3-wal",
    "vectors": "embeddings.sqlite3*",
    "files": "blobs/*/*",
    "build": "indexes/*/.building-*/*",
    "flush": "indexes/*/.building-*/chroma/*/*.bin",  # what Chroma writes of a graph at a time
    "chroma": "indexes/*/.building-*/chroma/*",
    "switch": "indexes/*/*",
}


def moment_of(name: str, home: Path, nth: int) -> Callable[[], bool]:
    """True once those files of the home changed for the `nth` time (from 0) since it was first asked."""
    left, before = nth, _stamps(home, PATTERNS[name])

    def now() -> bool:
        nonlocal left, before
        found = _stamps(home, PATTERNS[name])
        if found != before:
            before = found
            left -= 1
        return left < 0

    return now


# --- one attempt -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one process. `place` is before, inside or after the work, as it looked when it was killed.

    `seconds` count from the moment when the home was open. `acks` is what it had said by then, in order; `error`
    the class, the words and the trace of an exception that ended it.
    """

    place: str
    seconds: float
    acks: list[dict[str, Any]] = field(default_factory=list)
    error: list[str] | None = None

    def said(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.acks if one["ack"] == name]


def _attempt(request: dict[str, Any]) -> dict[str, Any]:
    said = Path(request["acks"])
    said.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        _work(request, said)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)
    status, seconds = _until_moment(pid, request, said)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:  # orphans too: they are ours to bury
            os.waitpid(-pid, 0)
    acks = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
    errors = [one["error"] for one in acks if one["ack"] == "error"]
    ended = status is not None and not os.WIFSIGNALED(status)
    place = "after" if ended else "inside" if acks else "before"
    return {"place": place, "seconds": seconds, "acks": acks, "error": errors[0] if errors else None}


def _until_moment(pid: int, request: dict[str, Any], said: Path) -> tuple[int | None, float]:
    """The exit status of a process that ended by itself, None when the moment came first; and seconds since it began."""
    after, name = request.get("after"), request.get("moment")
    moment = moment_of(name, Path(request["home"]), request["nth"]) if name else lambda: False
    began: float | None = None
    while True:
        if began is None and said.exists() and said.stat().st_size:
            began = time.monotonic()
        seconds = 0.0 if began is None else time.monotonic() - began
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status, seconds
        if moment() or (after is not None and began is not None and seconds >= after):
            return None, seconds
        time.sleep(LOOK_S)


def _die_at_write(nth: int) -> None:
    """Kill this process and its children right after its `nth` transaction (from 0) of the registry is on the disk.

    From outside, the moment between two transactions that should be one is too short to be met.
    """
    write = Database.write
    left = nth

    @contextmanager
    def counted(self: Database) -> Iterator[Connection]:
        nonlocal left
        with write(self) as connection:
            yield connection
        left -= 1
        if left < 0:
            os.killpg(0, signal.SIGKILL)

    mock.patch.object(Database, "write", counted).start()


FILE_STEPS = frozenset({"os.rename", "os.remove", "os.symlink", "os.rmdir"})  # as Python's audit names them


def _die_at_file_step(nth: int) -> None:
    """Kill this process and its children right before it renames, links or removes the `nth` time (from 0)."""
    left = nth

    def look(event: str, _arguments: object) -> None:
        nonlocal left
        if event in FILE_STEPS:
            left -= 1
            if left < 0:
                os.killpg(0, signal.SIGKILL)

    sys.addaudithook(look)


def _fill_disk(limit: int) -> None:
    """From now on no file of this process and its children grows beyond so many bytes: a write fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@contextmanager
def _unlimited() -> Iterator[None]:
    """What the test is told is no part of the full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _give_up_powers() -> None:
    """Give up every capability: permissions then bind root too, and for anybody else it changes nothing."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the version of the structures, and this process
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def _work(request: dict[str, Any], said: Path) -> None:
    code = 1
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def ack(name: str, **values: Any) -> None:
        with _unlimited():
            os.write(file, (json.dumps({"ack": name, **values}) + "\n").encode())

    try:
        os.setpgid(0, 0)
        builders = Builders(request.get("kill_build"), request.get("seed", 0), request.get("build_limit"))
        mock.patch("runtime.building.subprocess", SimpleNamespace(run=builders.run)).start()
        chroma.HNSW.update(batch_size=FLUSH_EVERY, sync_threshold=FLUSH_EVERY)
        chroma.BATCH = FLUSH_EVERY
        service = opened(Path(request["home"]))
        curator = Curator(service, actor="worker")
        ack("began")
        if (nth := request.get("write")) is not None:
            _die_at_write(nth)
        if (nth := request.get("file_step")) is not None:
            _die_at_file_step(nth)
        if request.get("powerless"):
            _give_up_powers()
        if (limit := request.get("file_limit")) is not None:
            _fill_disk(limit)
        WORK[request["work"]](curator, ack, **request["arguments"])
        service.close()
        code = 0
    except BaseException as error:
        ack("error", error=[type(error).__name__, str(error), traceback.format_exc()])
    os._exit(code)


class Zygote:
    """The process that forks the others, from the side of the test."""

    def __init__(self, folder: Path) -> None:
        self._acks = folder / "acks.jsonl"
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.killing"], env=environment, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def attempt(self, home: Path, work: str, arguments: Mapping[str, Any] | None = None, **when: Any) -> Attempt:
        """Do some work in a process of its own, killed with all its children `after` seconds, at a `moment`'s `nth` time, or
        after its nth `write` to the registry, or before its nth `file_step`."""
        request = {"home": str(home), "work": work, "arguments": arguments or {}, "acks": str(self._acks), **when}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the zygote died"
        return Attempt(**json.loads(answer))


def _warmed_up(folder: Path) -> None:
    """Import and load, once, what each process would on its first need."""
    for name in (
        "chromadb.api.rust",
        "chromadb.api.client",
        "chromadb.telemetry.product.posthog",
        "bm25s",
        "scipy.sparse",
    ):
        importlib.import_module(name)
    service = opened(folder)
    runner = JobRunner(Curator(service))
    job = runner.accept_documents([Upload("a", lambda: b"Offer a potent corticosteroid once daily. " * 20)], Intent())
    with suppress(BuildFailed):  # a build would start threads here
        runner.run(job.id)
    service.close()


def _main() -> None:
    def refused(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(returncode=1, stdout="", stderr="no builds here")

    mock.patch("runtime.building.subprocess", SimpleNamespace(run=refused)).start()
    with TemporaryDirectory() as folder:
        _warmed_up(Path(folder))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    assert threading.active_count() == 1, "a process with threads must not be forked"
    answer = partial(print, flush=True)
    for line in sys.stdin:
        answer(json.dumps(_attempt(json.loads(line))))


if __name__ == "__main__":
    _main()
