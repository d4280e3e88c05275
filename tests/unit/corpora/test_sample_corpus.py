"""The sample corpus is complete, consistent, neutral in its names, readable, and made by the scripts beside it."""

import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pypdf import PdfReader

SAMPLE = Path(__file__).parents[3] / "corpora" / "sample"
COLUMNS = "picture,label,group,caption,subject,lesion,split,skin_tone,licence,source"
GROUPS = {
    "psoriasis": "1. Inflammatory & Autoimmune Diseases",
    "lupus erythematosus": "1. Inflammatory & Autoimmune Diseases",
    "lichen planus": "1. Inflammatory & Autoimmune Diseases",
    "scleroderma": "1. Inflammatory & Autoimmune Diseases",
    "photodermatoses": "1. Inflammatory & Autoimmune Diseases",
    "sarcoidosis": "1. Inflammatory & Autoimmune Diseases",
    "melanocytic nevi": "2. Benign Tumors, Nevi & Cysts",
    "squamous cell carcinoma in situ": "3. Malignant Skin Tumors",
    "basal cell carcinoma": "3. Malignant Skin Tumors",
    "acne vulgaris": "4. Acne & Follicular Disorders",
}
# Label words as captions say them: captions name one nevus, or a form of scleroderma.
STEMS = {"melanocytic nevi": "melanocytic nev", "photodermatoses": "photodermatos"}
# (document, medicine or tumour, dose or margin) that must come out of the PDF character by character.
DOSES = [
    ("psoriasis.pdf", "Betamethasone dipropionate", "0.05 %"),
    ("psoriasis.pdf", "Calcipotriol", "50 µg/g"),
    ("psoriasis.pdf", "Methotrexate", "5 to 10 mg once weekly, up to 25 mg"),
    ("psoriasis.pdf", "Moderate to severe", "≥ 10 %"),
    ("psoriasis.pdf", "Adalimumab", "80 mg, then 40 mg every 2 weeks"),
    ("melanocytic-lesions-and-skin-cancer.pdf", "Basal cell carcinoma, low risk", "4 mm"),
    ("melanocytic-lesions-and-skin-cancer.pdf", "T2", "> 1.0 to 2.0 mm"),
    ("melanocytic-lesions-and-skin-cancer.pdf", "Imiquimod cream", "5 %"),
    ("melanocytic-lesions-and-skin-cancer.pdf", "5-fluorouracil cream", "5 %"),
    ("acne.pdf", "Adapalene", "0.1 % or 0.3 %"),
    ("acne.pdf", "Benzoyl peroxide", "2.5 to 5 %"),
    ("acne.pdf", "Isotretinoin, start", "0.5 mg/kg daily"),
]


def manifest() -> list[dict[str, str]]:
    with (SAMPLE / "cases" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def consultations() -> list[dict[str, Any]]:
    return json_lines(SAMPLE / "consultations" / "consultations.jsonl")


def pictures() -> list[Path]:
    return sorted((SAMPLE / "cases" / "pictures").iterdir()) + sorted((SAMPLE / "consultations").glob("*.jpg"))


def pages(name: str) -> list[str]:
    return [page.extract_text() for page in PdfReader(SAMPLE / "guidelines" / name).pages]


def pixels(path: Path) -> NDArray[np.int16]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


@pytest.fixture(scope="module")
def scripts() -> Iterator[Path]:
    """Makes the scripts importable the way `python corpora/sample/draw_pictures.py` does, and only here."""
    before = set(sys.modules)
    sys.path.insert(0, str(SAMPLE))
    yield SAMPLE
    sys.path.remove(str(SAMPLE))
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"drawing", "writing", "draw_pictures", "write_guidelines"}:
            del sys.modules[name]


def test_manifest_and_folder_hold_the_same_pictures() -> None:
    rows = manifest()
    header = (SAMPLE / "cases" / "manifest.csv").read_text(encoding="utf-8").splitlines()[0]
    files = sorted(f"pictures/{path.name}" for path in (SAMPLE / "cases" / "pictures").iterdir())
    assert header == COLUMNS
    assert sorted(row["picture"] for row in rows) == files
    assert len(rows) >= 60


def test_every_cell_is_filled_and_constant_columns_are_constant() -> None:
    for row in manifest():
        assert all(row.values()), row
        assert (row["split"], row["licence"], row["source"]) == ("reference", "Apache-2.0", "Dermacite sample corpus")


def test_ten_classes_with_their_groups_and_at_least_seven_pictures_each() -> None:
    rows = manifest()
    assert {row["label"]: row["group"] for row in rows} == GROUPS
    assert min(Counter(row["label"] for row in rows).values()) >= 7


def test_every_class_is_drawn_on_light_and_dark_skin() -> None:
    tones: dict[str, set[str]] = {label: set() for label in GROUPS}
    for row in manifest():
        tones[row["label"]].add(row["skin_tone"])
    assert set().union(*tones.values()) == set("123456")
    assert all(seen & set("12") and seen & set("56") for seen in tones.values())


def test_a_lesion_has_one_subject_label_and_tone_and_about_a_fifth_have_two_pictures() -> None:
    rows = manifest()
    facts = {(row["lesion"], row["subject"], row["label"], row["skin_tone"]) for row in rows}
    views = Counter(row["lesion"] for row in rows)
    assert len(facts) == len(views)
    assert set(views.values()) == {1, 2}
    assert 0.15 <= sum(count == 2 for count in views.values()) / len(views) <= 0.3


def test_some_people_have_two_lesions() -> None:
    lesions_of: dict[str, set[str]] = {}
    for row in manifest():
        lesions_of.setdefault(row["subject"], set()).add(row["lesion"])
    assert sum(len(lesions) == 2 for lesions in lesions_of.values()) == 9


def test_readme_counts_are_true() -> None:
    rows = manifest()
    lesions, people = {row["lesion"] for row in rows}, {row["subject"] for row in rows}
    claim = f"{len(rows)} pictures of {len(lesions)} lesions of {len(people)} invented people"
    assert claim in (SAMPLE / "README.md").read_text(encoding="utf-8")


def test_captions_name_their_disease_and_no_other() -> None:
    for row in manifest():
        named = {label for label in GROUPS if STEMS.get(label, label) in row["caption"].lower()}
        assert named == {row["label"]}, row["caption"]
        assert 1 <= len(re.findall(r"\.(?: |$)", row["caption"])) <= 3


def test_file_names_and_order_do_not_tell_the_label() -> None:
    rows = manifest()
    assert all(re.fullmatch(r"pictures/s\d{3}\.jpg", row["picture"]) for row in rows)
    same_as_next = sum(a["label"] == b["label"] for a, b in pairwise(rows))
    assert same_as_next < len(rows) / 4


def test_pictures_are_small_plain_jpegs_without_metadata() -> None:
    for path in pictures():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (288, 288))
            assert not image.getexif()
        assert path.stat().st_size < 20_000, path.name
    assert sum(path.stat().st_size for path in pictures()) < 1_300_000


def test_no_two_pictures_are_near_duplicates() -> None:
    hashes = {}
    for path in pictures():
        with Image.open(path) as image:
            hashes[path.name] = imagehash.phash(image)
    close = [(a, b) for a, b in combinations(hashes, 2) if hashes[a] - hashes[b] < 8]
    assert close == []


def test_consultations_are_held_out_and_do_not_name_the_answer() -> None:
    rows, cases = manifest(), consultations()
    assert {case["expected_label"] for case in cases} == {
        "psoriasis",
        "melanocytic nevi",
        "acne vulgaris",
        "basal cell carcinoma",
    }
    assert not {case["lesion"] for case in cases} & {row["lesion"] for row in rows}
    assert not {case["subject"] for case in cases} & {row["subject"] for row in rows}
    for case in cases:
        assert re.fullmatch(r"c\d\.jpg", case["picture"])
        assert (SAMPLE / "consultations" / case["picture"]).is_file()
        assert not re.search("psoria|nev|acne|basal|carcinoma|mole", case["note"].lower())
        assert {"age", "sex", "body_site", "licence", "source"} <= case.keys()


def test_documents_are_described_and_titled() -> None:
    documents = json_lines(SAMPLE / "documents.jsonl")
    files = sorted(f"guidelines/{path.name}" for path in (SAMPLE / "guidelines").iterdir())
    assert sorted(document["file"] for document in documents) == files
    for document in documents:
        metadata = PdfReader(SAMPLE / document["file"]).metadata
        assert metadata is not None
        assert metadata.title == document["title"]
        assert (document["publisher"], document["licence"]) == ("Dermacite project", "Apache-2.0")
        assert document["edition"]
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", document["effective"])


def test_every_page_says_that_it_is_not_for_care_and_has_its_number() -> None:
    for path in sorted((SAMPLE / "guidelines").iterdir()):
        texts = pages(path.name)
        assert 3 <= len(texts) <= 5
        for number, text in enumerate(texts, start=1):
            assert "SAMPLE, NOT FOR CARE" in text
            assert f"Page {number}" in text.splitlines()


def test_guidelines_have_the_sections_a_reader_expects() -> None:
    wanted = ("Recognition", "Differential diagnosis", "Severity", "Treatment", "When to refer", "Follow-up", "Sources")
    for path in sorted((SAMPLE / "guidelines").iterdir()):
        text = "\n".join(pages(path.name))
        for section in wanted:
            assert re.search(rf"^\d\. {section}", text, re.MULTILINE), (path.name, section)


@pytest.mark.parametrize(("name", "row", "dose"), DOSES)
def test_doses_come_out_of_the_tables_exactly(name: str, row: str, dose: str) -> None:
    lines = "\n".join(pages(name)).splitlines()
    starts = [place for place, line in enumerate(lines) if line.strip() == row]
    assert any(dose in (line.strip() for line in lines[start + 1 : start + 3]) for start in starts)


def test_every_class_is_described_in_some_guideline() -> None:
    text = " ".join(" ".join(pages(path.name)).lower() for path in sorted((SAMPLE / "guidelines").iterdir()))
    plain = " ".join(text.split())
    assert [label for label in GROUPS if plain.count(label) < 2] == []


@pytest.mark.parametrize("label", GROUPS)
def test_drawing_again_gives_the_same_picture(scripts: Path, label: str) -> None:
    module = import_module("draw_pictures")
    place, shot = next((i, s) for i, s in enumerate(module.reference_shots(), start=1) if s.lesion.label == label)
    first, second = module.draw(shot), module.draw(shot)
    np.testing.assert_array_equal(first, second)

    encoded = io.BytesIO()
    Image.fromarray(first).save(encoded, "JPEG", quality=module.JPEG_QUALITY, optimize=True)
    with Image.open(encoded) as image:
        again = np.asarray(image, dtype=np.int16)
    # Other processors round sines differently in the last bit, so a grey level here and there may differ by one.
    assert np.abs(again - pixels(scripts / "cases" / "pictures" / f"s{place:03d}.jpg")).mean() < 0.1


def test_writing_again_gives_the_same_manifest(scripts: Path) -> None:
    module = import_module("draw_pictures")
    assert list(module.rows(module.reference_shots())) == manifest()


def test_writing_again_gives_the_same_guidelines(scripts: Path, tmp_path: Path) -> None:
    import_module("write_guidelines").write_all(tmp_path)
    assert (tmp_path / "documents.jsonl").read_bytes() == (SAMPLE / "documents.jsonl").read_bytes()
    for path in sorted((SAMPLE / "guidelines").iterdir()):
        again = [page.extract_text() for page in PdfReader(tmp_path / "guidelines" / path.name).pages]
        assert again == pages(path.name)
