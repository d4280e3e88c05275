"""`dermacite ablate` on the sample corpus with the real encoders: controls, kills, overlaps, frozen evidence, predictions."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evaluation.errors import DatasetOverlaps, PlanRefused, RunRefused
from evaluation.extra import INSTALL
from evaluation.records import CaseRecord, Result, read_records
from evaluation.report import without_timings, write_report
from evaluation.report.markdown import escaped
from evaluation.running import Asked, run_plan
from runtime.cli import main

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "corpora" / "sample"
ARMS = """
[[arms]]
name = "served"
[[arms]]
name = "served again"
[[arms]]
name = "oracle"
control = "oracle"
[[arms]]
name = "random"
control = "random"
[[arms]]
name = "shuffled"
control = "shuffled"
[[arms]]
name = "noise"
control = "noise"
"""


def write_plan(
    file: Path, knowledge: str, dataset: str = "leave_one_out = true", arms: str = ARMS, more: str = ""
) -> Path:
    text = (
        f'name = "test"\n{more}\n[knowledge]\n{knowledge}\n[dataset]\n{dataset}\n[defaults]\npassages = false\n{arms}'
    )
    file.write_text(text, "utf-8")
    return file


def records_of(run: Path, arm: str | None = None) -> list[CaseRecord]:
    """Without what differs from run to run."""
    found = (replace(one, timings_ms={}) for one in read_records(run / "cases.jsonl"))
    return [one for one in found if arm in (None, one.arm)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run over 20 pictures of the sample corpus, with a home of its own."""
    folder = tmp_path_factory.mktemp("ablate")
    plan = write_plan(folder / "plan.toml", f'cases = ["{SAMPLE / "cases"}"]', more="limit = 20")
    (folder / "run" / "home").mkdir(parents=True)
    (folder / "run" / "home" / "registry.db").write_text("what a kill left of making it")
    run_plan(Asked(plan, folder / "run"))
    return folder / "run"


def test_identical_arms_give_identical_records(run: Path) -> None:
    served, again = records_of(run, "served"), records_of(run, "served again")
    assert len(served) == 20
    assert len({one.label for one in served}) == 10
    assert [replace(one, arm="served") for one in again] == served


def test_the_oracle_bounds_the_rest_and_shuffled_labels_are_followed(run: Path) -> None:
    right = {
        arm: sum(one.hit for one in records_of(run, arm)) for arm in ("served", "oracle", "random", "shuffled", "noise")
    }
    assert right["oracle"] == 20 >= right["served"] > right["random"]
    assert right["shuffled"] < right["served"]
    served = {one.case: one for one in records_of(run, "served")}
    for one in records_of(run, "shuffled"):
        own, shown = served[one.case].evidence[0], one.evidence[0]
        assert own.id == shown.id
        assert own.label != shown.label
    assert right["noise"] < right["served"]


def test_no_answer_saw_its_own_lesion_and_the_folder_says_what_was_in_force(run: Path) -> None:
    leaks = json.loads((run / "leaks.json").read_text())
    assert (leaks["answers"], leaks["answers_with_kin_among_evidence"]) == (120, 0)
    described = json.loads((run / "run.json").read_text())
    arm = described["arms"]["shuffled"]
    assert (arm["control"], arm["options"]["passages"], described["baseline"]) == ("shuffled", False, "served")
    assert arm["encoders"]["pictures"]["fingerprint"]
    assert arm["index"]["corpus_generation"] >= 1
    assert described["dataset"]["cases"] == 20
    assert described["finished_at"]
    facts = [json.loads(line) for line in (run / "dataset.jsonl").read_text().splitlines()]
    assert {one["licence"] for one in facts} == {"Apache-2.0"}


def test_a_run_that_is_there_is_not_begun_again(run: Path, tmp_path: Path) -> None:
    plan = run.parent / "plan.toml"
    with pytest.raises(RunRefused, match="--resume"):
        run_plan(Asked(plan, run))
    other = write_plan(tmp_path / "plan.toml", f'cases = ["{SAMPLE / "cases"}"]', more="limit = 20\nseeds = [1]")
    with pytest.raises(RunRefused, match=r"arms\.noise\.seeds"):
        run_plan(Asked(other, run, resume=True))
    before = (run / "cases.jsonl").read_bytes()
    run_plan(Asked(plan, run, resume=True))
    assert (run / "cases.jsonl").read_bytes() == before


def test_killed_at_random_points_and_resumed_it_is_the_same_run_with_the_same_report(run: Path, tmp_path: Path) -> None:
    arms = "".join(f'[[arms]]\nname = "{one}"\ncontrol = "{one}"\n' for one in ("random", "shuffled", "noise"))
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', arms=arms, more="limit = 8")
    whole, killed, drawn = tmp_path / "whole" / "run", tmp_path / "killed" / "run", random.Random(os.urandom(8))
    run_plan(Asked(plan, whole))
    for _ in range(2):
        _kill_after(plan, killed, drawn.randrange(1, 9))
        time.sleep(0.05)
    with (killed / "cases.jsonl").open("ab") as file:
        file.write(b'{"case": "cut sho')
    assert len(list(read_records(killed / "cases.jsonl"))) < 24
    run_plan(Asked(plan, killed, resume=True))
    assert records_of(killed) == records_of(whole)
    reports = [without_timings(write_report(one).read_text("utf-8")) for one in (whole, killed)]
    assert reports[0] == reports[1]


def _kill_after(plan: Path, out: Path, more: int) -> None:
    """Start or go on with a run in a process of its own, and kill it when so many more records are there."""
    command = [sys.executable, "-m", "runtime", "ablate", str(plan), "--out", str(out), "--resume"]
    before = _lines(out)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while _lines(out) < before + more:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _lines(out: Path) -> int:
    file = out / "cases.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_cases_of_the_index_are_refused_and_named(run: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', f'folder = "{SAMPLE / "cases"}"')
    with pytest.raises(DatasetOverlaps, match=r"85 of 85 cases are in the index.*85 same_picture"):
        run_plan(Asked(plan, tmp_path / "out"))
    leaks = json.loads((tmp_path / "out" / "leaks.json").read_text())
    assert leaks["cases_in_the_index"] == 85
    assert leaks["pairs"][0]["reason"] == "same_picture"
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_folder_that_is_held_out_in_part_and_a_picture_that_cannot_be_read(tmp_path: Path) -> None:
    arms = '[[arms]]\nname = "one"\n[[arms]]\nname = "caption"\nnote = "caption"\nalpha = 0.5\n'
    dataset = f'folder = "{SAMPLE / "cases"}"\nhold_out = 0.2\nname = "sample"'
    plan = write_plan(tmp_path / "plan.toml", "", dataset, arms, "limit = 6")
    run_plan(Asked(plan, tmp_path / "out"))
    records = records_of(tmp_path / "out")
    assert len(records) == 12
    assert all(one.result in (Result.CORRECT, Result.WRONG, Result.ABSTAINED) for one in records)
    leaks = json.loads((tmp_path / "out" / "leaks.json").read_text())
    assert (leaks["in_the_index"], leaks["answers_with_kin_among_evidence"]) == ({}, 0)
    broken = tmp_path / "broken" / "psoriasis"
    broken.mkdir(parents=True)
    (broken / "a.jpg").write_bytes(b"no picture")
    plan = write_plan(
        tmp_path / "other.toml", f'home = "{tmp_path / "out" / "home"}"', f'folder = "{broken.parent}"', arms
    )
    run_plan(Asked(plan, tmp_path / "failed"))
    assert {(one.result, one.reason) for one in records_of(tmp_path / "failed")} == {
        (Result.FAILED, "picture_unreadable")
    }


def test_a_record_keeps_every_case_that_voted_under_the_label_it_voted_with(run: Path) -> None:
    described = json.loads((run / "run.json").read_text())["arms"]
    served = {one.case: one for one in records_of(run, "served")}
    for one in served.values():
        assert [item.rank for item in one.voters] == list(range(1, described["served"]["vote"]["k"] + 1))
        assert [item.score for item in one.voters] == sorted((item.score for item in one.voters), reverse=True)
        assert {item.id: item.label for item in one.evidence[:5]} == {item.id: item.label for item in one.voters[:5]}
    for one in records_of(run, "shuffled"):
        own = served[one.case].voters
        assert [item.id for item in one.voters] == [item.id for item in own]
        assert all(item.label != before.label for item, before in zip(one.voters, own, strict=True))


def test_frozen_evidence_votes_as_it_did_also_where_it_was_not_shown(run: Path, tmp_path: Path) -> None:
    arms = "".join(
        f'[[arms]]\nname = "{arm}"\nfrozen = {{run = "{run}", arm = "{arm}"}}\n' for arm in ("served", "random")
    )
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', arms=arms, more="limit = 20")
    run_plan(Asked(plan, tmp_path / "out"))
    for arm in ("served", "random"):
        stored = {one.case: one for one in records_of(run, arm)}
        for one in records_of(tmp_path / "out", arm):
            before = stored[one.case]
            assert one.voters == before.voters
            assert one.evidence == before.evidence
            assert (one.first, one.probabilities) == (before.first, before.probabilities)
            # Whether a picture is in the domain is judged by what is frozen; with random cases it was by what was found.
            assert one.result == before.result or arm == "random"
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', arms=arms.replace('"random"', '"none"'))
    with pytest.raises(PlanRefused, match=r"no arm 'none'; it has: noise, oracle"):
        run_plan(Asked(plan, tmp_path / "other"))


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ('control = "reversed"', "the cases vote, in no order"),
        ("references = 3", "arms.x: references: for a served stage 2 model"),
        ("rerank = true", "arms.x: this service has no reranker"),
    ],
)
def test_what_could_have_no_effect_is_refused_before_anything_is_asked(
    run: Path, tmp_path: Path, arm: str, said: str
) -> None:
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', arms=f'[[arms]]\nname = "x"\n{arm}\n')
    with pytest.raises(PlanRefused, match=said):
        run_plan(Asked(plan, tmp_path / "out"))


# --- the commands ------------------------------------------------------------------------------------------------------


def command(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="dermacite")


def test_a_dry_run_says_what_it_would_cost_and_writes_no_record(run: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.toml", f'home = "{run / "home"}"', more="limit = 4")
    result = command("ablate", plan, "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "4 cases, 6 arms, 24 records to make" in result.stderr
    assert "nothing was written down" in result.stdout
    assert not (tmp_path / "out" / "cases.jsonl").exists()


def test_the_command_runs_reports_and_says_how_it_is_used(run: Path, tmp_path: Path) -> None:
    arms = '[[arms]]\nname = "one"\n[[arms]]\nname = "two"\ncontrol = "shuffled"\n'
    plan = write_plan(tmp_path / "plan.toml", 'home = "${HOME_OF_RUN}"', arms=arms, more="limit = 3")
    given = ["--set", f"HOME_OF_RUN={run / 'home'}", "--out", str(tmp_path / "out")]
    result = command("ablate", plan, *given, "--json")
    assert result.exit_code == 0, result.output
    assert sum(json.loads(result.stdout)["results"]["one"].values()) == 3
    assert (tmp_path / "out" / "report.html").stat().st_size > 0
    again = command("ablate", plan, *given)
    assert (again.exit_code, "--resume" in again.stderr) == (1, True)
    assert command("ablate", plan, "--set", "nothing").exit_code == 2
    assert command("ablate", plan, "--retry-failed").exit_code == 2
    assert "dermacite ablate [OPTIONS] PLAN" in command("ablate", "--help").stdout


def test_predictions_are_scored_or_their_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text("case,label,prediction\n1,acne,acne\n2,acne,wart\n3,wart,wart\n4,wart,\n")
    result = command("evaluate", "rescore", file, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["results"]["predictions"] == {
        "correct": 2, "wrong": 1, "unparsed": 1, "abstained": 0, "failed": 0,
    }  # fmt: skip
    assert (tmp_path / "out" / "report.md").exists()
    file.write_text("case,label,prediction\n,acne,acne\n")
    result = command("evaluate", "rescore", file, "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (1, "Refused: line 2: case is empty\n")


WITHOUT_THE_EXTRA = """
import sys
for name in ("matplotlib", "nltk", "rouge_score", "sacrebleu"):
    sys.modules[name] = None  # as if it were not there
from runtime.cli import main
main(prog_name="dermacite")
"""


def without_the_extra(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_without_the_extra_every_command_says_what_is_missing_and_how_to_install_it(run: Path, tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path / "plan.toml", f'home = "{run / "home"}"', arms='[[arms]]\nname = "one"\n', more="limit = 2"
    )
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("case,label,prediction,caption,reference\n1,acne,acne,red papules,many red papules\n")
    for arguments in (
        ("ablate", plan, "--out", tmp_path / "out"), ("evaluate", "rescore", theirs, "--out", tmp_path / "scored"),
        ("evaluate", "report", tmp_path / "scored"),
    ):  # fmt: skip
        done = without_the_extra(*arguments)
        assert done.returncode == 0, done.stderr
        assert "without figures (matplotlib), METEOR (nltk), ROUGE (rouge_score), BLEU (sacrebleu)" in done.stderr
        assert INSTALL in done.stderr
    written = (tmp_path / "scored" / "report.md").read_text("utf-8")
    for library in ("nltk", "rouge_score", "sacrebleu"):
        assert escaped(f"{library} is not installed: {INSTALL}") in written
    assert "Figures are left out: matplotlib is not installed" in written
    assert "matplotlib" not in command("evaluate", "rescore", theirs, "--out", tmp_path / "scored").stderr
