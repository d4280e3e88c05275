"""A run folder after a kill: only the end can be missing, and nothing stands in it twice."""

from pathlib import Path

import pytest

from evaluation.errors import RunRefused
from evaluation.estimates import estimate, estimate_lines
from evaluation.records import CaseRecord, Result, line_of, read_records
from evaluation.runs import RecordFile, RunFolder, as_text, keep_only, put_in_order, refuse_other


def record(case: str, result: Result = Result.CORRECT, **given: object) -> CaseRecord:
    return CaseRecord(case, "arm", 0, "acne", result, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [*range(1, 12), 200])
def test_a_line_that_was_cut_short_goes_before_anything_is_added(tmp_path: Path, cut: int) -> None:
    file, whole = tmp_path / "cases.jsonl", line_of(record("1")).encode()
    torn = line_of(record("2", raw=("x" * 100_000,))).encode()
    file.write_bytes(whole + torn[:-cut])
    records = RecordFile(file)
    assert records.done == {("arm", "1", 0)}
    records.add(record("2"))
    records.add(record("1", Result.WRONG))  # is there already
    records.close()
    assert [one.case for one in read_records(file)] == ["1", "2"]
    assert file.read_bytes() == whole + line_of(record("2")).encode()


def test_a_file_of_nothing_but_a_torn_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(b'{"case"')
    RecordFile(tmp_path / "cases.jsonl").close()
    assert (tmp_path / "cases.jsonl").read_bytes() == b""


def test_a_damaged_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(b"\0\0\0\n" + line_of(record("1")).encode())
    with pytest.raises(RunRefused, match="damaged"):
        RecordFile(tmp_path / "cases.jsonl")


def test_records_are_put_in_the_order_of_the_plan_and_failed_ones_can_be_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(map(line_of, [record("b"), record("a", Result.FAILED), record("c")])))
    keys = [("arm", case, 0) for case in "abc"]
    assert [one.case for one in put_in_order(file, keys)] == ["a", "b", "c"]
    assert [one.case for one in read_records(file)] == ["a", "b", "c"]
    assert keep_only(file, lambda one: one.result is not Result.FAILED) == 1
    assert [one.case for one in read_records(file)] == ["b", "c"]
    assert keep_only(tmp_path / "none", lambda _one: False) == 0


def test_what_changed_since_is_named_and_where_it_runs_is_free_to_change() -> None:
    begun = {
        "version": "1",
        "arms": {"a": {"index": {"corpus_generation": 3}}},
        "started_at": "x",
        "environment": {"home": "y"},
    }
    refuse_other(begun, {**begun, "started_at": "z", "environment": {}})
    with pytest.raises(RunRefused, match=r"arms\.a\.index\.corpus_generation, version"):
        refuse_other(begun, {**begun, "version": "2", "arms": {"a": {"index": {"corpus_generation": 4}}}})


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.alone(), pytest.raises(RunRefused, match="another process"), RunFolder(tmp_path / "run").alone():
        pass


def test_a_description_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_description() is None
    folder.description.write_text("{")
    with pytest.raises(RunRefused, match="cannot be read"):
        folder.read_description()
    folder.description.write_text(as_text({"format": 99}))
    with pytest.raises(RunRefused, match="another version"):
        folder.read_description()


def test_an_estimate_is_the_median_of_its_probes() -> None:
    probes = [
        record(str(ms), timings_ms={"consultation": ms}, prompt_tokens=100, completion_tokens=5)
        for ms in (2000.0, 9000.0, 1000.0)
    ]
    found = estimate("arm", 30, 2, probes)
    assert (found.seconds_each, found.seconds) == (2.0, 2.0 * 30 / 2)
    assert (found.prompt_tokens, found.completion_tokens) == (3000, 150)
    lines = list(estimate_lines([found], {"cases": 30, "arms": 1}))
    assert lines[0] == "30 cases, 1 arms"
    assert "3,000 + 150 tokens" in lines[1]
    assert estimate("arm", 0, 2, []).seconds == 0
