"""Looks for bytes in files, in a process of its own: `python -m runtime.looking_child`.

A process that closes a file loses every lock that it holds on it, SQLite's too, however many other handles are open: the
next process to leave the database would then remove a log that the first one still writes to, and what it writes is lost.
"""

import json
import sys
from pathlib import Path

from runtime.traces import Needles

if __name__ == "__main__":
    asked = json.load(sys.stdin)
    needles = Needles(one.encode() for one in asked["needles"])
    json.dump(any(needles.in_file(Path(file)) for file in asked["files"]), sys.stdout)
