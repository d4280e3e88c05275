"""Predictions made elsewhere, so that a published run can be scored by the same measures: CSV or JSON Lines.

    case,label,prediction                        needed; an empty prediction is an answer that names no label
    arm,seed,group,skin_tone,body_site           optional texts; without `arm` all are of one arm
    caption,reference                            what a model wrote, and what the data set says
    probabilities                                JSON lines: {"psoriasis": 0.8, ...}; CSV: that object as text
    result,reason                                abstained, failed or unparsed, with the reason

Columns that are not ours are passed over.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from evaluation.errors import PredictionsRefused
from evaluation.records import CaseRecord, Result
from inference.labels import group_of
from knowledge.case_rows import normalise_label

NEEDED: Final = ("case", "label", "prediction")
ARM: Final = "predictions"
_STATED: Final = frozenset({Result.UNPARSED, Result.ABSTAINED, Result.FAILED})
_OVER: Final = 1e-3  # by which rounded probabilities may exceed 1 in sum


@dataclass(frozen=True, slots=True)
class _Line:
    """One row, and the line on which it starts."""

    number: int
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Trimmed; "" for what is not there. Raises PredictionsRefused for what is no text or number."""
        value = self.values.get(name)
        if isinstance(value, list | dict | bool):
            raise _wrong(self.number, f"{name} is neither text nor a number")
        return "" if value is None else str(value).strip()


def read_predictions(file: Path) -> list[CaseRecord]:
    """One record a line, in their order. Raises PredictionsRefused naming the line."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsRefused("the file cannot be read as UTF-8; check its name, or save it as UTF-8") from error
    lines = _json_lines(text) if file.suffix.lower() in {".jsonl", ".ndjson"} else _csv_lines(text)
    records: list[CaseRecord] = []
    first: dict[tuple[str, str, int], int] = {}
    for line in lines:
        record = _record(line)
        if record.key in first:
            raise _wrong(
                line.number, f"the case was predicted in line {first[record.key]} already; keep one of the two"
            )
        first[record.key] = line.number
        records.append(record)
    if not records:
        raise PredictionsRefused(f"the file has no prediction; needed are the columns {', '.join(NEEDED)}")
    return records


def _wrong(number: int, what: str) -> PredictionsRefused:
    return PredictionsRefused(f"line {number}: {what}")


def _json_lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _wrong(number, "is not valid JSON; write one complete object a line") from error
        if not isinstance(found, dict):
            raise _wrong(number, "is not a JSON object")
        if missing := [name for name in NEEDED if name not in found]:
            raise _wrong(number, f"{missing[0]} is missing; needed are {', '.join(NEEDED)}")
        yield _Line(number, found)


def _csv_lines(text: str) -> Iterator[_Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in NEEDED if name not in columns]:
            raise _wrong(1, f"there is no column {missing[0]}; needed are {', '.join(NEEDED)}")
        number = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise _wrong(number, f"has {len(cells)} cells, the header {len(columns)}")
            if cells:
                yield _Line(number, dict(zip(columns, cells, strict=True)))
            number = reader.line_num + 1
    except csv.Error as error:
        raise _wrong(reader.line_num, "is not valid CSV; look for a quote that is never closed") from error


def _record(line: _Line) -> CaseRecord:
    case, label, prediction = line.text("case"), normalise_label(line.text("label")), line.text("prediction")
    for name, value in (("case", case), ("label", label)):
        if not value:
            raise _wrong(line.number, f"{name} is empty")
    named = normalise_label(prediction) or None
    probabilities = _probabilities(line)
    if named and probabilities and probabilities[0][1] > dict(probabilities).get(named, 0.0):
        raise _wrong(line.number, f"the prediction is not the most probable label, which is {probabilities[0][0]!r}")
    return CaseRecord(
        case=case, arm=line.text("arm") or ARM, seed=_whole(line, "seed"), label=label,
        result=_result(line, named, label), first=named, reason=line.text("reason") or None, probabilities=probabilities,
        group=line.text("group") or group_of(label), skin_tone=line.text("skin_tone") or None,
        body_site=line.text("body_site") or None, raw=(prediction,) if prediction else (),
        caption=line.text("caption") or None, reference_caption=line.text("reference") or None,
    )  # fmt: skip


def _result(line: _Line, named: str | None, label: str) -> Result:
    stated = line.text("result").lower()
    if stated and stated not in _STATED:
        raise _wrong(line.number, f"result is {stated!r}; permitted: {', '.join(sorted(_STATED))}, or nothing")
    if stated:
        return Result(stated)
    if named is None:
        return Result.UNPARSED
    return Result.CORRECT if named == label else Result.WRONG


def _whole(line: _Line, name: str) -> int:
    text = line.text(name) or "0"
    if not text.isdecimal():
        raise _wrong(line.number, f"{name} is not a whole number from 0 up")
    return int(text)


def _probabilities(line: _Line) -> tuple[tuple[str, float], ...]:
    """Best first, then by label. Labels that a normalisation makes one are added up."""
    given = line.values.get("probabilities")
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else None
        except ValueError as error:
            raise _wrong(line.number, 'probabilities is not a JSON object such as {"psoriasis": 0.8}') from error
    if given is None:
        return ()
    if not isinstance(given, dict):
        raise _wrong(line.number, 'probabilities is not an object such as {"psoriasis": 0.8}')
    shares: dict[str, float] = {}
    for label, share in given.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not (isfinite(share) and 0 <= share <= 1):
            raise _wrong(line.number, f"the probability of {label!r} is no number from 0 to 1")
        shares[normalise_label(label)] = shares.get(normalise_label(label), 0.0) + share
    if sum(shares.values()) > 1 + _OVER:
        raise _wrong(line.number, f"the probabilities add up to {sum(shares.values()):.4g}, more than 1")
    return tuple(sorted(shares.items(), key=lambda one: (-one[1], one[0])))
