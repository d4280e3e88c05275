"""A report as Markdown: what can be read and pasted as text. Figures and pictures are in the HTML."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from evaluation.report.blocks import Block, Cards, Code, Figures, Section, Table, Text

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_FENCE: Final = "```"


def escaped(text: str) -> str:
    """As text, whatever signs are in it, on one line."""
    # "&" first becomes "\&", which CommonMark reads as the sign: no entity, no tag, no emphasis, no cell and no link remains.
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def as_markdown(title: str, sections: Sequence[Section], before_last: str) -> str:
    """The whole file; `before_last` is a marker that stands before the last section."""
    parts = [f"# {escaped(title)}"]
    for section in sections:
        if section is sections[-1]:
            parts.append(before_last)
        parts.append(f"## {escaped(section.title)}")
        parts.extend(part for block in section.blocks for part in _written(block))
    return "\n\n".join(parts) + "\n"


def _written(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield escaped(block.text)
    elif isinstance(block, Code):
        yield _fenced(block.text)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Figures):
        yield f"Figures in report.html: {escaped('; '.join(one.caption for one in block.figures))}"
    elif isinstance(block, Cards):
        yield "\n".join(f"- {escaped(one.title)}: {_facts(one.facts.items())}" for one in block.cards)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{escaped(name)}: {escaped(value)}" for name, value in facts)


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(len(_FENCE), longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _table(table: Table) -> Iterator[str]:
    yield f"**{escaped(table.caption)}**"
    lines = [_row(table.head), "|" + " --- |" * len(table.head), *map(_row, table.rows)]
    yield "\n".join(lines)
    if table.notes:
        yield "\n".join(f"{number}. {escaped(note)}" for number, note in enumerate(table.notes, start=1))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) or " " for cell in cells) + " |"
