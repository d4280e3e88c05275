"""Messages to the letter: every prompt and layout against a file written by hand from the models' specification."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.errors import PromptRefused
from inference.profiles import Layout, load_profile, profiles
from inference.prompt_texts import filled, prompt_hash, prompt_names, prompt_text, slots_of
from inference.prompts import (
    EMPTY_THOUGHT,
    ImagePart,
    Message,
    Pixels,
    Reference,
    TextPart,
    caption_question,
    disease_question,
    grounded_question,
    group_question,
    harmless,
    mask_label,
    prepared,
    with_empty_thought,
)
from inference.types import Evidence, EvidenceKind

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
GROUP = "3. Malignant Skin Tumors"


def picture(grey: int, width: int = 40, height: int = 30) -> Pixels:
    return np.full((height, width, 3), grey, dtype=np.uint8)


def shot(grey: int) -> ImagePart:
    return prepared(picture(grey))


def shown(messages: tuple[Message, ...]) -> str:
    """A message as the golden files write it: one line per part; a picture by its first grey level."""
    lines = []
    for message in messages:
        lines.append(f"== {message.role}")
        lines += [
            f"text {part.text}" if isinstance(part, TextPart) else f"image {part.rgb[0, 0, 0]}"
            for part in message.parts
        ]
    return "\n".join(lines) + "\n"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text("utf-8")


REFERENCES = (
    Reference(shot(1), "psoriasis", "Red plaques with silvery scale."),
    Reference(shot(2), "lichen planus", "Violet flat papules."),
    Reference(shot(3), "psoriasis", ""),
)


@pytest.mark.parametrize("name", prompt_names())
def test_each_prompt_is_what_the_models_know(name: str) -> None:
    assert prompt_text(name) + "\n" == golden(f"prompt-{name}")


def test_all_prompts_of_the_specification_are_there() -> None:
    stage2 = [
        f"{letter}{number}"
        for letter, count in (("T", 3), ("P", 4))
        for number in range(letter == "T", count + (letter == "T"))
    ]
    expected = {"stage1", *stage2, *(f"P{number}g" for number in range(4)), "caption", "caption-guided", "describe"}
    assert set(prompt_names()) == expected
    used = {prompt for name in profiles() for prompt in load_profile(name).prompts}
    assert used == expected


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("stage1", group_question(shot(9))),
        ("stage2-single", disease_question(shot(9), "T1")),
        ("stage2-training", disease_question(shot(9), "T3", REFERENCES[:1], layout=Layout.TRAINING)),
        ("stage2-evaluation", disease_question(shot(9), "P0", REFERENCES, layout=Layout.EVALUATION)),
        ("stage2-group", disease_question(shot(9), "P0g", REFERENCES[:1], layout=Layout.TRAINING, group=GROUP)),
        ("stage3", caption_question(shot(9))),
        ("stage3-guided", caption_question(shot(9), "lichen planus")),
    ],
)
def test_each_layout_is_what_the_models_know(name: str, messages: tuple[Message, ...]) -> None:
    assert shown(messages) == golden(f"layout-{name}")


def test_masked_captions_keep_the_label_line_and_lose_the_word() -> None:
    reference = Reference(shot(1), "acne vulgaris", "Acne on the cheek, acne_vulgaris of long standing, acneiform.")
    (message,) = disease_question(shot(9), "P0", [reference], layout=Layout.EVALUATION, mask_captions=True)
    assert message.parts[2] == TextPart(
        "Reference 1: acne vulgaris\nDescription: [diagnosis] on the cheek, [diagnosis] of long standing, acneiform."
    )


@pytest.mark.parametrize(
    ("caption", "label", "masked"),
    [
        ("Bowen’s disease, also SCC\nin situ.", "squamous cell carcinoma in situ", "[diagnosis], also [diagnosis]."),
        ("A BASAL\ncell  carcinoma (BCC)", "basal cell carcinoma", "A [diagnosis] ([diagnosis])"),
        ("Psoriasiform plaques", "psoriasis", "Psoriasiform plaques"),
        ("İ psoriasis", "psoriasis", "İ [diagnosis]"),
        ("Something rare", "something rare", "[diagnosis]"),
    ],
)
def test_a_label_is_masked_in_whole_words(caption: str, label: str, masked: str) -> None:
    assert mask_label(caption, label) == masked


def test_references_need_a_layout_and_prompts_their_slots() -> None:
    with pytest.raises(PromptRefused, match="single layout"):
        disease_question(shot(9), "T1", REFERENCES)
    with pytest.raises(PromptRefused, match="P0g takes group; given: nothing"):
        disease_question(shot(9), "P0g")
    with pytest.raises(PromptRefused, match="P0 takes nothing; given: group"):
        disease_question(shot(9), "P0", group=GROUP)
    with pytest.raises(PromptRefused, match="no prompt 'P7'"):
        prompt_text("P7")


def test_slots_are_filled_as_text() -> None:
    assert filled("P3g", group="{disease}").startswith("Group: '{disease}'.\n")
    assert slots_of("caption-guided") == {"disease"}
    assert len({prompt_hash(name) for name in prompt_names()}) == len(prompt_names())


def test_pictures_are_thumbnails_and_never_enlarged() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1344, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.thumbnail((672, 672), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(prepared(noise).rgb, np.asarray(image))
    assert prepared(noise).rgb.shape == (450, 672, 3)
    np.testing.assert_array_equal(prepared(picture(7)).rgb, picture(7))
    assert prepared(picture(0, 5000, 2)).rgb.shape == (1, 672, 3)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PromptRefused, match="uint8"):
        prepared(np.zeros(shape, dtype=np.uint8))


EVIDENCE = Evidence(
    key="E1", kind=EvidenceKind.PASSAGE, id="p", text="Psoriasis: well-demarcated plaques.", title="A guideline",
    found_by=("search",), score=0.5, scores={}, ranks={}, start=0, end=35, first_page=3,
)  # fmt: skip


def test_evidence_is_numbered_and_fenced() -> None:
    second = replace(
        EVIDENCE, key="E2", kind=EvidenceKind.CASE, text="Scale [E1].\n", title="Cases\nof ours", first_page=None
    )
    messages = grounded_question([shot(8), shot(9)], [EVIDENCE, second], "itchy <|im_end|> elbows")
    assert shown(messages) == golden("layout-grounded")


def test_a_report_without_evidence_says_so() -> None:
    _, user = grounded_question([shot(9)], [])
    assert isinstance(user.parts[0], TextPart)
    assert "No evidence was found." in user.parts[0].text
    assert "No note was given." in user.parts[0].text


def test_the_empty_thought_begins_the_answer() -> None:
    messages = with_empty_thought(group_question(shot(9)))
    assert messages[-1] == Message("assistant", (TextPart(EMPTY_THOUGHT),))
    assert isinstance(messages[0].parts[0], ImagePart)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("lesions < 5 mm, p<0.05 and 3 > 2", "lesions < 5 mm, p<0.05 and 3 > 2"),
        ("<|im_start|>system", "‹|im_start|›system"),
        ("</think><think>", "‹/think>‹think>"),
        ("<<<END>>>", "‹‹‹END>››"),
        ("[INST] x [/INST]", "(INST] x (/INST]"),
        ("<｜User｜> ＜|im_end|＞ <__media__> <!--", "‹｜User｜› ‹|im_end|› ‹__media__> ‹!--"),
        ("a\u200bb\U000e0041", "a\ufffdb\ufffd"),
    ],
)
def test_control_marks_become_text(text: str, made: str) -> None:
    assert harmless(text) == made
