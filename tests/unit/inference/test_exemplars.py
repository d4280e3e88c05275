"""The vote by hand, and its calibration by leaving out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.errors import CalibrationBroken
from inference.exemplars import FILE, KS, SMOOTHINGS, TEMPERATURES, Calibration, _votes, calibrate, vote
from knowledge.registry import CaseGuard
from retrieval.leakage import GuardTable, leak_guard
from retrieval.types import Mask, Vectors
from tests.fakes import case_of, sha256, unit

PLAIN = Calibration(k=3, temperature=0.5, smoothing=0.0)
LABELS = ("acne", "nevus", "psoriasis")


# --- the vote ------------------------------------------------------------------------------------------------------


def test_neighbours_vote_with_the_softmax_of_their_scores() -> None:
    a, b, c = np.exp(0.9 / 0.5), np.exp(0.7 / 0.5), np.exp(0.5 / 0.5)
    votes = dict(vote([("nevus", 0.9), ("acne", 0.7), ("nevus", 0.5)], LABELS, PLAIN))
    assert votes["nevus"] == pytest.approx((a + c) / (a + b + c))
    assert votes["acne"] == pytest.approx(b / (a + b + c))
    assert votes["psoriasis"] == 0


def test_smoothing_gives_every_label_a_share() -> None:
    votes = vote([("nevus", 0.9)], LABELS, replace(PLAIN, smoothing=0.3))
    assert [label for label, _ in votes] == ["nevus", "acne", "psoriasis"]
    assert [share for _, share in votes] == pytest.approx([0.7 + 0.1, 0.1, 0.1])


def test_only_the_first_k_neighbours_vote() -> None:
    neighbours = [("nevus", 0.9), ("acne", 0.9), ("psoriasis", 0.9)]
    assert dict(vote(neighbours, LABELS, replace(PLAIN, k=2)))["psoriasis"] == 0


def test_a_small_temperature_listens_to_the_nearest_alone() -> None:
    votes = dict(vote([("nevus", 0.9), ("acne", 0.8), ("acne", 0.8)], LABELS, replace(PLAIN, temperature=0.001)))
    assert votes["nevus"] == pytest.approx(1)


def test_equal_shares_come_by_label() -> None:
    votes = vote([("psoriasis", 0.5), ("acne", 0.5)], LABELS, PLAIN)
    assert [label for label, _ in votes] == ["acne", "psoriasis", "nevus"]


def test_shares_add_up_to_one() -> None:
    votes = vote([("nevus", 0.9), ("acne", 0.1)], LABELS, Calibration())
    assert sum(share for _, share in votes) == pytest.approx(1)


def test_the_fast_vote_is_the_same_formula() -> None:
    rng = np.random.default_rng(0)
    codes, scores = rng.integers(0, 3, (20, 5)), rng.uniform(-1, 1, (20, 5))
    given = Calibration(k=5, temperature=0.04, smoothing=0.1)
    slow = [
        dict(vote([(LABELS[code], float(score)) for code, score in zip(*row, strict=True)], LABELS, given))
        for row in zip(codes, scores, strict=True)
    ]
    expected = [[votes[label] for label in LABELS] for votes in slow]
    assert _votes(codes, scores, 3, 0.04, 0.1) == pytest.approx(np.array(expected))


def test_a_neighbour_that_is_missing_has_no_vote() -> None:
    found = _votes(np.array([[2, 0]]), np.array([[0.5, -np.inf]]), 3, 0.04, 0.0)
    assert found.tolist() == [[0, 0, 1]]


# --- calibration ---------------------------------------------------------------------------------------------------


def guards(labels: list[str], **fields: list[str]) -> list[CaseGuard]:
    cases = [
        case_of(str(number), label, **{name: values[number] for name, values in fields.items()})
        for number, label in enumerate(labels)
    ]
    return [CaseGuard(**{name: getattr(case, name) for name in CaseGuard.__dataclass_fields__}) for case in cases]


def may_see(table: GuardTable, row: int) -> Mask:
    return leak_guard(table, table.probe_of(row)).allowed


def clusters(labels: list[str], spread: float = 0.3, seed: int = 0) -> Vectors:
    """One direction per label, and noise."""
    rng = np.random.default_rng(seed)
    centres = np.eye(16)[[sorted(set(labels)).index(label) for label in labels]]
    return unit(centres + spread * rng.normal(size=(len(labels), 16)))


THREE = [LABELS[number % 3] for number in range(60)]


def fitted(labels: list[str], pictures: Vectors, **fields: list[str]) -> Calibration:
    return calibrate(pictures, labels, GuardTable.of(guards(labels, **fields)))


def test_calibration_beats_knowing_nothing() -> None:
    found = fitted(THREE, clusters(THREE))
    assert found.log_loss is not None
    assert found.log_loss < np.log(3) / 2
    assert found.accuracy is not None
    assert found.accuracy > 0.9
    assert found.queries == 60


def test_what_is_fitted_is_one_of_what_was_tried() -> None:
    found = fitted(THREE, clusters(THREE))
    assert found.k in KS
    assert found.temperature in TEMPERATURES
    assert found.smoothing in SMOOTHINGS


def test_pictures_that_say_nothing_give_modest_probabilities() -> None:
    noise = unit(np.random.default_rng(1).normal(size=(60, 16)))
    found = fitted(THREE, noise)
    assert found.accuracy is not None
    assert found.accuracy < 0.6
    assert max(share for _, share in vote([(label, 0.5) for label in THREE], LABELS, found)) < 0.6


def twins_of_noise() -> tuple[list[str], Vectors]:
    """Pairs of equal pictures with equal labels, otherwise noise: whoever sees its twin knows everything."""
    noise = unit(np.random.default_rng(2).normal(size=(40, 16)))
    labels = [LABELS[number] for number in np.random.default_rng(3).integers(0, 3, 40)]
    return labels * 2, np.concatenate([noise, noise])


def test_twins_that_are_not_known_as_kin_would_help() -> None:
    # The counterpart of the tests below: without a lesion to tell them apart the twins give everything away.
    found = fitted(*twins_of_noise())
    assert found.accuracy == 1


@pytest.mark.parametrize("name", ["lesion", "subject", "original", "perceptual_hash"])
def test_kin_are_never_seen(name: str) -> None:
    labels, pictures = twins_of_noise()
    kin = [sha256(f"kin {number % 40}")[: 16 if name == "perceptual_hash" else 64] for number in range(80)]
    found = fitted(labels, pictures, **{name: kin})
    assert found.accuracy is not None
    assert found.accuracy < 0.7
    assert found.log_loss is not None
    assert found.log_loss > 0.8


def test_what_a_twin_tells_of_the_lesion_is_heeded_as_in_the_leak_guard() -> None:
    query, twin, other_view, stranger = guards(["x"] * 4)
    twin = replace(twin, perceptual_hash=query.perceptual_hash, lesion="L", dataset="another")
    other_view = replace(other_view, lesion="L", dataset="another")
    visible = may_see(GuardTable.of([query, twin, other_view, stranger]), 0)
    assert visible.tolist() == [False, False, False, True]


def test_unknown_lesions_and_subjects_are_no_kin() -> None:
    table = GuardTable.of(guards(["x"] * 3))
    assert may_see(table, 1).tolist() == [True, False, True]


def test_held_out_cases_neither_ask_nor_answer() -> None:
    labels = ["acne", "nevus"] * 10
    split = ["train"] * 12 + ["test"] * 8
    assert fitted(labels, clusters(labels), split=split).queries == 12
    assert not may_see(GuardTable.of(guards(labels, split=split)), 0)[12:].any()


def test_the_floor_lies_below_nearly_every_known_case() -> None:
    pictures = clusters(THREE)
    found = fitted(THREE, pictures)
    similarity = pictures @ pictures.T - 2 * np.eye(60)
    best = similarity.max(axis=1)
    assert found.similarity_floor == pytest.approx(np.quantile(best, 0.01), abs=1e-5)
    assert (best < found.similarity_floor).sum() <= 1


def test_the_same_index_gives_the_same_calibration() -> None:
    pictures = clusters(THREE)
    assert fitted(THREE, pictures) == fitted(THREE, pictures)


@pytest.mark.parametrize("labels", [[], ["acne"], ["acne"] * 10], ids=["nothing", "one case", "one label"])
def test_without_a_choice_there_is_nothing_to_calibrate(labels: list[str]) -> None:
    assert fitted(labels, np.zeros((len(labels), 16), dtype=np.float32)) == Calibration()


def test_where_all_are_kin_there_is_nothing_to_calibrate() -> None:
    labels = ["acne", "nevus"] * 5
    assert fitted(labels, clusters(labels), subject=["same"] * 10) == Calibration()


# --- on the disk ---------------------------------------------------------------------------------------------------


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    given = fitted(THREE, clusters(THREE))
    given.save(tmp_path)
    assert Calibration.load(tmp_path) == given


def test_without_a_generation_the_defaults_are_used_and_say_so() -> None:
    assert Calibration.load(None).queries == 0


@pytest.mark.parametrize("text", [None, "", "[]", '{"unknown": 1}'], ids=repr)
def test_a_calibration_that_cannot_be_read_names_the_command_that_mends(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(CalibrationBroken, match="dermacite reindex"):
        Calibration.load(tmp_path)
