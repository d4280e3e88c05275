"""What is written after a deletion is written for good, also when other processes open and leave the registry meanwhile."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from runtime.curation import Curator
from runtime.jobs import Upload
from runtime.service import Service

open_light: Callable[[Path], Service] = runpy.run_path(str(Path(__file__).with_name("light_process.py")))["open_light"]

LAST = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
    "print(c.execute('SELECT max(id) FROM audit').fetchone()[0]); c.close()"
)


def seen_elsewhere(home: Path) -> int:
    """The last audit entry as a process sees it that opens the registry, reads and leaves."""
    command = [sys.executable, "-c", LAST, str(home / "registry.sqlite3")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_others_see_what_is_written_after_each_deletion(
    tmp_path: Path, make_guideline: Callable[[str, str], bytes]
) -> None:
    service = open_light(tmp_path)
    curator = Curator(service)
    for topic in ("psoriasis", "acne"):
        data = make_guideline(topic, f"Offer {topic} treatment for {len(topic)} weeks, then look again with a picture.")
        (outcome,) = curator.ingest_documents([Upload("a.pdf", lambda data=data: data)])  # type: ignore[misc]
        receipt = curator.delete_document(str(outcome.id))
        assert "disk" in receipt.absent_from
        for _ in range(2):
            service.registry.audit.record("somebody", "look", "index", "i")
            assert seen_elsewhere(tmp_path) == service.registry.audit.entries()[-1].id
    service.close()
