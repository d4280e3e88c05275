"""What a server writes: one JSON object a line, or text, and never an error's own words."""

import json
import logging
import sys

import pytest

from api.logs import REQUEST_ID, JsonLines, TextLines

SECRET = "Ms Example's note"


def record(**more: object) -> logging.LogRecord:
    made = logging.LogRecord("dermacite.api", logging.ERROR, "file", 1, "answered %d", (503,), None)
    made.__dict__.update(more)
    return made


def raised() -> object:
    try:
        raise ValueError(SECRET)
    except ValueError:
        return sys.exc_info()


def test_a_line_is_one_object() -> None:
    line = json.loads(JsonLines().format(record(created=0.25)))
    assert line == {
        "time": "1970-01-01T00:00:00.250+00:00", "level": "error", "logger": "dermacite.api", "event": "answered 503",
    }  # fmt: skip


def test_a_line_names_the_request_that_it_belongs_to() -> None:
    told = REQUEST_ID.set("r-1")
    try:
        assert json.loads(JsonLines().format(record()))["request_id"] == "r-1"
    finally:
        REQUEST_ID.reset(told)


def test_fields_stand_beside_the_event() -> None:
    line = json.loads(JsonLines().format(record(fields={"event": "request", "status": 200})))
    assert (line["event"], line["status"]) == ("request", 200)


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])
def test_an_error_is_its_class_and_place(formatter: logging.Formatter) -> None:
    line = formatter.format(record(exc_info=raised()))
    assert "ValueError in raised:" in line
    assert SECRET not in line
    assert "Traceback" not in line


def test_a_line_break_in_an_event_makes_no_second_line() -> None:
    assert "\n" not in JsonLines().format(record(msg="a\nb", args=()))
