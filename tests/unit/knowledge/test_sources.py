"""documents.jsonl: what is known of PDFs beyond their bytes, and why a list is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import DocumentRefused
from knowledge.sources import FILE, read_sources
from knowledge.types import Source


def listed(folder: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / FILE).write_text("\n".join(texts), "utf-8")
    return folder


def test_a_folder_without_a_list_knows_nothing(tmp_path: Path) -> None:
    assert read_sources(tmp_path) == {}


def test_every_key_reaches_the_source_under_the_resolved_path(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "title": "Psoriasis", "publisher": "A society", "url": "https://example.org/p", "licence": "CC-BY-4.0",
        "jurisdiction": "DE", "edition": "3", "effective": "2024-01-31", "review": "2027-01-31",
        "language": "de", "expires": "2028-01-31", "grade": "1A",
    }  # fmt: skip
    (tmp_path / "guidelines").mkdir()
    folder = listed(tmp_path, {"file": "guidelines/../guidelines/p.pdf", **values, "tags": ["skin", "joints"]})
    assert read_sources(folder) == {
        (tmp_path / "guidelines" / "p.pdf").resolve(): Source(**values, tags=("skin", "joints"))
    }


def test_only_a_title_is_needed_and_nothing_is_guessed(tmp_path: Path) -> None:
    folder = listed(tmp_path, {"file": "a.pdf", "title": "A", "licence": None}, "", {"file": "ä.pdf", "title": "Ä"})
    assert read_sources(folder) == {
        (tmp_path / "a.pdf").resolve(): Source("A"),
        (tmp_path / "ä.pdf").resolve(): Source("Ä"),
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"file": "a.pdf", "title": "A", "license": "MIT"}, "unknown keys license"),
        ({"file": "a.pdf"}, "a title is needed"),
        ({"file": "a.pdf", "title": ""}, "a title is needed"),
        ({"title": "A"}, 'not a JSON object with a "file"'),
        ({"file": "a.pdf", "title": "A", "edition": 3}, "every value must be a text"),
        ({"file": 7, "title": "A"}, "every value must be a text"),
        (["a.pdf"], 'not a JSON object with a "file"'),
        ("null", 'not a JSON object with a "file"'),
        ('{"file": "a.pdf", "title": ', 'not a JSON object with a "file"'),
        ("[" * 100_000, 'not a JSON object with a "file"'),
        ({"file": "a\0.pdf", "title": "A"}, "control characters"),
        ({"file": "a.pdf", "title": "A\x1b[31m"}, "control characters"),
        ({"file": "a.pdf", "title": "A", "edition": "\ud800"}, "control characters"),
        ({"file": "a.pdf", "title": "A" * 2_001}, "more than 2000 characters"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(tmp_path: Path, line: object, said: str) -> None:
    folder = listed(tmp_path, {"file": "good.pdf", "title": "Good"}, line)
    with pytest.raises(DocumentRefused, match=f"line 2: .*{said}") as refused:
        read_sources(folder)
    assert refused.value.reason == "bad_sources"


def test_a_list_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"file": "a.pdf", "title": "M\xfcnchen"}')
    with pytest.raises(DocumentRefused, match="save it as UTF-8"):
        read_sources(tmp_path)
