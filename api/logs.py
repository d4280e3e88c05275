"""What a server writes about itself: as lines of text, or as one JSON object a line, by setting.

A line never holds what a caller sent. Of an error it holds the class and the place: a message can hold anything.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

LogFormat = Literal["text", "json"]
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)  # of the request that is answered

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def write_logs(log_format: LogFormat) -> None:
    """Write everything from INFO on to stderr in this format, from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)  # else they would be lines of another form


class TextLines(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 # the library's name
        """The class and the place of an error."""
        return _told(ei)


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, event, and what the record brings in `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if (request_id := REQUEST_ID.get()) is not None:
            line["request_id"] = request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["error"] = _told(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _told(error: _ExcInfo) -> str:
    kind, _, trace = error
    places = traceback.extract_tb(trace)
    where = f"{places[-1].name}:{places[-1].lineno}" if places else "nowhere"
    return f"{kind.__qualname__ if kind else 'nothing'} in {where}"
