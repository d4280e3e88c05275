"""How large a difference in accuracy would have to be for a set of this size to show it.

    n = (z(1 - α/2) · √ψ  +  z(1 - β) · √(ψ - δ²))² / δ²

solved for δ, the difference of two arms' accuracies on the same n cases, of which they differ on the share ψ. Connor 1987,
"Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 207-211, doi:10.2307/2531961
(of Miettinen 1968). A smaller difference that was not found is not shown to be absent.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Detectable:
    """`difference` 0..1 is found with the chance `power`; None: no difference at all would be, with so few cases."""

    n: int
    discordance: float
    difference: float | None
    power: float
    alpha: float


def smallest_detectable(n: int, discordance: float, *, power: float = POWER, alpha: float = ALPHA) -> Detectable:
    """Of `n` cases, on the share `discordance` of which the arms differ. A difference can be no larger than that share."""

    def needed(difference: float) -> float:
        spread = sqrt(max(0.0, discordance - difference**2))
        normal = NormalDist()
        return ((normal.inv_cdf(1 - alpha / 2) * sqrt(discordance) + normal.inv_cdf(power) * spread) / difference) ** 2

    if n == 0 or discordance <= 0 or needed(discordance) > n:
        return Detectable(n, discordance, None, power, alpha)
    low, high = 0.0, discordance
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= n else (middle, high)
    return Detectable(n, discordance, high, power, alpha)
