"""Where servers differ, field by field, and how often a picture is encoded."""

import gc
import json
import re
import weakref
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engines import ChatRequest, Dialect
from inference.engines import openai_wire as wire
from inference.engines.dialects import choice_fields, decoding_fields
from inference.engines.openai_engine import OpenAIEngine
from inference.prompts import ImagePart, Message, TextPart

# What every server is sent in the protocol's own words.
PROTOCOL = {"model", "messages", "max_completion_tokens", "temperature", "top_p", "seed"}
CHOICES = ("This image shows psoriasis.", 'Say "yes"\\no\nplease.')


def asked(**fields: Any) -> ChatRequest:
    given: dict[str, Any] = {"messages": (Message("user", (TextPart("?"),)),), "model": "m", "max_new_tokens": 8}
    return ChatRequest(**(given | fields))


# --- how an answer is held to a list


def test_vllm_is_given_the_list_itself() -> None:
    assert choice_fields(Dialect.VLLM, CHOICES) == {"structured_outputs": {"choice": list(CHOICES)}}


@pytest.mark.parametrize(("dialect", "field"), [(Dialect.SGLANG, "ebnf"), (Dialect.LLAMA_CPP, "grammar")])
def test_the_others_are_given_a_grammar_of_exactly_these_texts(dialect: Dialect, field: str) -> None:
    assert choice_fields(dialect, CHOICES) == {
        field: 'root ::= "This image shows psoriasis." | "Say \\"yes\\"\\\\no\\nplease."'
    }


def texts_of(grammar: str) -> list[str]:
    """The texts of a list in GBNF, read by its own rules: a quoted text with backslash escapes, alternatives by |."""
    rest = grammar.removeprefix("root ::= ")
    found = []
    while rest:
        match = re.match(r'"((?:[^"\\]|\\.)*)"(?: \| )?', rest, re.DOTALL)
        assert match, rest
        found.append(re.sub(r"\\(.)", lambda sign: {"n": "\n"}.get(sign[1], sign[1]), match[1], flags=re.DOTALL))
        rest = rest[match.end() :]
    return found


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=1, unique=True))
def test_no_text_breaks_out_of_the_grammar(choices: list[str]) -> None:
    grammar = choice_fields(Dialect.LLAMA_CPP, choices)["grammar"]
    assert texts_of(grammar) == choices
    assert "\n" not in grammar, "a rule of its own would begin"


# --- decoding


@pytest.mark.parametrize(
    ("dialect", "top_k", "fields"),
    [
        (Dialect.VLLM, 0, {"top_k": 0, "repetition_penalty": 1.0}),
        (Dialect.VLLM, 25, {"top_k": 25, "repetition_penalty": 1.0}),
        (Dialect.SGLANG, 0, {"top_k": -1, "repetition_penalty": 1.0}),
        (Dialect.SGLANG, 25, {"top_k": 25, "repetition_penalty": 1.0}),
        (Dialect.LLAMA_CPP, 0, {"top_k": 0, "repeat_penalty": 1.0, "max_tokens": 8}),
        (Dialect.LLAMA_CPP, 25, {"top_k": 25, "repeat_penalty": 1.0, "max_tokens": 8}),
    ],
)
def test_decoding_is_said_in_each_servers_words(dialect: Dialect, top_k: int, fields: dict[str, Any]) -> None:
    assert decoding_fields(dialect, top_k, 8) == fields


@pytest.mark.parametrize("dialect", Dialect)
def test_a_body_holds_the_fields_of_its_server_and_of_no_other(dialect: Dialect) -> None:
    body = wire.body(asked(choice=CHOICES), dialect)
    extra = {name: value for name, value in body.items() if name not in PROTOCOL}
    assert extra == {**decoding_fields(dialect, 0, 8), **choice_fields(dialect, CHOICES)}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_schema_is_a_response_format_everywhere(dialect: Dialect) -> None:
    schema = {"type": "object", "properties": {"statements": {"type": "array"}}}
    assert wire.body(asked(json_schema=schema), dialect)["response_format"] == {
        "type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "able"), [(Dialect.VLLM, True), (Dialect.SGLANG, False), (Dialect.LLAMA_CPP, False)]
)
def test_only_vllm_scores_given_text_and_counts_chats(dialect: Dialect, able: bool) -> None:
    assert (dialect.scores_prompts, dialect.counts_chats) == (able, able)
    engine = OpenAIEngine("http://127.0.0.1:1/v1", "m", dialect=dialect)
    assert engine.can_score is able


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_engine_that_cannot_count_asks_nobody(anyio_backend: str) -> None:
    engine = OpenAIEngine("http://127.0.0.1:1/v1", "m", dialect=Dialect.SGLANG)
    assert await engine.count(asked()) is None
    await engine.aclose()


# --- counting


def test_the_messages_themselves_are_counted_as_they_are_answered() -> None:
    opened = asked(
        messages=(Message("user", (TextPart("?"),)), Message("assistant", (TextPart("This image"),))), choice=CHOICES
    )
    assert wire.counting_body(opened) == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "?"}]},
            {"role": "assistant", "content": "This image"},
        ],
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    assert set(wire.counting_body(asked(seed=7, logprobs=True))) == {"model", "messages"}


def test_a_count_with_a_wrong_number_is_none() -> None:
    right = b'{"count": 7, "max_model_len": 4096, "tokens": [1]}'
    assert msgspec.json.decode(right, type=wire.Tokens).count == 7
    for wrong in (b'{"count": -1, "max_model_len": 1}', b'{"count": 1, "max_model_len": 0}', b'{"count": 1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=wire.Tokens)


# --- pictures


def picture(shade: int = 7) -> ImagePart:
    return ImagePart(np.full((40, 30, 3), shade, np.uint8))


def url_of(part: ImagePart) -> str:
    (content,) = wire.body(asked(messages=(Message("user", (part,)),)))["messages"][0]["content"]
    url: str = content["image_url"]["url"]
    return url


def test_a_picture_is_encoded_once_however_often_it_is_sent() -> None:
    part = picture()
    request = asked(messages=(Message("user", (part, TextPart("?"))), Message("assistant", (TextPart("It"),))))
    bodies = [wire.body(request), *wire.scoring_bodies(request, [" is a.", " is b."]), wire.counting_body(request)]
    urls = [body["messages"][0]["content"][0]["image_url"]["url"] for body in bodies]
    assert len(urls) == 4
    assert {id(url) for url in urls} == {id(url_of(part))}, "the very same text"


def test_two_pictures_of_the_same_pixels_are_two_pictures() -> None:
    first, second = picture(), picture()
    assert first != second
    assert url_of(first) == url_of(second)
    assert url_of(picture(8)) != url_of(first)


def test_the_text_of_a_picture_is_forgotten_with_the_picture() -> None:
    part = picture()
    url_of(part)
    before, gone = len(wire._URLS), weakref.ref(part)
    del part
    gc.collect()
    assert gone() is None
    assert len(wire._URLS) == before - 1


def test_a_body_is_plain_json() -> None:
    body = wire.body(asked(messages=(Message("user", (picture(), TextPart("?"))),), choice=CHOICES))
    assert json.loads(json.dumps(body)) == body
