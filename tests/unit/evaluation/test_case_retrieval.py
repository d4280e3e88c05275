"""Figures of case retrieval by hand, and the command on small collections with the real encoder."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from evaluation.case_retrieval import Asked, report_lines, summarise
from evaluation.cli import evaluate
from evaluation.statistics import wilson
from inference.exemplars import Calibration
from tests.drawing import scene

NOTHING = {"same_case": 0, "same_lesion": 0, "same_subject": 0, "near_duplicate": 0}


def asked(label: str, neighbours: str, voted: str | None, **excluded: int) -> Asked:
    """`neighbours` are the labels of the neighbours, one letter each."""
    names = tuple(f"c{number}" for number in range(len(neighbours)))
    return Asked("c", label, names, tuple(neighbours), voted, NOTHING, excluded)


FOUR = [
    asked("a", "abbbbb", "b", same_picture=1),
    asked("a", "bbbbba", "b", same_picture=1, same_lesion=2),
    asked("a", "bbabbb", "a", same_picture=1),
    asked("b", "", None),
]


def test_the_measures_by_hand() -> None:
    report = summarise(FOUR, Calibration())
    # First neighbour: only the first case. Among five: the first and the third. Voted right: the third.
    assert report.measures == {
        "recall@1": 1 / 4, "recall@5": 2 / 4, "vote_accuracy": 1 / 4, "vote_balanced_accuracy": (1 / 3 + 0) / 2,
    }  # fmt: skip
    assert report.intervals["recall@5"] == wilson(2, 4)
    assert (report.cases, report.labels, report.without_neighbour) == (4, 2, 1)
    assert report.baselines == {"most_frequent_label": 3 / 4}


def test_what_leaked_and_what_was_kept_back_is_added_up() -> None:
    leaky = replace(FOUR[0], let_through={**NOTHING, "same_lesion": 2, "near_duplicate": 1})
    leak = summarise([leaky, *FOUR[1:]], Calibration()).leak
    assert leak == {
        "same_case": 0, "same_lesion": 2, "same_subject": 0, "near_duplicate": 1,
        "excluded": {"same_lesion": 2, "same_picture": 3},
    }  # fmt: skip


def test_a_person_is_told_of_cases_without_a_neighbour() -> None:
    lines = list(report_lines(summarise(FOUR, Calibration())))
    assert "let through: 0 same_case, 0 same_lesion, 0 same_subject, 0 near_duplicate" in lines
    assert "! 1 cases found no neighbour at all and count as missed" in lines


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, ["cases", *map(str, arguments)])


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six lesions of two labels; of the first, a cropped mirrored copy under another lesion id comes along."""
    folder = tmp_path_factory.mktemp("cases") / "drawn"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["picture", "label", "lesion"])
        for number in range(6):
            Image.fromarray(scene(number)).save(folder / f"{number}.png")
            writer.writerow([f"{number}.png", "ab"[number % 2], f"L{number // 2 * 2 + number % 2}"])
        Image.fromarray(scene(0)[18:-18, 24:-24][:, ::-1].copy()).save(folder / "copy.png")
        writer.writerow(["copy.png", "a", "L9"])
    return folder


def test_the_command_asks_every_case_and_lets_no_copy_through(collection: Path, tmp_path: Path) -> None:
    result = run(collection, "--json", "--out", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["cases"], report["labels"], report["dataset"]) == (7, 2, "drawn")
    assert {"recall@1", "recall@5", "vote_accuracy"} <= report["measures"].keys()
    assert all(report["leak"][name] == 0 for name in NOTHING)
    assert report["leak"]["excluded"] == {"near_duplicate": 2, "same_picture": 7}
    assert report["configuration"]["encoders"]["pictures"]["training_overlap"].startswith("ImageNet")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [len(line["neighbours"]) for line in lines].count(5) == 2


@pytest.mark.parametrize("make", ["nowhere", "empty", "one", "no pictures"])
def test_what_cannot_be_measured_is_one_sentence_and_exit_code_1(make: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    if make != "nowhere":
        (folder / "acne").mkdir(parents=True)
    if make == "one":
        Image.fromarray(scene(0)).save(folder / "acne" / "0.png")
    if make == "no pictures":
        (folder / "acne" / "0.png").write_bytes(b"text")
        (folder / "acne" / "1.png").write_bytes(b"text")
    result = run(folder, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["message"]
    assert result.stderr.startswith("Refused: ")
    assert "Traceback" not in result.output
