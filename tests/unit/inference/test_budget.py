"""How much evidence fits: by a bound where that is enough, else by the model's own count."""

from dataclasses import replace

import numpy as np
import pytest

from inference.budget import Fitted, fitted, most_tokens
from inference.engines import ChatRequest
from inference.engines.errors import ContextTooLong, EngineUnreachable
from inference.profiles import load_profile
from inference.prompts import ImagePart, Message, TextPart
from inference.served import ServedModel
from tests.fakes import FakeEngine, served, texts_in

pytestmark = pytest.mark.anyio

ITEM = 1_000  # bytes of an item, of which a tokenizer makes a quarter as many tokens
ROOM = 100  # tokens of the answer
FRAME = 64 + 16  # what the bound allows a template, once and for one turn


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


def built(items: int) -> ChatRequest:
    return ChatRequest((Message("user", tuple(TextPart(f"{n:04}" * 250) for n in range(items + 1))),), "m", ROOM)


def items_of(request: ChatRequest) -> int:
    return len(texts_in(request)) - 1


def quarter(request: ChatRequest) -> int:
    return sum(len(text) for text in texts_in(request)) // 4


def model(context: int, engine: FakeEngine) -> ServedModel:
    return served(replace(load_profile("hikari-sirius"), context_length=context), engine)


async def fit(context: int, items: int, engine: FakeEngine) -> Fitted:
    return await fitted(model(context, engine), built, items)


# --- the bound


def test_the_bound_counts_bytes_squares_and_turns() -> None:
    picture = ImagePart(np.zeros((672, 650, 3), np.uint8))  # 21 x 21 squares of 32 pixels
    messages = (Message("system", (TextPart("abc"),)), Message("user", (picture, TextPart("naïve"))))
    assert most_tokens(ChatRequest(messages, "m", 1), model(4096, FakeEngine())) == 64 + (16 + 3) + (
        16 + 21 * 21 + 2 + 6
    )


def test_a_small_picture_counts_as_what_a_server_may_enlarge_it_to() -> None:
    picture = ImagePart(np.zeros((32, 32, 3), np.uint8))
    assert (
        most_tokens(ChatRequest((Message("user", (picture,)),), "m", 1), model(4096, FakeEngine())) == 64 + 16 + 128 + 2
    )


def test_a_model_with_smaller_squares_needs_more_of_them() -> None:
    picture = ImagePart(np.zeros((672, 672, 3), np.uint8))
    request = ChatRequest((Message("user", (picture,)),), "m", 1)
    qwen = served("qwen2.5-vl-7b-instruct", FakeEngine())
    assert most_tokens(request, qwen) == 64 + 16 + 24 * 24 + 2


# --- what fits


async def test_what_the_bound_proves_is_not_counted() -> None:
    engine = FakeEngine(tokens=quarter)
    found = await fit(4 * ITEM + FRAME + ROOM, 3, engine)
    assert (found.items, found.known_by, found.prompt_tokens) == (3, "bound", 4 * ITEM + FRAME)
    assert items_of(found.request) == 3
    assert engine.asked == 0


async def test_one_byte_over_the_bound_is_counted() -> None:
    engine = FakeEngine(tokens=quarter)
    found = await fit(4 * ITEM + FRAME + ROOM - 1, 3, engine)
    assert (found.items, found.known_by, found.prompt_tokens) == (3, "counted", ITEM)
    assert len(engine.counted) == 1


async def test_the_last_ranked_are_left_out_first_and_none_is_cut() -> None:
    found = await fit(3 * ITEM // 4 + ROOM, 8, FakeEngine(tokens=quarter))
    assert found.items == 2
    assert texts_in(found.request) == texts_in(built(2)) == texts_in(built(8))[:3]


async def test_the_answer_needs_room_too() -> None:
    assert (await fit(3 * ITEM // 4 + ROOM - 1, 8, FakeEngine(tokens=quarter))).items == 1


async def test_a_server_with_a_shorter_context_than_the_profile_is_believed() -> None:
    engine = FakeEngine(tokens=quarter, limit=2 * ITEM // 4 + ROOM)
    assert (await fit(ITEM, 8, engine)).items == 1
    assert (await fit(ITEM, 8, FakeEngine(tokens=quarter))).items == 2


async def test_halving_asks_few_times() -> None:
    engine = FakeEngine(tokens=quarter)
    found = await fit(700 * ITEM // 4 + ROOM, 1_000, engine)
    assert found.items == 699
    assert len(engine.counted) <= 11


async def test_an_engine_that_cannot_count_is_held_to_the_bound() -> None:
    engine = FakeEngine(tokens=None)
    found = await fit(3 * ITEM + FRAME + ROOM, 8, engine)
    assert (found.items, found.known_by) == (2, "bound")


async def test_what_does_not_fit_without_any_item_is_too_long() -> None:
    with pytest.raises(ContextTooLong, match="hikari-sirius"):
        await fit(ITEM // 4 + ROOM - 1, 8, FakeEngine(tokens=quarter))
    with pytest.raises(ContextTooLong):
        await fit(ITEM // 4 + ROOM - 1, 0, FakeEngine(tokens=quarter))


async def test_a_failure_of_counting_is_the_engines() -> None:
    with pytest.raises(EngineUnreachable):
        await fit(ITEM, 8, FakeEngine(tokens=quarter, fails={"count": EngineUnreachable("nobody answers")}))
