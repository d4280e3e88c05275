"""What is written survives a power cut only once it is on the disk: a file's bytes, and the folder that names it."""

import os
from pathlib import Path


def put_on_disk(path: Path) -> None:
    """Return when a file's bytes, or a folder's entries, are on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
