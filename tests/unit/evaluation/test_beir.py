"""Test collections on disk: every usual layout is read, and what is wrong is named with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.beir import read_collection
from evaluation.errors import CollectionRefused

CORPUS = [{"_id": "d1", "title": "Acne", "text": "Comedones."}, {"_id": "d2", "text": "Silvery scale."}]
QUERIES = [{"_id": "q1", "text": "blackheads"}, {"_id": "q2", "text": "scale"}]
TSV = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\nq2\td1\t0\n"


def write(
    folder: Path, qrels: str = TSV, name: str = "qrels.tsv", corpus: Any = CORPUS, queries: Any = QUERIES
) -> Path:
    folder.mkdir(exist_ok=True)
    for file, rows in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
        lines = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (folder / file).write_text(lines, "utf-8")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(qrels, "utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(CollectionRefused) as refused:
        read_collection(folder)
    return str(refused.value)


@pytest.mark.parametrize("name", ["qrels.tsv", "qrels/test.tsv"])
@pytest.mark.parametrize(
    "qrels",
    [
        TSV,
        TSV.partition("\n")[2],
        "q1 0 d1 2\nq2 0 d2 1\nq2 0 d1 0\n",
        "q1\t0\td1\t2\nq2\t0\td2\t1\n",
        "query_id\tdoc_id\trelevance\r\nq1\td1\t2\r\n\r\nq2\td2\t1\r\n",
        "\ufeffquery-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\n",
    ],
)
def test_judgments_are_read_in_every_usual_order(qrels: str, name: str, tmp_path: Path) -> None:
    found = read_collection(write(tmp_path / "c", qrels, name))
    assert found.relevant == {"q1": {"d1": 2}, "q2": {"d2": 1}}


def test_title_and_text_are_one_passage(tmp_path: Path) -> None:
    assert read_collection(write(tmp_path / "c")).texts == {"d1": "Acne Comedones.", "d2": "Silvery scale."}


def test_an_id_may_be_a_number(tmp_path: Path) -> None:
    corpus = [{"_id": 1, "text": "a"}]
    found = read_collection(write(tmp_path / "c", "q1\t1\t1\n", corpus=corpus))
    assert found.relevant == {"q1": {"1": 1}}


def test_a_query_without_a_relevant_document_is_left_out_and_counted(tmp_path: Path) -> None:
    found = read_collection(write(tmp_path / "c", "q1\td1\t1\nq2\td1\t0\n"))
    assert (dict(found.queries), found.unjudged) == ({"q1": "blackheads"}, 1)


@pytest.mark.parametrize(
    ("qrels", "said"),
    [
        ("q1\td1\t1\nq9\td1\t1\n", r"qrels.tsv, line 2: query 'q9' is not in queries.jsonl"),
        ("q1\td9\t1\n", r"qrels.tsv, line 1: document 'd9' is not in corpus.jsonl"),
        ("q1\td1\n", "line 1 has 2 columns; write query, document, grade"),
        ("q1\td1\tyes\n", "line 1: the grade 'yes' is not a whole number"),
        ("query-id\tcorpus-id\tscore\n", "no relevant document for any query"),
        ("", "no relevant document for any query"),
    ],
)
def test_wrong_judgments_are_named_with_their_line(qrels: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(write(tmp_path / "c", qrels))


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ('{"_id": "d1", "text": "a"}\n{broken\n', "corpus.jsonl, line 2 is not JSON"),
        ('["d1"]\n', 'corpus.jsonl, line 1 must be an object with "_id" and a "text"'),
        ('{"_id": "d1"}\n', 'corpus.jsonl, line 1 must be an object with "_id" and a "text"'),
        ('{"_id": "d1", "text": "a", "title": 3}\n', '"title" must be text'),
        ('{"_id": "d1", "text": "a"}\n{"_id": "d1", "text": "b"}\n', "line 2 has the _id 'd1' again"),
        ("\n", "corpus.jsonl is empty"),
    ],
)
def test_a_wrong_corpus_is_named_with_its_line(corpus: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(write(tmp_path / "c", corpus=corpus))


@pytest.mark.parametrize("gone", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_missing_file_is_named(gone: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "c")
    (folder / gone).unlink()
    assert gone in refusal(folder)


def test_an_empty_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    assert "corpus.jsonl is missing" in refusal(tmp_path)
    assert "corpus.jsonl is missing" in refusal(tmp_path / "nowhere")


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "c")
    (folder / "corpus.jsonl").write_bytes('{"_id": "d1", "text": "café"}'.encode("latin-1"))
    assert "not UTF-8" in refusal(folder)
