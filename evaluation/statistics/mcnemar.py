"""McNemar's exact test: do two arms differ in how many of the same cases they get right?

Only the cases count that one arm got right and the other wrong. Were the arms alike, each of these n would fall on either side
like a coin:

    p = min(1, 2 · P(X <= min(b, c))),   X ~ Binomial(n = b + c, 1/2)

McNemar 1947, doi:10.1007/BF02295996, in its exact form. Two seeds of one case are not two cases: give one hit per case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True)
class McNemar:
    """Cases that only the first or only the second arm got right, of `n`, and the two-sided p value."""

    n: int
    only_first: int
    only_second: int
    p: float

    @property
    def discordance(self) -> float:
        """Share 0..1 of the cases on which the arms differ; 0 for no case."""
        return (self.only_first + self.only_second) / self.n if self.n else 0.0


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Of two arms' hits, case by case in the same order. Without a case on which they differ p is 1."""
    pairs = list(zip(first, second, strict=True))
    b = sum(one and not other for one, other in pairs)
    c = sum(other and not one for one, other in pairs)
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1))
    return McNemar(len(pairs), b, c, float(min(1, 2 * tail / 2 ** (b + c))))
