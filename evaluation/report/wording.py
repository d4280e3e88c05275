"""How numbers are written. The same number is the same text everywhere in a report."""

from math import isnan
from typing import Final

NONE: Final = "–"
GAP: Final = "\N{NO-BREAK SPACE}"  # an interval or a share stays on one line
MINUS: Final = "\N{MINUS SIGN}"


def plain(value: float, unit: str = "share") -> str:
    """Three decimals; of milliseconds and tokens as many digits as mean something."""
    if isnan(value):
        return NONE
    if unit in ("ms", "tokens"):
        return _minus(f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}")
    return _minus(f"{value:.3f}")


def signed(value: float, unit: str = "share") -> str:
    """With its sign, also a plus."""
    text = plain(abs(value), unit)
    return text if not any(digit in text for digit in "123456789") else ("+" if value > 0 else MINUS) + text


def span(low: float, high: float, unit: str = "share", *, sign: bool = False) -> str:
    """An interval in brackets."""
    write = signed if sign else plain
    return f"[{write(low, unit)},{GAP}{write(high, unit)}]"


def chance(p: float | None) -> str:
    """A p value."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share_of(count: int, of: int) -> str:
    """A count with its percentage."""
    return f"{count} ({100 * count / of:.0f}{GAP}%)" if of else str(count)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 case`, `2 cases`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 8) -> str:
    """Names with commas, the rest as a number."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
