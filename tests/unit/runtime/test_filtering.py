"""`--filter NAME=VALUE`."""

from datetime import date

import click
import pytest

from retrieval.filters import Filters
from runtime.cli.filtering import filters_of


def test_values_of_one_name_are_any_of_them() -> None:
    pairs = ["label=psoriasis", "label = lichen planus", "source=A = B", "effective_to=2024-01-31"]
    assert filters_of(pairs) == Filters(
        label=("psoriasis", "lichen planus"), source=("A = B",), effective_to=date(2024, 1, 31)
    )
    assert filters_of([]) == Filters()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["label"], "no NAME=VALUE; the names are: source, jurisdiction"),
        (["label="], "no NAME=VALUE"),
        (["colour=red"], "the names are:"),
        (["effective_from=soon"], "calendar date"),
        (["effective_to=2024-01-31", "effective_to=2024-02-01"], "one date; it was given 2 times"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_there_is(pairs: list[str], said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        filters_of(pairs)
