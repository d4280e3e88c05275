"""Many at once: one document from twenty ingests, and readers who never see half of anything."""

import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest
from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

import runtime
from inference.lookup import SearchOptions
from knowledge.registry.embedded import EmbeddedDatabase
from knowledge.types import Outcome
from retrieval.search import Encoders
from runtime.curation import Curator
from runtime.doctor import examine
from runtime.jobs import Upload
from runtime.service import Service, open_service

PROJECT = Path(runtime.__file__).parent.parent
TWENTY = 20
RARE = "zyxomethasone"
PAGES = (
    ("Hidradenitis", f"Give {RARE} 5 mg twice daily for hidradenitis of the armpits and the groin."),
    ("Pemphigus", f"Taper {RARE} over twelve weeks once blisters of pemphigus have healed."),
    ("Monitoring", f"Measure liver enzymes every month while {RARE} is taken with methotrexate."),
)


def pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=True)
    for heading, text in PAGES:
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(40, 540, heading)
        canvas.setFont("Helvetica", 9)
        canvas.drawString(40, 510, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rare.pdf"
    path.write_bytes(pdf())
    return path


@pytest.fixture
def service(sample_service: Service, encoders: Encoders, tmp_path: Path) -> Iterator[Service]:
    shutil.copytree(sample_service.home.root, tmp_path / "home", symlinks=True)
    opened = sharing(tmp_path / "home", sample_service, encoders)
    yield opened
    opened.close()


def sharing(home: Path, other: Service, encoders: Encoders) -> Service:
    """A service with encoders that are loaded already."""
    return open_service(home, other.settings, encoders)


# --- twenty at once ----------------------------------------------------------------------------------------------------


def test_twenty_processes_ingest_one_file_into_a_new_home(
    tmp_path: Path, file: Path, sample_service: Service, encoders: Encoders
) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "runtime", "--home", str(home), "ingest", "documents", str(file), "--json"]
    processes = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(TWENTY)
    ]
    answers = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * TWENTY, [err for _, err in answers]
    states = sorted(json.loads(out)["outcomes"][0]["state"] for out, _ in answers)
    assert states == ["added"] + ["unchanged"] * (TWENTY - 1)
    assert {line for _, err in answers for line in err.splitlines()} <= {"waiting for another writer to finish ..."}
    opened = sharing(home, sample_service, encoders)
    assert opened.registry.counts()["documents"] == opened.registry.corpus_generation() == 1
    checks = list(examine(opened))
    assert all(check.healthy for check in checks), checks
    assert next(check for check in checks if check.name == "leftovers").detail == "none"
    opened.close()


WITHOUT_TORCH = """
import sys
from runtime.cli import main
main(sys.argv[1:], standalone_mode=False)
loaded = sorted({"torch", "chromadb", "transformers", "sentence_transformers", "timm"} & set(sys.modules))
sys.exit(f"loaded for nothing: {loaded}" if loaded else 0)
"""


def test_what_changes_nothing_loads_no_encoder(
    service: Service, tmp_path: Path, file: Path, draw: Callable[[str, int], bytes]
) -> None:
    cases = tmp_path / "set"
    (cases / "acne").mkdir(parents=True)
    (cases / "acne" / "1.png").write_bytes(draw("acne", 50))
    Curator(service).ingest_documents([Upload("rare.pdf", file.read_bytes)])
    Curator(service).ingest_cases(cases, None)
    for arguments in (("ingest", "documents", str(file)), ("ingest", "cases", str(cases)), ("documents", "list")):
        command = [sys.executable, "-c", WITHOUT_TORCH, "--home", str(service.home.root), *arguments]
        result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


def test_twenty_threads_ingest_one_file(service: Service) -> None:
    before = service.registry.counts()["documents"]
    data = pdf()

    def ingest(number: int) -> Outcome:
        (outcome,) = Curator(service).ingest_documents([Upload(f"{number}.pdf", lambda: data)])
        return outcome.state

    with ThreadPoolExecutor(TWENTY) as threads:
        states = sorted(threads.map(ingest, range(TWENTY)))
    assert states == [Outcome.ADDED] + [Outcome.UNCHANGED] * (TWENTY - 1)
    assert service.registry.counts()["documents"] == before + 1
    assert all(check.healthy for check in examine(service))


# --- readers beside a writer -------------------------------------------------------------------------------------------


class Watcher:
    """Reads all the time in a thread of its own and keeps every number that came; an error in it fails the test."""

    def __init__(self, read: Callable[[], int]) -> None:
        self.seen: set[int] = set()
        self._read = read
        self._reads = 0
        self._ended = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def look(self) -> None:
        """Wait until a read that began after this moment is done."""
        wanted = self._reads + 2
        while self._reads < wanted and self._thread.is_alive():
            self._ended.wait(0.005)

    def _watch(self) -> None:
        try:
            while not self._ended.is_set():
                self.seen.add(self._read())
                self._reads += 1
        except BaseException as error:
            self._failed = error


def test_a_reader_in_this_and_in_another_service_sees_whole_documents_only(
    service: Service, encoders: Encoders
) -> None:
    other = sharing(service.home.root, service, encoders)
    curator = Curator(service)

    def found(reader: Service) -> int:
        result = reader.lookup.search(f"{RARE} hidradenitis pemphigus methotrexate", options=SearchOptions(k=50))
        return sum(RARE in item.text for item in result.passages)

    with Watcher(lambda: found(service)) as here, Watcher(lambda: found(other)) as there:
        for _ in range(3):
            (outcome,) = curator.ingest_documents([Upload("rare.pdf", pdf)])
            here.look()
            there.look()
            curator.delete_document(str(outcome.id))
    other.close()
    assert outcome.passages >= 2
    assert here.seen == there.seen == {0, outcome.passages}


def test_a_reader_sees_a_collection_of_cases_come_and_change_as_a_whole(
    service: Service, tmp_path: Path, draw: Callable[[str, int], bytes]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    names = [f"{number}.png" for number in range(20)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(draw("acne", 100 + number))
    before = service.registry.counts()["cases"]

    def with_the_rare_word() -> int:
        cases = service.registry.cases([item for item, *_ in service.registry.case_captions()])
        assert len(service.reader.view().cases.alive.nonzero()[0]) in {before, before + len(names)}
        return sum(RARE in case.caption for case in cases.values())

    with Watcher(with_the_rare_word) as watcher:
        for caption in (RARE, f"{RARE} again", "nothing rare"):
            rows = [json.dumps({"picture": name, "label": "acne", "caption": caption}) for name in names]
            (folder / "manifest.jsonl").write_text("\n".join(rows))
            Curator(service).ingest_cases(folder, None)
            watcher.look()
    assert watcher.seen == {0, len(names)}
    assert with_the_rare_word() == 0
    assert all(check.healthy for check in examine(service))


def test_a_reader_that_a_deletion_overtakes_looks_again(
    service: Service, encoders: Encoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome,) = Curator(service).ingest_documents([Upload("rare.pdf", pdf)])
    other = sharing(service.home.root, service, encoders)
    read = other.registry.passage_texts
    overtaken: list[str] = []

    def read_and_be_overtaken(since: int = 0) -> list[tuple[str, str]]:
        found = read(since)
        if not overtaken:
            overtaken.extend(item for item, text in found if RARE in text)
            # Takes the vectors of what was just read, and the generation that is being opened.
            Curator(service).delete_document(str(outcome.id))
        return found

    # The reader that holds on to SQLite's log is this very thread: the deletion would wait out the busy timeout, then go on.
    monkeypatch.setattr(EmbeddedDatabase, "forget_deleted", lambda _self: False)
    monkeypatch.setattr(other.registry, "passage_texts", read_and_be_overtaken)
    view = other.reader.view()
    assert len(overtaken) == outcome.passages
    assert set(overtaken).isdisjoint(view.passages.ids)
    assert view.generation == service.index.current()
    other.close()
