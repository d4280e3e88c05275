"""From the log-probabilities of a model's possible answers to a probability per label, and how much of it is no label.

    mass  = sum of exp(s_l)                              s_l: natural log-probability of the whole answer that names l
    p_l   = exp(s_l / T) / sum of exp(s_j / T)           T = 1 unless it was calibrated

`mass` is the probability that the model answers with any of the labels at all; the rest is "none of these", which a
constrained answer hides (its log-probabilities are masked and renormalised, and one label starts with several tokens).
Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import CalibrationBroken


@dataclass(frozen=True, slots=True)
class LabelCalibration:
    """The temperature of one profile and what it was fitted on. `temperature` > 0; above 1 makes answers less sure."""

    temperature: float
    cases: int
    source: str

    @classmethod
    def load(cls, file: Path) -> "LabelCalibration | None":
        """What a file says: `{"temperature": 1.4, "cases": 120, "source": "..."}`; None where there is no file.

        Raises CalibrationBroken for a file that says anything else.
        """
        try:
            data = json.loads(file.read_text("utf-8"))
            found = cls(float(data["temperature"]), int(data["cases"]), str(data["source"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
            raise CalibrationBroken(
                f"the calibration {file.name} cannot be read: it holds temperature, cases and source. Mend or remove it."
            ) from error
        if not (math.isfinite(found.temperature) and found.temperature > 0):
            raise CalibrationBroken(
                f"the temperature in the calibration {file.name} must be above 0. Mend or remove it."
            )
        return found


def probabilities(logprobs: Mapping[str, float], temperature: float = 1.0) -> dict[str, float]:
    """Per label, summing to 1; nothing for nothing. Computed from differences, so answers of exp(-500) stay apart."""
    if not logprobs:
        return {}
    highest = max(logprobs.values())
    weights = {label: math.exp((value - highest) / temperature) for label, value in logprobs.items()}
    total = math.fsum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


def mean(opinions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean per label of several pictures of one patient. All opinions hold the same labels."""
    if not opinions:
        return {}
    return {label: math.fsum(one[label] for one in opinions) / len(opinions) for label in opinions[0]}


def tempered_by_group(
    labels: Mapping[str, float], group_of: Mapping[str, str | None], groups: Mapping[str, float], *, floor: float = 0.02
) -> dict[str, float]:
    """p'_l proportional to p_l * max(g(l), floor): the group's probability as a second, independent opinion.

    A uniform distribution of groups changes nothing, and `floor` keeps the group from ruling a disease out: a cascade
    that does loses every case whose group was wrong. A label without a group gets the mean, as if nothing were known.
    """
    neutral = math.fsum(groups.values()) / len(groups) if groups else 1.0

    def weight(label: str) -> float:
        group = group_of.get(label)
        return max(groups.get(group, neutral) if group is not None else neutral, floor)

    weighted = {label: share * weight(label) for label, share in labels.items()}
    total = math.fsum(weighted.values())
    return {label: value / total for label, value in weighted.items()} if total > 0 else dict(labels)


def ranked(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    """Most probable first, then by label, so that equal shares have one order."""
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))


def mean_mass(masses: Iterable[float]) -> float:
    """The mean of the masses of several pictures; 0 for none."""
    values = list(masses)
    return math.fsum(values) / len(values) if values else 0.0
