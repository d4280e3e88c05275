"""Looks for bytes in files, in a process of its own: `python -m runtime.looking_child`, which imports nothing of ours.

A process that closes a file loses every lock that it holds on it, SQLite's too, however many other handles are open: the
next process to leave the database would then remove a log that the first one still writes to, and what it writes is lost.
"""

import json
import mmap
import sys
from collections.abc import Sequence
from pathlib import Path


def holds(file: Path, needles: Sequence[bytes]) -> bool:
    """Whether a file holds one of `needles`; one that is gone or empty holds nothing."""
    try:
        with file.open("rb") as opened:
            if not file.stat().st_size:
                return False
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return any(mapped.find(one) >= 0 for one in needles)
    except FileNotFoundError:
        return False  # a log that another process just emptied


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    needles = [one.encode() for one in asked["needles"]]
    json.dump(any(holds(Path(file), needles) for file in asked["files"]), sys.stdout)
