"""Writes the three sample guidelines as PDF and `documents.jsonl`, which describes them.

Run as `python corpora/sample/write_guidelines.py`. The same version of ReportLab gives the same bytes every time.
"""

import json
from pathlib import Path

from writing.acne import ACNE
from writing.blocks import Guideline
from writing.layout import PUBLISHER, write
from writing.melanocytic import MELANOCYTIC
from writing.psoriasis import PSORIASIS

HERE = Path(__file__).resolve().parent
GUIDELINES = (PSORIASIS, MELANOCYTIC, ACNE)


def record(guideline: Guideline) -> dict[str, str]:
    """The line of `documents.jsonl` for this guideline."""
    return {
        "file": f"guidelines/{guideline.file}",
        "title": guideline.title,
        "publisher": PUBLISHER,
        "licence": "Apache-2.0",
        "jurisdiction": guideline.jurisdiction,
        "edition": guideline.edition,
        "effective": guideline.effective,
    }


def write_all(folder: Path) -> None:
    """Writes `guidelines/*.pdf` and `documents.jsonl` under `folder`."""
    (folder / "guidelines").mkdir(parents=True, exist_ok=True)
    for guideline in GUIDELINES:
        write(guideline, folder / "guidelines")
    lines = "".join(json.dumps(record(guideline), ensure_ascii=False) + "\n" for guideline in GUIDELINES)
    (folder / "documents.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    write_all(HERE)
    print(f"{len(GUIDELINES)} guidelines in {HERE / 'guidelines'}")
