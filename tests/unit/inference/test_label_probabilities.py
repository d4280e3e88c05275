"""From log-probabilities of answers to probabilities of labels, worked by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from inference.errors import CalibrationBroken
from inference.label_probabilities import (
    LabelCalibration,
    mean,
    mean_mass,
    probabilities,
    ranked,
    tempered_by_group,
)

GROUP_OF = {"psoriasis": "1", "sarcoidosis": "1", "nevus": "2", "melanoma": "3"}


def test_shares_are_the_probabilities_over_their_sum() -> None:
    shares = probabilities({"a": math.log(0.3), "b": math.log(0.1), "c": math.log(0.2)})
    assert shares == pytest.approx({"a": 0.3 / 0.6, "b": 0.1 / 0.6, "c": 0.2 / 0.6})


def test_a_temperature_of_two_takes_the_square_root_of_each_probability() -> None:
    shares = probabilities({"a": math.log(0.64), "b": math.log(0.04)}, temperature=2)
    assert shares == pytest.approx({"a": 0.8 / (0.8 + 0.2), "b": 0.2 / (0.8 + 0.2)})


def test_a_temperature_below_one_makes_an_answer_surer() -> None:
    shares = probabilities({"a": math.log(0.6), "b": math.log(0.4)}, temperature=0.5)
    assert shares["a"] == pytest.approx(0.36 / (0.36 + 0.16))


def test_answers_too_improbable_for_a_float_stay_apart() -> None:
    shares = probabilities({"a": -1_000.0, "b": -1_000.0 - math.log(3)})
    assert shares == pytest.approx({"a": 3 / 4, "b": 1 / 4})


def test_nothing_has_no_shares() -> None:
    assert probabilities({}) == {}
    assert mean([]) == {}
    assert mean_mass([]) == 0


def test_pictures_of_one_patient_are_averaged_label_by_label() -> None:
    assert mean([{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.8}]) == pytest.approx({"a": 0.55, "b": 0.45})
    assert mean_mass([0.9, 0.3]) == pytest.approx(0.6)


def test_equal_shares_are_ranked_by_label() -> None:
    assert ranked({"b": 0.25, "c": 0.5, "a": 0.25}) == [("c", 0.5), ("a", 0.25), ("b", 0.25)]


# --- the group as a second opinion


def test_a_groups_probability_multiplies_the_labels_of_the_group() -> None:
    labels = {"psoriasis": 0.5, "nevus": 0.3, "melanoma": 0.2}
    weighed = tempered_by_group(labels, GROUP_OF, {"1": 0.2, "2": 0.7, "3": 0.1})
    total = 0.5 * 0.2 + 0.3 * 0.7 + 0.2 * 0.1
    assert weighed == pytest.approx(
        {"psoriasis": 0.5 * 0.2 / total, "nevus": 0.3 * 0.7 / total, "melanoma": 0.2 * 0.1 / total}
    )


def test_groups_that_are_all_as_likely_change_nothing() -> None:
    labels = {"psoriasis": 0.5, "sarcoidosis": 0.1, "nevus": 0.3, "melanoma": 0.1}
    assert tempered_by_group(labels, GROUP_OF, {"1": 1 / 3, "2": 1 / 3, "3": 1 / 3}) == pytest.approx(labels)


def test_a_group_that_is_ruled_out_keeps_the_floor() -> None:
    weighed = tempered_by_group({"psoriasis": 0.99, "nevus": 0.01}, GROUP_OF, {"1": 0.0, "2": 1.0}, floor=0.02)
    assert weighed["psoriasis"] == pytest.approx(0.99 * 0.02 / (0.99 * 0.02 + 0.01 * 1.0))
    assert weighed["psoriasis"] > weighed["nevus"]


def test_a_label_without_a_group_gets_the_mean_of_the_groups() -> None:
    weighed = tempered_by_group({"psoriasis": 0.5, "tinea": 0.5}, {**GROUP_OF, "tinea": None}, {"1": 0.9, "2": 0.1})
    assert weighed == pytest.approx({"psoriasis": 0.9 / (0.9 + 0.5), "tinea": 0.5 / (0.9 + 0.5)})


def test_a_label_whose_group_was_not_asked_for_is_neither_helped_nor_harmed() -> None:
    weighed = tempered_by_group({"psoriasis": 0.5, "melanoma": 0.5}, GROUP_OF, {"1": 0.5, "2": 0.5})
    assert weighed == pytest.approx({"psoriasis": 0.5, "melanoma": 0.5})


def test_without_groups_the_shares_stay_as_they_are() -> None:
    assert tempered_by_group({"psoriasis": 0.7, "nevus": 0.3}, GROUP_OF, {}) == pytest.approx(
        {"psoriasis": 0.7, "nevus": 0.3}
    )


# --- the calibration file


def write(folder: Path, value: Any) -> Path:
    file = folder / "hikari-sirius.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return file


def test_a_calibration_is_read_from_its_file(tmp_path: Path) -> None:
    file = write(tmp_path, {"temperature": 1.4, "cases": 120, "source": "held-out pictures"})
    assert LabelCalibration.load(file) == LabelCalibration(1.4, 120, "held-out pictures")


def test_without_a_file_there_is_no_calibration(tmp_path: Path) -> None:
    assert LabelCalibration.load(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "value",
    [
        "", "{", "[]", "1.4", '"1.4"', "null",
        {"cases": 1, "source": "s"}, {"temperature": 1.4, "source": "s"}, {"temperature": 1.4, "cases": 1},
        {"temperature": None, "cases": 1, "source": "s"}, {"temperature": "warm", "cases": 1, "source": "s"},
        '{"temperature": 1.4, "cases": Infinity, "source": "s"}',
    ],
)  # fmt: skip
def test_a_file_that_says_something_else_is_named_with_what_to_do(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CalibrationBroken, match=r"hikari-sirius\.json.*Mend or remove it"):
        LabelCalibration.load(write(tmp_path, value))


@pytest.mark.parametrize("temperature", [0, -1.4, "nan", "inf", "-inf"])
def test_a_temperature_that_is_none_is_refused(tmp_path: Path, temperature: Any) -> None:
    file = write(tmp_path, {"temperature": temperature, "cases": 1, "source": "s"})
    with pytest.raises(CalibrationBroken, match=r"hikari-sirius\.json must be above 0"):
        LabelCalibration.load(file)


def test_a_file_that_is_no_text_or_no_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.json").mkdir()
    for name in ("bytes.json", "folder.json"):
        with pytest.raises(CalibrationBroken, match=name):
            LabelCalibration.load(tmp_path / name)
