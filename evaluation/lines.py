"""Files of one JSON object a line: one for each query or case that was asked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.errors import CollectionRefused


def write_lines(file: Path, objects: Sequence[Mapping[str, Any]]) -> None:
    """Write them, in order. Raises CollectionRefused when that is not possible."""
    try:
        file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects), "utf-8")
    except OSError as error:
        raise CollectionRefused(f"{file} cannot be written: {error.strerror}; name another file") from error
