"""The folder of a run, and the one rule about it: what stands in it was measured, and only the end can be missing.

plan.toml      the plan, byte for byte
run.json       what was in force, arm by arm: everything that must be the same for a run to go on
dataset.jsonl  what is known of each case that is asked
leaks.json     what of the cases is in the index, and that no answer saw any of it
cases.jsonl    the records; in the order they came in, and once the run is complete in the order of their keys
home/          the knowledge base, where the run made its own
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from evaluation.errors import RunRefused
from evaluation.records import CaseRecord, line_of, read_records

FORMAT: Final = 1
SYNCED_EVERY: Final = 16  # records; what a power cut may cost. A kill costs none but the line being written
_LATER: Final = frozenset(
    {"started_at", "finished_at", "environment"}
)  # what may differ between the begin of a run and its going on


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of a run is."""

    root: Path

    @property
    def plan(self) -> Path:
        """The plan."""
        return self.root / "plan.toml"

    @property
    def description(self) -> Path:
        """What was in force."""
        return self.root / "run.json"

    @property
    def dataset(self) -> Path:
        """What is known of each case."""
        return self.root / "dataset.jsonl"

    @property
    def leaks(self) -> Path:
        """The leak report."""
        return self.root / "leaks.json"

    @property
    def records(self) -> Path:
        """The records."""
        return self.root / "cases.jsonl"

    @property
    def home(self) -> Path:
        """A knowledge base of the run's own."""
        return self.root / "home"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one process that works on it. Raises RunRefused."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / "run.lock", timeout=0):
                yield
        except Timeout as error:
            raise RunRefused("another process works on this run; wait for it, or name another folder: --out") from error
        except OSError as error:
            raise RunRefused(f"the run cannot be written: {error.strerror}. Name another folder: --out") from error

    def read_description(self) -> dict[str, Any] | None:
        """What the run was begun with; None where it was not begun. Raises RunRefused."""
        try:
            found = json.loads(self.description.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunRefused("run.json cannot be read; begin anew in another folder: --out") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise RunRefused("run.json is of another version; begin anew in another folder: --out")
        return found


def write_whole(file: Path, text: str) -> None:
    """All of it or nothing, also after a power cut."""
    aside = file.with_name(f".{file.name}.new")
    with aside.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    aside.replace(file)


def as_text(description: Mapping[str, Any]) -> str:
    """A description as it stands in run.json."""
    return json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def refuse_other(begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RunRefused naming what has changed since the run was begun: its records would not be comparable."""
    plain = json.loads(as_text(now))
    changed = sorted(_differences(begun, plain))
    if changed:
        shown = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
        raise RunRefused(
            f"the run cannot go on, because its records would not be comparable: changed since it was begun: {shown}. "
            "Begin anew in another folder: --out"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for key in sorted({*one, *other} - (_LATER if not place else set())):
        where = f"{place}.{key}" if place else key
        left, right = one.get(key), other.get(key)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from _differences(left, right, where)
        elif left != right:
            yield where


class RecordFile:
    """Records of a run, appended one by one. A line that a kill cut short is taken away before anything is added."""

    def __init__(self, file: Path) -> None:
        """Raises RunRefused for a file that is not one of records."""
        self._file = file
        with file.open("ab"):
            pass
        _without_torn_line(file)
        try:
            self.done = {record.key for record in read_records(file)}
        except (ValueError, TypeError, KeyError) as error:
            raise RunRefused("cases.jsonl is damaged; begin anew in another folder: --out") from error
        self._opened = file.open("ab")
        self._unsynced = 0

    def add(self, record: CaseRecord) -> None:
        """Append one, unless its key is there already."""
        if record.key in self.done:
            return
        self._opened.write(line_of(record).encode())
        self._opened.flush()  # from here on a kill cannot take it
        self.done.add(record.key)
        self._unsynced += 1
        if self._unsynced >= SYNCED_EVERY:
            self._sync()

    def close(self) -> None:
        """Nothing is lost from here on."""
        self._sync()
        self._opened.close()

    def _sync(self) -> None:
        os.fsync(self._opened.fileno())
        self._unsynced = 0


def keep_only(file: Path, wanted: Callable[[CaseRecord], bool]) -> int:
    """Take records out; how many there were. Nothing happens where there is no file."""
    if not file.exists():
        return 0
    _without_torn_line(file)
    records = list(read_records(file))
    kept = [one for one in records if wanted(one)]
    if len(kept) < len(records):
        write_whole(file, "".join(map(line_of, kept)))
    return len(records) - len(kept)


def put_in_order(file: Path, keys: Sequence[tuple[str, str, int]]) -> list[CaseRecord]:
    """The records in the order of `keys`, in which they then stand in the file too."""
    places = {key: place for place, key in enumerate(keys)}
    records = sorted(read_records(file), key=lambda one: places[one.key])
    write_whole(file, "".join(map(line_of, records)))
    return records


def _without_torn_line(file: Path) -> None:
    with suppress(FileNotFoundError), file.open("r+b") as opened:
        at = end = opened.seek(0, os.SEEK_END)
        while at > 0:
            start = max(0, at - 65_536)
            opened.seek(start)
            newline = opened.read(at - start).rfind(b"\n")
            if newline >= 0:
                at = start + newline + 1
                break
            at = start
        if at < end:
            opened.truncate(at)
            os.fsync(opened.fileno())
