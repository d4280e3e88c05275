"""Halving finds what trying every number of items finds."""

from dataclasses import replace
from functools import partial

import anyio
from hypothesis import given
from hypothesis import strategies as st

from inference.budget import fitted, most_tokens
from inference.engines import ChatRequest
from inference.engines.errors import ContextTooLong
from inference.profiles import load_profile
from inference.prompts import Message, TextPart
from tests.fakes import FakeEngine, served, texts_in

ROOM = 10


@given(st.lists(st.integers(1, 60), max_size=24), st.integers(1, 400), st.floats(0.1, 1), st.booleans())
def test_the_largest_number_that_fits_is_found(
    sizes: list[int], context: int, tokens_per_byte: float, counts: bool
) -> None:
    def build(items: int) -> ChatRequest:
        return ChatRequest((Message("user", tuple(TextPart("x" * size) for size in (5, *sizes[:items]))),), "m", ROOM)

    def tokens(request: ChatRequest) -> int:
        return round(sum(len(text) for text in texts_in(request)) * tokens_per_byte)

    profile = replace(load_profile("hikari-sirius"), context_length=context)
    model = served(profile, FakeEngine(tokens=tokens if counts else None))
    cost = tokens if counts else partial(most_tokens, model=model)
    fitting = [
        items
        for items in range(len(sizes) + 1)
        if min(cost(build(items)), most_tokens(build(items), model)) + ROOM <= context
    ]
    try:
        found = anyio.run(fitted, model, build, len(sizes))
    except ContextTooLong:
        assert not fitting
    else:
        assert found.items == max(fitting)
        assert texts_in(found.request) == texts_in(build(found.items))
