"""The parser of unconstrained answers: a table of real and likely answers, and the reasons for no label."""

import time

import pytest

from inference.answer_parsing import DIRECTNESS, Method, ParsedLabel, parse_label
from inference.labelsets import load_label_set

TEN = load_label_set("hikari-10")
CARD = load_label_set("hikari-card")
FOUR = load_label_set("groups-4")
THREE = load_label_set("groups-3")

PS, LE, LP = "psoriasis", "lupus erythematosus", "lichen planus"
SD, PH, SA = "scleroderma", "photodermatoses", "sarcoidosis"
MN, SC, BC, AV = "melanocytic nevi", "squamous cell carcinoma in situ", "basal cell carcinoma", "acne vulgaris"

NAMED = [
    # seen from the served models
    ("</think>\n\nThis image shows melanocytic nevi.", MN),
    ("*Acne vulgaris** (consistent with comedones and pustules)", AV),
    ("Melanocytic nevus (benign pigmented skin lesion)", MN),
    ("lupus erythematosos", LE),
    ("[Acne vulgaris]", AV),
    ("squamous cell carcinoma", SC),
    ("basal cell carcinoma nodular", BC),
    ("This image shows squamous cell carcinoma in situ.", SC),
    # plain and dressed
    ("psoriasis", PS),
    ("Psoriasis.", PS),
    ("  PSORIASIS  ", PS),
    ("**Psoriasis**", PS),
    ("# Diagnosis\nPsoriasis", PS),
    ("“Lichen planus”", LP),
    ("`sarcoidosis`", SA),
    ("acne_vulgaris", AV),
    ("Squamous-Cell Carcinoma", SC),
    ("ｐｓｏｒｉａｓｉｓ", PS),
    ("psori\u200basis", PS),
    ("the melanocytic naevi", MN),
    ("melanocytic naevus", MN),
    ("Basal cell carcinomas", BC),
    ("BCC", BC),
    ("Bowen's disease", SC),
    ("Bowen’s disease", SC),
    ("morphoea", SD),
    ("Photodermatosis", PH),
    ("polymorphous light eruption", PH),
    ("acne", AV),
    # announced
    ("This image shows psoriasis.", PS),
    ("This image shows psoriasis. This image shows psoriasis.", PS),
    ("The image clearly shows discoid lupus erythematosus.", LE),
    ("Diagnosis: lichen planus", LP),
    ("Diagnosis: [Lichen planus]", LP),
    ("The diagnosis is sarcoidosis.", SA),
    ("**Diagnosis:** Basal cell carcinoma (BCC)", BC),
    ("Diagnosis (specific disease within this group): scleroderma", SD),
    ("Answer: acne vulgaris", AV),
    ("Final diagnosis:\nPsoriasis", PS),
    ("Final diagnosis: Basal cell carcinoma, not melanoma.", BC),
    ("1. Psoriasis - scale; 2. Lichen planus - violet; 3. Sarcoidosis - nodules. Final diagnosis: Lichen planus", LP),
    ("1. Psoriasis - red\n2. Eczema - itch\n3. Tinea corporis - ring\n\n**Final diagnosis:** Psoriasis", PS),
    ("• Morphology: papule\n• Color: violet\n• Surface: scale\n• Border: sharp\n"
     "• Distribution: localized\nDiagnosis: Lichen planus", LP),
    ("Differential diagnosis: eczema, psoriasis. Final diagnosis: psoriasis", PS),
    ("The most likely diagnosis is scleroderma.", SD),
    ('{"diagnosis": "psoriasis", "differential": ["eczema"]}', PS),
    ('```json\n{"label": "Acne vulgaris"}\n```', AV),
    # written out
    ("This is psoriasis.", PS),
    ("Most likely psoriasis.", PS),
    ("Psoriasis, not eczema.", PS),
    ("Psoriasis with silvery scale. Differential includes eczema.", PS),
    ("Not psoriasis but lichen planus.", LP),
    ("This is not psoriasis, it is lichen planus.", LP),
    ("Red plaques with silvery scale, consistent with psoriasis", PS),
    ("No atypia is seen, consistent with a melanocytic nevus.", MN),
    ("The pearly papule is characteristic of basal cell carcinoma rather than melanoma.", BC),
    ("The patient does not itch. The picture is typical of sarcoidosis.", SA),
    # slips
    ("basel cell carcinoma", BC),
    ("melanocitic nevi", MN),
    ("psoriasys", PS),
    ("This image shows sarcodosis.", SA),
    ("Final diagnosis: squamous cell carcinmoa", SC),
]  # fmt: skip

UNNAMED = [
    ("", Method.EMPTY),
    (" \n\t ", Method.EMPTY),
    ("</think>", Method.CUT_OFF),
    ("<think>The plaque is red, so psoriasis", Method.CUT_OFF),
    ("</think>\n<think> psoriasis", Method.CUT_OFF),
    ("Okay, let's look. The plaques suggest psoriasis", Method.CUT_OFF),
    ("BCC is the most common skin cancer and", Method.GENERAL_STATEMENT),
    ("Psoriasis is a chronic inflammatory disease.", Method.GENERAL_STATEMENT),
    ("Psoriasis usually presents with plaques.", Method.GENERAL_STATEMENT),
    ("Often found in patients with psoriasis.", Method.GENERAL_STATEMENT),
    ("The lesion resembles psoriasis.", Method.GENERAL_STATEMENT),
    ("A psoriasis-like eruption", Method.GENERAL_STATEMENT),
    ("The edge is not pearly. So not basal cell carcinoma", Method.NEGATED),
    ("So not basal cell carcinoma", Method.NEGATED),
    ("This image does not show psoriasis.", Method.NEGATED),
    ("No evidence of basal cell carcinoma.", Method.NEGATED),
    ("Psoriasis is unlikely.", Method.NEGATED),
    ("Psoriasis can be ruled out.", Method.NEGATED),
    ("Eczema rather than psoriasis", Method.OUTSIDE_SET),
    ("Something else instead of psoriasis", Method.NEGATED),
    ("It differs from lichen planus.", Method.NEGATED),
    ("This isn't acne vulgaris.", Method.NEGATED),
    ("Final diagnosis: not psoriasis", Method.NEGATED),
    ("Could be psoriasis or lichen planus.", Method.HEDGED),
    ("This may be psoriasis.", Method.HEDGED),
    ("Psoriasis?", Method.HEDGED),
    ("Psoriasis vs. eczema", Method.AMBIGUOUS),
    ("Possibly sarcoidosis", Method.HEDGED),
    ("Differential diagnosis: psoriasis", Method.HEDGED),
    ("psoriasis, lichen planus, sarcoidosis", Method.AMBIGUOUS),
    ("This image shows psoriasis. This image shows acne vulgaris.", Method.AMBIGUOUS),
    ("Final diagnosis: psoriasis and lichen planus", Method.AMBIGUOUS),
    ("This image shows psoriasis. Wait, the border is pearly.", Method.CONTRADICTED),
    ("Diagnosis: psoriasis. However, it is not psoriasis.", Method.CONTRADICTED),
    ("Distribution: localized", Method.NO_LABEL),
    ("Final diagnosis: [Disease]", Method.TEMPLATE_ECHO),
    ("Diagnosis: [state the specific skin disease]", Method.TEMPLATE_ECHO),
    ("1. [Disease] - [evidence]; 2. [Disease] - [evidence]. Final diagnosis: [Disease]", Method.TEMPLATE_ECHO),
    ("1. Psoriasis - silvery scale; 2.", Method.UNDECIDED_LIST),
    ("Melanoma", Method.OUTSIDE_SET),
    ("This image shows melanoma.", Method.OUTSIDE_SET),
    ("seborrheic dermatitis", Method.OUTSIDE_SET),
    ("Urticaria", Method.OUTSIDE_SET),
    ("acne rosacea", Method.OUTSIDE_SET),
    ("acne rosacae", Method.OUTSIDE_SET),
    ("lupus vulgaris", Method.OUTSIDE_SET),
    ("scleredema", Method.OUTSIDE_SET),
    ("nevus sebaceus", Method.OUTSIDE_SET),
    ("seborrheic keratosis", Method.OUTSIDE_SET),
    ("Skin cancer", Method.NO_LABEL),
    ("basal carcinoma", Method.NO_LABEL),
    ("squamous carcinoma", Method.NO_LABEL),
    ("sclerodema", Method.NO_LABEL),
    ("Diagnosis: unclear", Method.NO_LABEL),
    ("I cannot tell from this picture.", Method.NO_LABEL),
    ("这是银屑病", Method.NO_LABEL),
    ("这不是psoriasis", Method.FOREIGN_TEXT),
    ("[[[[{{{{", Method.NO_LABEL),
    ('{"diagnosis": "melanoma"}', Method.OUTSIDE_SET),
    ('{"diagnosis": "pso', Method.NO_LABEL),
]

GROUPS = [
    ("3. Malignant Skin Tumors", FOUR, 3),
    ("3", FOUR, 3),
    ("Category 3", FOUR, 3),
    ("**Category 2: Benign Tumors, Nevi & Cysts**", FOUR, 2),
    ("Inflammatory and autoimmune diseases", FOUR, 1),
    ("</think>\n\n4. Acne & Follicular Disorders", FOUR, 4),
    ("The answer is 1.", FOUR, 1),
    ("malignant skin tumours", FOUR, 3),
    ("2. Benign & Other Non-Malignant", THREE, 2),
    ("3. Acne & Follicular Disorders", FOUR, None),
    ("1. Inflammatory & Autoimmune Diseases\n3. Malignant Skin Tumors", FOUR, None),
    ("not 3. Malignant Skin Tumors", FOUR, None),
    ("7", FOUR, None),
    ("4", THREE, None),
    ("99999999999999999999", FOUR, None),
    ("a lesion of 3 mm", FOUR, None),
    ("<think>3", FOUR, None),
    ("", FOUR, None),
]


@pytest.mark.parametrize(("raw", "label"), NAMED)
def test_one_stated_label_is_found(raw: str, label: str) -> None:
    parsed = parse_label(raw, TEN)
    assert (parsed.label, parsed.method in DIRECTNESS) == (label, True), parsed
    assert 0 < parsed.score <= 1


@pytest.mark.parametrize(("raw", "method"), UNNAMED)
def test_what_is_no_answer_stays_unparsed_with_its_reason(raw: str, method: Method) -> None:
    assert parse_label(raw, TEN) == ParsedLabel(None, method, 0.0)


@pytest.mark.parametrize(("raw", "labels", "number"), GROUPS)
def test_a_group_is_found_by_number_or_name_when_they_agree(raw: str, labels: object, number: int | None) -> None:
    known = FOUR if labels is FOUR else THREE
    found = parse_label(raw, known).label
    assert (known.label(found).number if found else None) == number


def test_a_set_decides_what_is_outside() -> None:
    assert parse_label("Urticaria", CARD).label == "urticaria"
    assert parse_label("sccis", CARD).label == SC
    assert parse_label("lichen planus", CARD).method is Method.OUTSIDE_SET
    assert parse_label("tinea versicolor", CARD).label == "tinea versicolor"
    assert parse_label("Pityriasis versicolor", TEN).method is Method.OUTSIDE_SET


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("This image shows psoriasis.", PS),
        ("psoriasis", PS),
        ("</think>\n\nPsoriasis with scale.", PS),
        ("The plaque is red with scale, typical of psoriasis", None),
        ("This image shows psoriasis. Let me look again", None),
    ],
)
def test_a_thinking_model_answers_after_its_thought(raw: str, label: str | None) -> None:
    assert parse_label(raw, TEN, thinking=True).label == label


def test_the_score_falls_with_directness_and_with_slips() -> None:
    scores = [
        parse_label(raw, TEN).score
        for raw in (
            "psoriasis", "Final diagnosis: psoriasis", "This image shows psoriasis.", "Psoriasis with scale",
            "Scaly plaques of the elbow in psoriasis",
        )
    ]  # fmt: skip
    assert scores == [1.0, 0.95, 0.9, 0.8, 0.6]
    assert parse_label("psoriasys", TEN).score == round(1 - 1 / 9, 3)


@pytest.mark.parametrize(
    "text", ["psoriasis ", "a ", "x", "not ", "( ", "final diagnosis : ", "1. ", "lupus,", "<think>", "image shows ",
             "diagnosis ( ", "{", "[", "no psoriasis or ", "\n", "category 1 ", "psoriasis is "],
)  # fmt: skip
@pytest.mark.parametrize("labels", [TEN, FOUR], ids=["ten", "four"])
def test_a_hundred_thousand_characters_take_seconds_at_most(text: str, labels: object) -> None:
    known = TEN if labels is TEN else FOUR
    started = time.perf_counter()
    parse_label((text * 100_000)[:100_000], known)
    assert time.perf_counter() - started < 10  # 0.1 to 1.5 s where this was written; quadratic time takes minutes
