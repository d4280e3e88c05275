"""What a run reads: arms with other encoders, folders that show what the index holds, SkinCAP as its authors deliver it."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from evaluation.errors import DatasetOverlaps
from evaluation.records import CaseRecord, Result, read_records
from evaluation.report import write_report
from evaluation.running import Asked, run_plan
from retrieval.encoders import encoder_card, locate
from retrieval.errors import IndexMismatch
from tests.drawing import scene
from tests.sample import CAPTIONS, drawn

ONE_ARM = '[[arms]]\nname = "one"\n'


def plan_of(
    folder: Path, knowledge: str, dataset: str = "leave_one_out = true", arms: str = ONE_ARM, name: str = "plan"
) -> Path:
    file = folder / f"{name}.toml"
    text = f'name = "{name}"\n[knowledge]\n{knowledge}\n[dataset]\n{dataset}\n[defaults]\npassages = false\n{arms}'
    file.write_text(text, "utf-8")
    return file


def records_of(run: Path, arm: str | None = None) -> list[CaseRecord]:
    """Without what differs from run to run."""
    found = (replace(one, timings_ms={}) for one in read_records(run / "cases.jsonl"))
    return [one for one in found if arm in (None, one.arm)]


def told(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text("utf-8"))


def collection(folder: Path, pictures: Mapping[str, tuple[str, bytes]]) -> Path:
    """A manifest with pictures by name, each with its label."""
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["picture", "label", "caption"])
        for name, (label, data) in pictures.items():
            (folder / name).write_bytes(data)
            table.writerow([name, label, CAPTIONS[label]])
    return folder


def saved(image: Image.Image, format_: str = "JPEG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **how)
    return buffer.getvalue()


def skin(number: int) -> bytes:
    """A scene of skin as PNG: no near-duplicate of one with another number, nor of a drawing."""
    return saved(Image.fromarray(scene(number)), "PNG")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = {f"{label}-{n}.png": (label, drawn(label, n)) for label in CAPTIONS for n in range(4)}
    return collection(tmp_path_factory.mktemp("collections") / "sample", pictures)


# --- other encoders ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded picture encoder with the channels of its first layer in another order: it sees other things."""
    folder = tmp_path_factory.mktemp("weights")
    weights = torch.load(locate(encoder_card("efficientnet-lite0")).path, map_location="cpu", weights_only=True)
    first = next(iter(weights))
    weights[first] = weights[first].flip(0)
    torch.save(weights, folder / "other.pth")
    return folder


@pytest.fixture(scope="module")
def two_encoders(sample: Path, other_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose second and third arm have another picture encoder."""
    folder = tmp_path_factory.mktemp("encoders")
    arms = ONE_ARM + "".join(
        f'[[arms]]\nname = "{name}"\n[arms.settings.pictures]\ncard = "efficientnet-lite0"\nfolder = "{other_weights}"\n'
        for name in ("other", "other again")
    )
    run_plan(Asked(plan_of(folder, f'cases = ["{sample}"]', arms=arms), folder / "run"))
    return folder / "run"


def test_an_arm_with_another_encoder_searches_an_index_of_its_own(two_encoders: Path) -> None:
    arms = told(two_encoders, "run.json")["arms"]
    assert len({arms[name]["encoders"]["pictures"]["fingerprint"] for name in ("other", "other again")}) == 1
    assert arms["one"]["encoders"]["pictures"]["fingerprint"] != arms["other"]["encoders"]["pictures"]["fingerprint"]
    assert arms["one"]["encoders"]["captions"] == arms["other"]["encoders"]["captions"]
    for name in arms:
        index = arms[name]["index"]
        assert (index["generation"] is not None, index["delta"]) == (True, 0), name
    assert len([one for one in (two_encoders / "home" / "indexes").iterdir() if one.is_dir()]) == 2
    one, other, again = (records_of(two_encoders, name) for name in ("one", "other", "other again"))
    assert [replace(record, arm="other") for record in again] == other
    assert [record.case for record in one] == [record.case for record in other]
    scores = [[[item.score for item in record.evidence] for record in records] for records in (one, other)]
    assert scores[0] != scores[1]
    assert told(two_encoders, "leaks.json")["answers_with_kin_among_evidence"] == 0


def test_a_run_with_two_encoders_goes_on_with_the_indexes_that_are_there(two_encoders: Path) -> None:
    before, records = told(two_encoders, "run.json"), (two_encoders / "cases.jsonl").read_bytes()
    kept = records.splitlines(keepends=True)[:20]  # of the arm "other" some
    (two_encoders / "cases.jsonl").write_bytes(b"".join(kept))
    run_plan(Asked(two_encoders.parent / "plan.toml", two_encoders, resume=True))
    assert told(two_encoders, "run.json")["arms"] == before["arms"]
    assert [one.key for one in records_of(two_encoders)] == [json_key(line) for line in records.splitlines()]


def json_key(line: bytes) -> tuple[str, str, int]:
    record = json.loads(line)
    return record["arm"], record["case"], record["seed"]


def test_a_home_that_is_named_gets_no_index_and_says_which_command_makes_it(
    sample: Path, other_weights: Path, tmp_path: Path
) -> None:
    first = plan_of(tmp_path, f'cases = ["{sample}"]')
    run_plan(Asked(first, tmp_path / "first"))
    home = tmp_path / "first" / "home"
    arms = f'{ONE_ARM}[arms.settings.pictures]\ncard = "efficientnet-lite0"\nfolder = "{other_weights}"\n'
    indexes = sorted((home / "indexes").rglob("*"))
    with pytest.raises(IndexMismatch, match="Mend it: dermacite reindex"):
        run_plan(Asked(plan_of(tmp_path, f'home = "{home}"', arms=arms, name="other"), tmp_path / "other"))
    assert sorted((home / "indexes").rglob("*")) == indexes
    assert not (tmp_path / "other" / "run.json").exists()


# --- folders that show what the index holds ----------------------------------------------------------------------------


def disguises(data: bytes) -> dict[str, bytes]:
    """The same picture in other bytes."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    return {
        "again.jpg": saved(image, quality=70),
        "small.png": saved(image.resize((width * 2 // 3, height * 2 // 3)), "PNG"),
        "mirrored.png": saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"),
        "cropped.png": saved(image.crop((12, 9, width - 12, height - 9)), "PNG"),
        "brighter.jpg": saved(image.point(lambda value: min(255, value + 12)), quality=90),
    }


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of a run with six scenes: skin with a lesion, of which near-duplicates can be told from others."""
    folder = tmp_path_factory.mktemp("scenes")
    labels = sorted(CAPTIONS)
    pictures = {f"{n}.png": (labels[n % 3], skin(n)) for n in range(6)}
    run_plan(Asked(plan_of(folder, f'cases = ["{collection(folder / "known", pictures)}"]'), folder / "run"))
    return folder / "run" / "home"


def test_near_duplicates_that_differ_in_bytes_are_refused_with_the_pairs(scenes: Path, tmp_path: Path) -> None:
    twins = disguises(skin(2))
    strangers = {f"stranger-{n}.png": skin(n) for n in (11, 12)}
    folder = collection(tmp_path / "asked", {name: ("acne", data) for name, data in {**twins, **strangers}.items()})
    plan = plan_of(tmp_path, f'home = "{scenes}"', f'folder = "{folder}"')
    with pytest.raises(
        DatasetOverlaps, match=r"5 of 7 cases are in the index.*5 near_duplicate.*leaks\.json lists them"
    ):
        run_plan(Asked(plan, tmp_path / "out"))
    leaks = told(tmp_path / "out", "leaks.json")
    assert (leaks["asked"], leaks["leave_one_out"], leaks["in_the_index"]) == (7, False, {"near_duplicate": 5})
    assert {one["case"] for one in leaks["pairs"]} == set(twins)
    assert len({one["of"] for one in leaks["pairs"]}) == 1
    assert not (tmp_path / "out" / "run.json").exists()
    assert not (tmp_path / "out" / "cases.jsonl").exists()
    for name in twins:
        (folder / name).unlink()
    run_plan(Asked(plan, tmp_path / "out"))
    assert [one.case for one in records_of(tmp_path / "out")] == sorted(strangers)
    assert told(tmp_path / "out", "leaks.json")["in_the_index"] == {}


# --- SkinCAP -----------------------------------------------------------------------------------------------------------

SKINCAP_HEADER = (
    "id,skincap_file_path,ori_file_path,disease,caption_zh,caption_zh_polish,caption_zh_polish_en,remark,source,"
    "skin_tone,malignant,fitzpatrick_scale,fitzpatrick_centaur,nine_partition_label,three_partition_label,url,"
    "Vesicle,Papule,Do not consider this image"
)


def skincap(folder: Path) -> Path:
    """Pictures and texts of our own in SkinCAP's layout: half of them said to be DDI's, half Fitzpatrick17k's; one row is
    withdrawn by its authors, and of one the picture is missing."""
    (folder / "skincap").mkdir(parents=True)
    table = io.StringIO()
    writer = csv.DictWriter(table, SKINCAP_HEADER.split(","))
    writer.writeheader()
    for number in range(14):
        label = sorted(CAPTIONS)[number % 3]
        if number < 13:
            (folder / "skincap" / f"{number}.png").write_bytes(skin(number))
        of_ddi = number % 2 == 0
        writer.writerow({
            "id": number, "skincap_file_path": f"{number}.png", "disease": label.title(),
            "caption_zh_polish_en": f"{CAPTIONS[label]} This is {label}.", "source": "ddi" if of_ddi else "fitzpatrick17k",
            "ori_file_path": f"{number:06}.png", "skin_tone": "56" if of_ddi else "", "Vesicle": 0, "Papule": 1,
            "fitzpatrick_scale": "-1" if of_ddi else "2", "url": "" if of_ddi else f"https://example.org/{number}.jpg",
            "Do not consider this image": int(number == 12),
        })  # fmt: skip
    (folder / "skincap_v240623.csv").write_bytes(b"\xef\xbb\xbf" + table.getvalue().encode())
    return folder


def test_skincap_is_asked_of_another_collection(sample: Path, tmp_path: Path) -> None:
    folder = skincap(tmp_path / "delivered")
    arms = ONE_ARM + '[[arms]]\nname = "caption"\nnote = "caption"\nalpha = 0.5\n'
    run_plan(Asked(plan_of(tmp_path, f'cases = ["{sample}"]', f'folder = "{folder}"', arms), tmp_path / "out"))
    dataset = told(tmp_path / "out", "run.json")["dataset"]
    assert (dataset["name"], dataset["cases"]) == ("skincap", 12)
    assert dataset["rejected"] == {"excluded_by_dataset": 1, "picture_missing": 1}
    assert dataset["labels"] == {"acne": 4, "nevus": 4, "psoriasis": 4}
    records = records_of(tmp_path / "out")
    assert {one.skin_tone for one in records} == {"5-6", "2"}
    assert all(one.result in (Result.CORRECT, Result.WRONG, Result.ABSTAINED) for one in records)
    assert all(one.voters for one in records)
    page = write_report(tmp_path / "out").with_suffix(".md").read_text("utf-8")
    assert "| 5-6 | 6 (few) |" in page
    file = folder / "skincap_v240623.csv"
    by_table = plan_of(tmp_path, f'home = "{tmp_path / "out" / "home"}"', f'folder = "{file}"', name="table")
    run_plan(Asked(by_table, tmp_path / "table"))
    assert told(tmp_path / "table", "run.json")["dataset"] == dataset


def test_skincap_is_knowledge_asked_one_by_one(tmp_path: Path) -> None:
    folder = skincap(tmp_path / "delivered")
    run_plan(Asked(plan_of(tmp_path, f'cases = ["{folder}"]'), tmp_path / "out"))
    assert len(records_of(tmp_path / "out")) == 12
    k = told(tmp_path / "out", "run.json")["arms"]["one"]["vote"]["k"]
    assert {len(one.voters) for one in records_of(tmp_path / "out")} == {min(k, 11)}
    assert told(tmp_path / "out", "leaks.json")["answers_with_kin_among_evidence"] == 0
    facts = [json.loads(line) for line in (tmp_path / "out" / "dataset.jsonl").read_text().splitlines()]
    assert {one["licence"] for one in facts} == {"CC-BY-NC-SA-4.0"}


def test_a_part_of_skincap_is_held_out(tmp_path: Path) -> None:
    folder = skincap(tmp_path / "delivered")
    run_plan(Asked(plan_of(tmp_path, "", f'folder = "{folder}"\nhold_out = 0.25'), tmp_path / "out"))
    dataset = told(tmp_path / "out", "run.json")["dataset"]
    assert dataset["labels"] == {"acne": 1, "nevus": 1, "psoriasis": 1}
    assert told(tmp_path / "out", "leaks.json")["in_the_index"] == {}


def test_fitzpatrick17k_is_not_asked_of_skincap_which_was_made_from_it(tmp_path: Path) -> None:
    """The pictures differ; the address that both name tells."""
    known = skincap(tmp_path / "delivered")
    theirs = tmp_path / "fitzpatrick17k"
    theirs.mkdir()
    rows = [{"picture": f"{n}.png", "label": "acne", "source": f"https://example.org/{n}.jpg"} for n in (1, 99)]
    for row, number in zip(rows, (201, 202), strict=True):
        (theirs / row["picture"]).write_bytes(skin(number))
    (theirs / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with pytest.raises(DatasetOverlaps, match=r"1 of 2 cases are in the index, or show what is \(1 same_source\)"):
        run_plan(Asked(plan_of(tmp_path, f'cases = ["{known}"]', f'folder = "{theirs}"'), tmp_path / "out"))
    [pair] = told(tmp_path / "out", "leaks.json")["pairs"]
    assert (pair["case"], pair["reason"]) == ("1.png", "same_source")
