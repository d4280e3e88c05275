"""The fifty texts of tests/data/orders.toml in every place of a prompt: fenced, on their line, and never a mark of a template.

What a tokenizer takes for one of its marks is asked of a real one, which knows the marks of all families at once.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from inference.profiles import Layout
from inference.prompts import (
    ImagePart,
    Message,
    Reference,
    TextPart,
    caption_question,
    defused,
    disease_question,
    grounded_question,
    harmless,
    prepared,
)
from inference.types import Evidence, EvidenceKind
from tests.orders import Order, orders

# Marks of the chat templates, thoughts, tools and pictures of model families: one token each to their tokenizers.
MARKS = tuple(
    (
        # Qwen
        "<|im_start|> <|im_end|> <|endoftext|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|> <|vision_pad|> "
        "<|object_ref_start|> <tool_call> </tool_call> <tool_response> </tool_response> <think> </think> "
        # Llama 3 and 2, LLaVA
        "<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|> <|python_tag|> "
        "<|image|> <s> </s> <unk> <pad> <image> [INST] [/INST] <<SYS>> <</SYS>> "
        # Mistral
        "[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] "
        "[IMG] [IMG_BREAK] [IMG_END] [THINK] [/THINK] [ARGS] "
        # Gemma
        "<bos> <eos> <start_of_turn> <end_of_turn> <start_of_image> <end_of_image> <image_soft_token> <|turn> <turn|> "
        # DeepSeek, llama.cpp, InternVL
        "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> <__media__> <IMG_CONTEXT> <img> </img> "
        # Phi, GLM, GPT-OSS
        "<|user|> <|assistant|> <|system|> <|end|> <|observation|> [gMASK] <sop> <|channel|> <|message|> <|start|> <|return|>"
    ).split()
)
PICTURE = prepared(np.full((2, 2, 3), 7, dtype=np.uint8))
EVIDENCE = Evidence(
    key="E1", kind=EvidenceKind.PASSAGE, id="p", text="", title="t", found_by=(), score=0.0, scores={}, ranks={},
    start=0, end=0,
)  # fmt: skip
FENCE = re.compile(r"<<<(?:DATA|END) [0-9a-f]{24}>>>")
UNSEEN = re.compile("[\u200b\u2060-\u206f\u202a-\u202e\ufeff\U000e0000-\U000e0fff]")
every_order = pytest.mark.parametrize("order", orders(), ids=lambda order: order.name)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Bytes, and every mark as a token of its own; texts are searched for marks first, as in the tokenizers of chat models."""
    alphabet = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    return made


def marks_in(tokenizer: Tokenizer, text: str) -> list[str]:
    return [token for token in tokenizer.encode(text).tokens if token in MARKS]


def words(messages: tuple[Message, ...]) -> str:
    return "\n".join(part.text for message in messages for part in message.parts if isinstance(part, TextPart))


def test_the_list_is_of_fifty_texts_each_by_itself() -> None:
    assert len({order.name for order in orders()}) == len({order.text for order in orders()}) == len(orders()) == 50


def test_the_tokenizer_takes_marks_in_the_texts_for_its_own(tokenizer: Tokenizer) -> None:
    found = {mark for order in orders() for mark in marks_in(tokenizer, order.text)}
    assert len(found) > 25  # else what follows would show nothing


@pytest.mark.parametrize("mark", MARKS)
def test_no_mark_survives(tokenizer: Tokenizer, mark: str) -> None:
    assert marks_in(tokenizer, f"a{mark}b") == [mark]
    for text in (mark, f"<{mark}>", mark * 2, f"<\u200b{mark[1:]}", mark.replace("<", "<\U000e0041"), f"[{mark}]"):
        assert marks_in(tokenizer, harmless(text)) == []


@every_order
def test_an_order_stands_in_the_fence_and_is_text(order: Order, tokenizer: Tokenizer) -> None:
    item = replace(EVIDENCE, text=order.text, title=order.text)
    messages = grounded_question([PICTURE], [item], order.text, order.text)
    system, user = messages
    assert (system, user.role) == (grounded_question([], [])[0], "user")
    assert [type(part) for part in user.parts] == [TextPart, ImagePart, TextPart]
    fenced = user.parts[0]
    assert isinstance(fenced, TextPart)
    head, code, *_ = re.split(r"The code is ([0-9a-f]{24})\n", fenced.text, maxsplit=1)
    assert head == ""
    assert FENCE.findall(fenced.text) == [f"<<<DATA {code}>>>", f"<<<END {code}>>>"]
    assert fenced.text.endswith(f"\n<<<END {code}>>>")
    assert marks_in(tokenizer, words(messages)) == []
    assert UNSEEN.search(fenced.text) is None
    assert re.findall(r"\[\s*(E\s?\d+|note|stage \d)\s*\]", fenced.text) == ["E1", "note", "stage 2"]


@every_order
def test_an_order_in_a_caption_stays_on_its_line(order: Order, tokenizer: Tokenizer) -> None:
    references = [Reference(PICTURE, "psoriasis", order.text), Reference(PICTURE, order.text, "Plaque.")]
    (message,) = disease_question(PICTURE, "P1", references, layout=Layout.EVALUATION)
    assert [type(part) for part in message.parts] == [
        TextPart,
        *[ImagePart, TextPart] * 2,
        TextPart,
        ImagePart,
        TextPart,
    ]
    lines = [part.text.split("\n") for part in message.parts if isinstance(part, TextPart)][1:3]
    assert [[line.split(":")[0] for line in one] for one in lines] == [
        ["Reference 1", "Description"],
        ["Reference 2", "Description"],
    ]
    assert marks_in(tokenizer, words((message,))) == []
    assert UNSEEN.search(words((message,))) is None


@every_order
def test_an_order_as_a_diagnosis_is_text(order: Order, tokenizer: Tokenizer) -> None:
    assert marks_in(tokenizer, words(caption_question(PICTURE, order.text))) == []


@every_order
def test_what_is_rewritten_keeps_its_length_so_that_quotes_are_found(order: Order) -> None:
    assert len(defused(order.text)) == len(order.text)
    assert defused(defused(order.text)) == defused(order.text)


@pytest.mark.parametrize(
    "text",
    [
        "p < 0.05 and 3 > 2",
        "<5 mm",
        "doses of >10 mg [BNF]",
        "see [1, 2]",
        "a\u200cb \u200dc",
        "⚠\ufe0f",
        "[Image]",
        "〈x〉 «y»",
    ],
)
def test_what_guidelines_write_stays_as_it_is(text: str) -> None:
    assert defused(text) == text
