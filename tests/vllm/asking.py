"""Whole consultations on the random model: the settings that reach it, a question, and when two answers are the same."""

import math
from typing import Any

from inference.pipeline import Pipeline
from inference.types import Answer, Consultation, Diagnosis, DiagnosisOptions
from runtime.service import Service
from tests.vllm.server import MODEL

NOTE = "scaly plaques on the elbow"  # with it even the random model may answer: without, the voices are in conflict


def served(url: str | list[str], reporter: str = "hikari-vega", **choice: Any) -> dict[str, Any]:
    """Settings in which every role is played by the random model, at one address or several."""
    roles = {"grouper": "hikari-subaru", "classifier": "hikari-sirius", "reporter": reporter}
    where = {"url": url} if isinstance(url, str) else {"urls": url}
    how = {**where, "model": MODEL, **choice}
    return {
        **roles, "models": dict.fromkeys(roles.values(), how), "label_mass_floor": 0.0, "probability_floor": 0.0,
        "configuration": "embedded",
    }  # fmt: skip


async def ask(
    service: Service, *pictures: bytes, note: str = "", asking: Pipeline | None = None, **options: Any
) -> Answer:
    consultation = Consultation(tuple(service.admit(picture) for picture in pictures), note)
    return await (asking or service.pipeline).diagnose(consultation, DiagnosisOptions(**options))


def diagnosis(answer: Answer) -> Diagnosis:
    assert isinstance(answer, Diagnosis), answer
    return answer


def alike(one: Any, other: Any) -> bool:
    """Equal but for the last digits of numbers: with whom a request shares a batch changes in which order it is summed."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=5e-3, abs_tol=1e-6)
    return bool(one == other)
