"""`dermacite evaluate retrieval` as a person and a program use it, with the real encoder and no home."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.cli import main

CORPUS = {
    "d1": "Scaly plaques with desquamation of the scalp.", "d2": "A uniform brown macule of the back.",
    "d3": "Comedones and pustules of the cheek in acne vulgaris.", "d4": "The used car had spots of paint on its door.",
    "d5": "Basal cell carcinoma: a pearly nodule with telangiectasia.",
}  # fmt: skip
QUERIES = {"q1": "flaky spots on my head", "q2": "brown macule", "q3": "zits", "q4": "BCC"}
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td3\t2\nq4\td5\t1\n"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in os.environ:
        if name.startswith("DERMACITE_"):
            monkeypatch.delenv(name)

    def call(*arguments: str | Path) -> Result:
        given = ["--home", str(tmp_path / "no home"), "evaluate", *map(str, arguments)]
        return CliRunner().invoke(main, given, prog_name="dermacite")

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "collection"
    made.mkdir()
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        lines = (json.dumps({"_id": one, "text": text}) + "\n" for one, text in rows.items())
        (made / f"{name}.jsonl").write_text("".join(lines))
    (made / "qrels.tsv").write_text(QRELS)
    return made


def test_a_program_reads_every_system_and_the_differences(run: Run, folder: Path, tmp_path: Path) -> None:
    result = run("retrieval", folder, "--json", "--per-query", tmp_path / "queries.jsonl")
    assert result.exit_code == 0, result.output
    read = json.loads(result.stdout)
    assert read["collection"] == {"documents": 5, "queries": 4, "unjudged": 0}
    assert list(read["systems"]) == ["dense", "bm25", "rrf", "fixed_60_40", "default"]
    assert set(read["systems"]["default"]) == {"ndcg@10", "recall@10", "recall@100", "mrr"}
    assert set(read["differences"]) == {"dense", "bm25", "rrf", "fixed_60_40"}
    assert set(read["differences"]["dense"]["mrr"]) == {"mean", "low", "high", "better", "worse", "same"}
    lines = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    assert [line["query"] for line in lines] == list(QUERIES)
    assert [one["phrase"] for one in lines[2]["explanation"]["expansions"]] == ["zit"]
    assert read["systems"]["default"]["mrr"] == 1 > read["systems"]["bm25"]["mrr"]


def test_a_person_reads_a_table_and_no_home_is_made(run: Run, folder: Path, tmp_path: Path) -> None:
    result = run("retrieval", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("5 documents, 4 queries; encoder minilm\n")
    assert "default minus the others" in result.stdout
    assert not (tmp_path / "no home").exists()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("qrels.tsv", "q1\td9\t1\n", "line 1: document 'd9' is not in corpus.jsonl"),
        ("queries.jsonl", "{\n", "queries.jsonl, line 1 is not JSON"),
        ("corpus.jsonl", "", "corpus.jsonl is empty"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(run: Run, folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    result = run("retrieval", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Refused: ")
    assert said in result.stderr
    error = json.loads(run("retrieval", folder, "--json").stdout)["error"]
    assert error["reason"] == "collection_refused"


def test_an_empty_folder_and_a_file_that_cannot_be_written_are_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "corpus.jsonl is missing" in run("retrieval", tmp_path / "nothing").stderr
    told = run("retrieval", folder, "--per-query", tmp_path / "nowhere" / "queries.jsonl")
    assert (told.exit_code, "cannot be written" in told.stderr) == (1, True)


def test_help_is_that_of_the_measurements(run: Run) -> None:
    assert "retrieval" in run("--help").stdout
    assert "BEIR" in run("retrieval", "--help").stdout
    assert run("retrieval").exit_code == 2
