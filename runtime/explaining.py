"""How a search came to its ranking, as a person reads it in a terminal."""

from collections.abc import Iterator, Mapping

from retrieval.types import Dropped, Explanation


def explanation_lines(explanations: Mapping[str, Explanation]) -> Iterator[str]:
    """One block for each of the rankings. A search by picture has none."""
    for name, one in explanations.items():
        yield f"How the {name} were found"
        yield f"  fusion      {one.fusion}: {_shares(one)}"
        yield f"  candidates  {', '.join(f'{number} {leg}' for leg, number in one.proposed.items())}"
        yield f"  coverage    the best candidates by words say {one.coverage:.0%} of the query's words, by rarity"
        yield from _expansions(one)
        yield f"  floor       cosine {one.cosine_floor:g}"
        yield from _dropped(one)
    if not explanations:
        yield "nothing to explain: no text was searched for"


def _shares(one: Explanation) -> str:
    return " + ".join(f"{share:.2f} {leg}" for leg, share in one.shares.items()) or "ranks of both legs, no shares"


def _expansions(one: Explanation) -> Iterator[str]:
    for expansion in one.expansions:
        yield f"  added       {', '.join(expansion.terms)}  (for “{expansion.phrase}”, {expansion.kind})"
    if not one.expansions:
        yield "  added       nothing: no lay word in the query"


def _dropped(one: Explanation) -> Iterator[str]:
    for drop in one.dropped:
        yield f"  dropped     {drop.id}: {_why(drop)}"
    if not one.dropped:
        yield "  dropped     nothing"


def _why(drop: Dropped) -> str:
    if drop.reason == "near_duplicate":
        return f"nearly repeats {drop.of} (cosine {drop.cosine:.3f})"
    return f"below the floor (cosine {drop.cosine:.3f})"
