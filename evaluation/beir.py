"""A test collection in BEIR's layout: corpus.jsonl, queries.jsonl, and judgments.

    corpus.jsonl   {"_id": "d1", "title": "...", "text": "..."}     title may be missing
    queries.jsonl  {"_id": "q1", "text": "..."}
    qrels.tsv      query, document, grade; tab-separated, with or without a header line     (BEIR)
                   query, iteration, document, grade; separated by white space              (TREC)
    The judgments may also be qrels/test.tsv. A grade of 0 or less is judged and not relevant.

Layout: Thakur et al. 2021, "BEIR", arXiv:2104.08663. TREC's: trec_eval's qrels.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import CollectionRefused

QRELS = ("qrels.tsv", "qrels/test.tsv")
HEADER_WORDS = frozenset({"query-id", "query_id", "qid", "queryid", "topic"})


@dataclass(frozen=True, slots=True)
class TestCollection:
    """`texts` are title and text as one passage, by document; `relevant` are the grades above 0, by query.

    Queries without a relevant document are not here: no ranking of them is right or wrong. `unjudged` counts them.
    """

    __test__ = False  # not a test of pytest's

    texts: Mapping[str, str]
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]
    unjudged: int = 0


def read_collection(folder: Path) -> TestCollection:
    """Read and check the whole folder. Raises CollectionRefused naming file and line."""
    texts = {one: _passage(row) for one, row in _rows(folder / "corpus.jsonl")}
    queries = {one: str(row["text"]) for one, row in _rows(folder / "queries.jsonl")}
    judged = _judgments(_qrels_file(folder), queries, texts)
    relevant = {query: grades for query, grades in judged.items() if grades}
    if not relevant:
        raise CollectionRefused(
            f"{_qrels_file(folder)} has no relevant document for any query; there is nothing to measure"
        )
    kept = {query: text for query, text in queries.items() if query in relevant}
    return TestCollection(texts, kept, relevant, len(queries) - len(kept))


def _passage(row: Mapping[str, Any]) -> str:
    return f"{row.get('title') or ''} {row['text']}".strip()


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen: set[str] = set()
    for number, line in _lines(file):
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except ValueError:
            raise CollectionRefused(f"{where} is not JSON; write one JSON object a line") from None
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("text"), str)
            or not isinstance(row.get("_id"), str | int)
        ):
            raise CollectionRefused(f'{where} must be an object with "_id" and a "text" in quotes')
        if not isinstance(row.get("title") or "", str):
            raise CollectionRefused(f'{where}: "title" must be text, or left out')
        one = str(row["_id"])
        if one in seen:
            raise CollectionRefused(f"{where} has the _id {one!r} again; give every entry an _id of its own")
        seen.add(one)
        yield one, row
    if not seen:
        raise CollectionRefused(f"{file} is empty; write one JSON object a line")


def _qrels_file(folder: Path) -> Path:
    for name in QRELS:
        if (folder / name).is_file():
            return folder / name
    raise CollectionRefused(f"{folder} has no judgments; put them into {folder / QRELS[0]} (query, document, grade)")


def _judgments(file: Path, queries: Mapping[str, str], texts: Mapping[str, str]) -> Mapping[str, Mapping[str, int]]:
    """Grades above 0 by query and document."""
    found: dict[str, dict[str, int]] = {}
    for place, (number, line) in enumerate(_lines(file)):
        columns = _columns(line)
        if place == 0 and columns[0].lower() in HEADER_WORDS:
            continue
        query, document, grade = _judgment(f"{file}, line {number}", columns)
        if query not in queries:
            raise CollectionRefused(
                f"{file}, line {number}: query {query!r} is not in queries.jsonl; add it or drop the line"
            )
        if document not in texts:
            raise CollectionRefused(
                f"{file}, line {number}: document {document!r} is not in corpus.jsonl; add it or drop the line"
            )
        if grade > 0:
            found.setdefault(query, {})[document] = grade
    return found


def _columns(line: str) -> Sequence[str]:
    by_tab = [column.strip() for column in line.split("\t")]
    return by_tab if len(by_tab) in (3, 4) else line.split()


def _judgment(where: str, columns: Sequence[str]) -> tuple[str, str, int]:
    if len(columns) not in (3, 4):
        raise CollectionRefused(
            f"{where} has {len(columns)} columns; write query, document, grade, or TREC's query, 0, document, grade"
        )
    try:
        return columns[0], columns[-2], int(columns[-1])
    except ValueError:
        raise CollectionRefused(f"{where}: the grade {columns[-1]!r} is not a whole number") from None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines that hold something, with their 1-based numbers."""
    if not file.is_file():
        raise CollectionRefused(f"{file} is missing; a collection has corpus.jsonl, queries.jsonl and qrels.tsv")
    try:
        with file.open(encoding="utf-8-sig") as opened:
            yield from ((number, line.rstrip("\r\n")) for number, line in enumerate(opened, start=1) if line.strip())
    except UnicodeDecodeError:
        raise CollectionRefused(f"{file} is not UTF-8; save it as UTF-8") from None
