"""The interval of a share that was counted: how often something happened among independent cases.

    (p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n)

The score interval: Wilson 1927, doi:10.1080/01621459.1927.10502953. Unlike a bootstrap it has a width also at 0 and at 1.
"""

from math import sqrt


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """`z` of the normal distribution, 1.96 for 95 %; (0, 1) for no observation."""
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    centre, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)
    return max(low, 0.0), min(high, 1.0)  # rounding alone leads outside
