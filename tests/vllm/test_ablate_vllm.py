"""A study on a real vLLM server: what arms of a served model write down, also where the server is not there.

The model's weights are random: which label it names means nothing. That arms differ in what was asked, that equal arms are
answered alike, and that five different things stay apart, does.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.measures.tools import tools_here
from evaluation.records import CaseRecord, Result, read_records
from evaluation.report import write_report
from evaluation.running import Asked, run_plan
from tests.vllm.server import MODEL, ROOT, VllmServer

CASES = 3
PLAN = """
name = "served"
limit = {cases}
[knowledge]
cases = ["{sample}"]
[dataset]
leave_one_out = true
[defaults]
passages = false
on_engine_failure = "abstain"
[defaults.settings]
classifier = "hikari-sirius"
probability_floor = 0.0
label_mass_floor = 0.0
[defaults.settings.models.hikari-sirius]
url = "{url}"
model = "{model}"
[[arms]]
name = "3 references"
[[arms]]
name = "again"
[[arms]]
name = "none"
references = 0
[[arms]]
name = "reversed"
control = "reversed"
[[arms]]
name = "shuffled"
control = "shuffled"
[[arms]]
name = "free text"
constrain = false
[[arms]]
name = "nobody there"
[arms.settings.models.hikari-sirius]
url = "http://127.0.0.1:9/v1"
model = "{model}"
"""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def run(vllm_server: VllmServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablate")
    sample = ROOT / "corpora" / "sample" / "cases"
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(cases=CASES, sample=sample, url=vllm_server.url, model=MODEL), "utf-8")
    run_plan(Asked(plan, folder / "run"))
    return folder / "run"


def of_arm(run: Path, arm: str) -> list[CaseRecord]:
    """Without what differs from run to run."""
    found = [one for one in read_records(run / "cases.jsonl") if one.arm == arm]
    assert len(found) == CASES
    return [replace(one, timings_ms={}) for one in found]


def test_equal_arms_are_answered_alike_and_each_answer_is_kept(run: Path) -> None:
    first, again = of_arm(run, "3 references"), of_arm(run, "again")
    assert [(one.case, one.prompt_hashes, one.raw, one.first) for one in again] == [
        (one.case, one.prompt_hashes, one.raw, one.first) for one in first
    ]
    for one in first:
        assert one.result in (Result.CORRECT, Result.WRONG, Result.ABSTAINED)
        assert one.raw
        assert one.prompt_tokens
        assert one.completion_tokens
        assert one.first is not None


def test_arms_differ_in_what_the_model_was_asked(run: Path) -> None:
    asked = {arm: of_arm(run, arm) for arm in ("3 references", "none", "reversed", "shuffled")}
    tokens = {arm: [one.prompt_tokens or 0 for one in records] for arm, records in asked.items()}
    assert all(more > fewer for more, fewer in zip(tokens["3 references"], tokens["none"], strict=True))
    assert tokens["shuffled"] != tokens["3 references"], "other labels are other words"
    assert tokens["reversed"] == tokens["3 references"], "the same words in another order"
    raw = {arm: [one.raw for one in records] for arm, records in asked.items()}
    assert raw["reversed"] != raw["3 references"], "and even a random model is told them apart"


def test_what_names_no_label_is_unparsed_and_who_is_not_there_has_failed(run: Path) -> None:
    for one in of_arm(run, "free text"):
        assert one.raw
        assert (one.result is Result.UNPARSED) == (one.first is None)
    assert any(one.result is Result.UNPARSED for one in of_arm(run, "free text")), "random letters name no disease"
    assert {(one.result, one.reason) for one in of_arm(run, "nobody there")} == {(Result.FAILED, "engine_unreachable")}


def test_the_report_counts_them_apart_and_names_the_model(run: Path) -> None:
    records = list(read_records(run / "cases.jsonl"))
    page = write_report(run, tools=tools_here(records)).read_text("utf-8")
    assert "engine_unreachable" in page
    assert "hikari-sirius" in page
    described = json.loads((run / "run.json").read_text("utf-8"))
    assert described["arms"]["nobody there"]["options"]["on_engine_failure"] == "abstain"
