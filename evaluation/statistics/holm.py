"""Holm's correction: with many comparisons some differ by chance, and this bounds the chance that any of them is such a one.

    p sorted: p(1) <= ... <= p(m);   adjusted p(i) = max over j <= i of  min(1, (m - j + 1) · p(j))

Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 65-70. It holds
however the comparisons depend on each other.
"""

from collections.abc import Mapping


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """The adjusted p values, 0..1, in the order given; nothing for nothing."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p, key=lambda name: (p[name], name))):
        largest = max(largest, min(1.0, (len(p) - place) * p[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}
