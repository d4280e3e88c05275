"""Plans: what is understood, and what a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest

from evaluation.errors import PlanRefused
from evaluation.plans import Arm, Control, Note, plan_of, read_plan
from inference.types import DiagnosisOptions, GroupUse
from retrieval.hybrid import Fusion

PLANS = Path(__file__).parents[3] / "corpora" / "plans"
VARIABLES = {"HAM": "/data/ham", "URL": "http://127.0.0.1:8001/v1", "MODEL": "tiny"}


def plan(**given: Any) -> Any:
    least = {
        "name": "a plan", "knowledge": {"home": "home"}, "dataset": {"leave_one_out": True}, "arms": [{"name": "one"}],
    }  # fmt: skip
    return plan_of({**least, **given}, Path("/plans"))


@pytest.mark.parametrize("file", sorted(PLANS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_example_is_a_plan(file: Path) -> None:
    read = read_plan(file, VARIABLES)
    assert read.compared_with in {arm.name for arm in read.arms}
    assert all(isinstance(arm.options(0), DiagnosisOptions) for arm in read.arms)


def test_an_arm_without_a_word_is_what_the_service_serves() -> None:
    assert Arm("served").options(0) == DiagnosisOptions()


def test_an_arm_becomes_options() -> None:
    read = plan(arms=[{"name": "x", "alpha": 0.5, "note": "caption", "fusion": "rrf", "group": "soft", "cases": True,
                       "references": 5, "prompt": "P3", "captions": "masked", "constrain": False}])  # fmt: skip
    options = read.arms[0].options(7)
    assert options == DiagnosisOptions(
        alpha=0.5, fusion=Fusion.RRF, group=GroupUse.SOFT, references=5, prompt="P3", captions="masked", constrain=False, seed=7
    )  # fmt: skip
    assert (read.arms[0].note, read.arms[0].control) == (Note.CAPTION, Control.NONE)


def test_defaults_lie_under_every_arm_and_settings_are_put_together() -> None:
    defaults = {"passages": False, "settings": {"preset": "embedded", "workers": 1}}
    read = plan(defaults=defaults, arms=[{"name": "a"}, {"name": "b", "passages": True, "settings": {"workers": 3}}])
    assert [arm.passages for arm in read.arms] == [False, True]
    assert [dict(arm.settings) for arm in read.arms] == [
        {"preset": "embedded", "workers": 1}, {"preset": "embedded", "workers": 3},
    ]  # fmt: skip


def test_paths_are_seen_from_the_plan_and_seeds_are_the_arms_own() -> None:
    read = plan(seeds=[1, 2], arms=[{"name": "a"}, {"name": "b", "seeds": [5]}])
    assert read.knowledge.home == Path("/plans/home")
    assert [read.seeds_of(arm) for arm in read.arms] == [(1, 2), (5,)]


def test_a_variable_is_filled_in_and_an_open_one_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'name = "x"\nknowledge = {cases = ["${HERE}/cases"]}\ndataset = {leave_one_out = true}\narms = [{name = "a"}]'
    )
    assert read_plan(file, {"HERE": "/data"}).knowledge.cases == (Path("/data/cases"),)
    with pytest.raises(PlanRefused, match="--set HERE=VALUE"):
        read_plan(file)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arms": [{"name": "x", "alhpa": 1}]}, "arms.0.alhpa: there is no such key; there are: name, control, note"),
        ({"arms": [{"name": "x", "control": "orcale"}]}, "'none', 'oracle', 'random', 'shuffled', 'reversed' or 'noise'"),
        ({"arms": [{"name": "x", "fusion": "sum"}]}, "'adaptive', 'fixed', 'rrf', 'semantic' or 'lexical'"),
        ({"arms": [{"name": "x", "alpha": 2}]}, "arms.0.alpha: Input should be less than or equal to 1"),
        ({"arms": [{"name": "x", "seeds": [-1]}]}, "arms.0.seeds.0: Input should be greater than or equal to 0"),
        ({"arms": [{"name": "x"}, {"name": "x"}]}, "two are called 'x'"),
        ({"arms": []}, "at least one is needed"),
        ({"arms": [{}]}, "arms.0.name: is missing"),
        ({"arms": [3]}, "arms.0"),
        ({"baseline": "y"}, "no arm is called 'y'; there are: one"),
        ({"seed": 1}, "seed: there is no such key; there are: name, knowledge, dataset"),
        ({"dataset": {"fold": 1}}, "dataset.fold: there is no such key; there are: folder, leave_one_out"),
        ({"arms": [{"name": "x", "frozen": {"run": "r"}}]}, "arms.0.frozen.arm: is missing"),
        ({"dataset": {}}, "name either folder, or leave_one_out"),
        ({"knowledge": {}}, "name either home, or"),
        ({"knowledge": {"home": "h", "cases": ["c"]}}, "name either home, or"),
        ({"dataset": {"leave_one_out": True, "hold_out": 0.2}, "knowledge": {}}, "hold_out"),
        ({"arms": [{"name": "x", "alpha": 0.5}]}, 'permitted: note = "caption" or "given"'),
        ({"arms": [{"name": "x", "cases": False, "control": "oracle"}]}, "cases are switched off"),
        ({"arms": [{"name": "x", "control": "random", "frozen": {"run": "r", "arm": "a"}}]}, "leave control out"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_told_the_key_and_what_is_permitted(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        plan(**given)
    assert said in str(refused.value)


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("name = ")
    with pytest.raises(PlanRefused, match="cannot be read"):
        read_plan(tmp_path / "plan.toml")
