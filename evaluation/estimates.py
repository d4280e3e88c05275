"""What a run will cost, from a few cases of each arm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from evaluation.records import CaseRecord

PROBES: Final = 3  # cases of each arm; the median of three does not see the first, which loads what is loaded once


@dataclass(frozen=True, slots=True)
class Estimate:
    """`records` are still to be made, in `seconds`; tokens are of prompts and answers, None without a served model."""

    arm: str
    records: int
    seconds_each: float
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None


def estimate(arm: str, records: int, at_once: int, probes: Sequence[CaseRecord]) -> Estimate:
    """From probes that were asked one by one. At once they are not faster than the machine: at best `at_once` times."""
    each = median(one.timings_ms["consultation"] for one in probes) / 1000 if probes else 0.0
    return Estimate(
        arm, records, each, each * records / at_once, _scaled([one.prompt_tokens for one in probes], records),
        _scaled([one.completion_tokens for one in probes], records),
    )  # fmt: skip


def estimate_lines(estimates: Sequence[Estimate], counts: Mapping[str, int]) -> Iterator[str]:
    """For a terminal. `counts`: cases, arms, seeds and what else makes up the number of records."""
    yield ", ".join(f"{number} {what}" for what, number in counts.items())
    for one in estimates:
        tokens = ""
        if one.prompt_tokens is not None and one.completion_tokens is not None:
            tokens = f"   {one.prompt_tokens:,} + {one.completion_tokens:,} tokens"
        yield f"  {one.arm:<24}{one.records:>7} records{one.seconds_each:>9.2f} s each{_span(one.seconds):>12}{tokens}"
    yield f"  about {_span(sum(one.seconds for one in estimates))} in all, at best"


def _scaled(counts: Sequence[int | None], records: int) -> int | None:
    known = [one for one in counts if one is not None]
    return round(sum(known) / len(known) * records) if known else None


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
