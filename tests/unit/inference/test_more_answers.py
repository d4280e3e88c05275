"""A second table of answers, written after the parser and before seeing what it gives.

On first sight it agreed on 136 of 142; four of the other six were labels it should not have given, two were answers it
left unparsed. What those taught is in the parser now, so this table is a regression test and no measurement.
"""

import pytest

from inference.answer_parsing import parse_label
from inference.labelsets import load_label_set

TEN = load_label_set("hikari-10")
FOUR = load_label_set("groups-4")

PS, LE, LP = "psoriasis", "lupus erythematosus", "lichen planus"
SD, PH, SA = "scleroderma", "photodermatoses", "sarcoidosis"
MN, SC, BC, AV = "melanocytic nevi", "squamous cell carcinoma in situ", "basal cell carcinoma", "acne vulgaris"
DISEASES = [
    ("</think>\n\nThis image shows lupus erythematosus.", LE),
    ("Got it, let's tackle this. The user wants... </think>\n\n**Psoriasis**", PS),
    ("</think>\n\nBased on the visual features, the specific skin disease is **lichen planus**.", LP),
    ("Step 1: The primary lesion is a plaque.\nStep 2: Red.\nStep 3: Scaly.\nStep 4: Sharp.\nStep 5: Psoriasis.", PS),
    ("Step 5: Based on these features, the specific skin disease is psoriasis vulgaris.", PS),
    ("(1) plaque (2) red (3) scaly (4) sharp (5) psoriasis", PS),
    ("The lesion is most consistent with basal cell carcinoma (BCC).", BC),
    ("The visual features strongly suggest nodular basal cell carcinoma.", BC),
    ("Cutaneous sarcoidosis", SA),
    ("Sarcoidosis (lupus pernio)", SA),
    ("systemic sclerosis (scleroderma)", SD),
    ("Scleroderma, also known as systemic sclerosis", SD),
    ("Compound melanocytic nevus", MN),
    ("intradermal nevus", MN),
    ("dysplastic nevus", MN),
    ("Squamous cell carcinoma in situ (Bowen disease)", SC),
    ("It's acne.", AV),
    ("nodulocystic acne vulgaris", AV),
    ("Final Answer: **Basal Cell Carcinoma**", BC),
    ("Final diagnosis: Acne Vulgaris - comedones are present", AV),
    (
        "**Final diagnosis: Lupus erythematosus**\n\nThe butterfly rash is typical. Rosacea is less "
        "likely because there are pustules.",
        LE,
    ),
    (
        "1. **Melanoma** - dark\n2. **Melanocytic nevus** - regular\n3. **Seborrheic keratosis** - "
        "stuck on\n\nFinal diagnosis: **Melanocytic nevus**",
        MN,
    ),
    (
        "1. Basal cell carcinoma - pearly border; 2. Melanoma - pigment; 3. Squamous cell carcinoma "
        "- ulcer. Final diagnosis: Melanoma",
        None,
    ),
    ("Diagnosis: Psoriasis (plaque type), mild", PS),
    ("Diagnosis - psoriasis", PS),
    ("disease: photodermatoses", PH),
    ("The specific skin disease is melanoma.", None),
    ("Eczema", None),
    ("Atopic dermatitis", None),
    ("Dermatitis", None),
    ("Rosacea", None),
    ("Nevus flammeus", None),
    ("Kaposi sarcoma", None),
    ("Merkel cell carcinoma", None),
    ("Pseudopelade", None),
    ("Actinic keratosis", None),
    ("Vitiligo.", None),
    ("This image shows a benign nevus of the sebaceous type, nevus sebaceus.", None),
    ("Hidradenitis suppurativa (acne inversa)", None),
    ("Lichen sclerosus", None),
    ("lichen planopilaris", None),
    ("drug-induced acneiform eruption", None),
    ("I'm sorry, but I can't provide a medical diagnosis.", None),
    ("As an AI I cannot diagnose. Possible conditions include psoriasis and eczema.", None),
    ("It is unclear whether this is psoriasis.", None),
    ("Either psoriasis or lichen planus.", None),
    ("Psoriasis or eczema", None),
    ("psoriasis / lichen planus", None),
    ("This might represent sarcoidosis", None),
    ("psoriasis, but lichen planus cannot be excluded", None),
    ("Rule out basal cell carcinoma", None),
    ("A biopsy is needed to exclude squamous cell carcinoma.", None),
    ("Psoriasis has been ruled out; the findings fit lichen planus.", LP),
    ("It does not look like psoriasis. It looks like lichen planus.", None),
    ("There's no sign of acne vulgaris", None),
    ("The absence of comedones argues against acne vulgaris", None),
    ("Unlike psoriasis, this lesion is not scaly", None),
    ("Psoriasis: No. Lichen planus: Yes.", LP),
    ("negative for melanocytic nevi", None),
    ("None of psoriasis, lichen planus, acne vulgaris", None),
    ("nothing here but normal skin", None),
    ("Normal skin", None),
    ("[Disease]", None),
    ("[describe primary lesion type]", None),
    ("Surface: scale", None),
    ("Diagnosis: [Disease Name]", None),
    ("Final diagnosis:", None),
    ("Final diagnosis: ", None),
    (
        "The image shows multiple erythematous papules and comedones on the face of a young person. Final diagnosis",
        None,
    ),
    ("The image shows multiple erythematous papules and comedones on the face, findings typical of acne vulgaris.", AV),
    ("<think>Let me think. It may be psoriasis.</think>", None),
    ("<think>psoriasis</think>lichen planus", LP),
    ("<think></think>\n\nThis image shows scleroderma.", SD),
    ("So, looking at the picture, the plaque is red with scale. Psoriasis has scale, so maybe", None),
    ("Wait, maybe it's lichen planus. Hmm, the color is violet", None),
    ("Psoriasis\n\nPsoriasis\n\nPsoriasis", PS),
    ('{"disease": "Lichen Planus", "confidence": 0.82}', LP),
    ("{'diagnosis': 'psoriasis'}", PS),
    ('["psoriasis"]', PS),
    ('{"diagnosis": null}', None),
    ('{"candidates": ["psoriasis", "eczema"]}', None),
    ("皮肤病：牛皮癣", None),
    ("答案：Lichen planus", None),
    ("Ответ: псориаз", None),
    ("โรคสะเก็ดเงิน", None),
    ("PSORIASIS!!!", PS),
    ("psoriasis 🙂", PS),
    ("p s o r i a s i s", None),
    ("Psorisis", PS),
    ("lichen plannus", LP),
    ("sqamous cell carcinoma", SC),
    ("photodermatosses", PH),
    ("acne vulgairs", AV),
    ("scleroderna", SD),
    ("melanocytic nevous", MN),
    ("melanosis", None),
    ("psittacosis", None),
    ("sarcosis", None),
    ("sarcoma", None),
    ("lichen", None),
    ("lupus pernio", SA),
    ("carcinoma", None),
    ("basal cell", None),
    ("nevi", MN),
    ("History of psoriasis; now an ulcer.", None),
    ("Treatment for acne vulgaris includes retinoids.", None),
    ("Melanocytic nevi are benign proliferations of melanocytes.", None),
    ("BCC is the most likely diagnosis.", BC),
    ("BCC.", BC),
    ("Likely BCC", BC),
    ("Psoriasis is seen here.", PS),
    ("mimics psoriasis", None),
    ("lupus-like rash", None),
    ("The reference cases show psoriasis. The new image shows lichen planus.", LP),
    ("Reference 1: psoriasis. Reference 2: psoriasis. This image shows acne vulgaris.", AV),
    ("Reference 1: psoriasis", None),
    ("The reference cases are psoriasis", None),
    ("Stage 2 diagnosis: psoriasis.", PS),
    ("This image shows psoriasis, a chronic autoimmune disease.", PS),
    ("This image shows the arm of a patient with psoriasis.", None),
    ("This image shows psoriasis or possibly eczema.", None),
    ("This photo shows basal cell carcinoma, which is the most common skin cancer.", BC),
]
GROUPS = [
    ("3. Malignant Skin Tumors.", 3),
    ("Group 2", 2),
    ("Answer: 4. Acne & Follicular Disorders", 4),
    ("(1) Inflammatory & Autoimmune Diseases", 1),
    ("Benign Tumors, Nevi and Cysts", 2),
    ("</think>\n\n1. Inflammatory & Autoimmune Diseases", 1),
    ("2. Malignant Skin Tumors", None),
    ("1", 1),
    ("five", None),
    ("Category 1 or 2", None),
    ("This is not a malignant tumor.", None),
    ("Either 1 or 3", None),
    ("Acne and follicular disorders", 4),
    ("#3", 3),
    ("Number 4", 4),
    ("The lesion belongs to category 3, malignant skin tumors.", 3),
    (
        "1. Inflammatory & Autoimmune Diseases\n2. Benign Tumors, Nevi & Cysts\n3. Malignant Skin "
        "Tumors\n4. Acne & Follicular Disorders",
        None,
    ),
    ("psoriasis", None),
    ("0", None),
    ("3/4", None),
]


@pytest.mark.parametrize(("raw", "label"), DISEASES)
def test_a_disease_is_found_where_one_is_stated(raw: str, label: str | None) -> None:
    assert parse_label(raw, TEN).label == label


@pytest.mark.parametrize(("raw", "number"), GROUPS)
def test_a_group_is_found_where_one_is_stated(raw: str, number: int | None) -> None:
    found = parse_label(raw, FOUR).label
    assert (FOUR.label(found).number if found else None) == number
