"""What each block of a document is: body, or a table, a caption, a footnote or part of the list of references."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from knowledge.pdf.composing import Block
from knowledge.types import Role

_LABEL = (
    r"(?:supplementary\s+|extended\s+data\s+)?"
    r"(?:table|figure|fig|box|panel|scheme|chart|algorithm|tabelle|tab|abbildung|abb|übersicht|schema|tableau|encadré"
    r"|graphique|figura|tabla|cuadro|gráfico|tabela|quadro|tabella|grafico|figuur|afbeelding)"
)
_CAPTION = re.compile(rf"{_LABEL}\b\.?\s*(?:[A-Z]?\d+(?:[.\-]\d+)*[a-z]?|[IVX]+)\b", re.IGNORECASE)
_AFTER_LABEL = re.compile(r"\s*(?:[.:|)\u2013\u2014-](?:\s|$)|$)")
_NEXT_WORD = re.compile(r"\s+[(\"„«]?[A-ZÄÖÜÉÈÀÁÍÓÚ]")
_SMALLER = 0.96
_REFERENCES = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?\s+|[A-Z]\.\s+)?"
    r"(?:(?:list of |selected |key )?references|references? list|(?:selected )?bibliography|literature(?: cited)?|works cited"
    r"|(?:data |literature )citations?|sources|(?:ausgewählte )?literatur(?:verzeichnis|hinweise|angaben|liste)?"
    r"|referenzen|quellen(?:verzeichnis|angaben)?|bildquellen|(?:liste des )?références(?: bibliographiques)?"
    r"|bibliographie|referencias(?: bibliográficas)?|bibliografía|fuentes|referências(?: bibliográficas)?|bibliografia"
    r"|fontes|riferimenti(?: bibliografici)?|fonti|referenties|literatuur(?:lijst)?|bronnen)\s*:?",
    re.IGNORECASE,
)
_MARKER = re.compile(r"[⁰¹²³⁴-⁹*†‡§¶#]|\(?\d{1,3}[.)]?\s*(?=[^\W\d])|\[\d{1,3}\]|[a-h](?:[.)]\s|\s?(?=[A-ZÄÖÜ]))")
_FOOTNOTE_SIZE = 0.93
_LOWER_HALF = 0.5
_SHORT = 200
_ADDRESS = re.compile(r"\S+@\S+\.\w+")


def begins_with_label(text: str) -> bool:
    """Whether a text begins like `Table 3`: no heading does."""
    return bool(_CAPTION.match(text))


def is_caption(block: Block, body: float) -> bool:
    """Whether a block begins like the caption of a table or figure; a sentence that only speaks of one does not."""
    label = _CAPTION.match(block.text)
    if not label:
        return False
    if _AFTER_LABEL.match(block.text, label.end()):
        return True
    set_apart = block.size <= _SMALLER * body or block.bold_start
    return set_apart and bool(_NEXT_WORD.match(block.text, label.end()))


def names_references(text: str) -> bool:
    """Whether a heading opens a list of references."""
    return bool(_REFERENCES.fullmatch(" ".join(text.split())))


def roles_of(
    blocks: Sequence[Block], levels: Mapping[int, int], tables: set[tuple[int, int]], body: float,
    heights: Sequence[float | None],
) -> list[Role]:  # fmt: skip
    """Role of each block; headings (`levels` by index) are body. `tables` are (page, number), `heights` in points."""
    roles = [Role.BODY] * len(blocks)
    _mark_references(blocks, levels, roles)
    for index, block in enumerate(blocks):
        if index in levels or roles[index] is not Role.BODY:
            continue
        if (block.page, block.table) in tables:
            roles[index] = Role.TABLE
        elif is_caption(block, body) or (
            index and roles[index - 1] is Role.CAPTION and _goes_on(blocks[index - 1], block, body)
        ):
            roles[index] = Role.CAPTION
    _mark_footnotes(blocks, levels, roles, body, heights)
    return roles


def _goes_on(above: Block, below: Block, body: float) -> bool:
    """Whether a block is more of the caption above it: in its small print and close to it, or its unfinished sentence."""
    if above.page != below.page or below.table:
        return False
    alike = abs(above.size - below.size) <= 0.03 * above.size
    if alike and below.text[:1].islower() and not above.text.endswith((".", ":", "!", "?")):
        return True
    return alike and not below.apart and below.size <= _SMALLER * body


def _mark_references(blocks: Sequence[Block], levels: Mapping[int, int], roles: list[Role]) -> None:
    """From a heading that names them to the next one that is not below it. Figures and their captions may stand between."""
    depth: int | None = None
    for index, block in enumerate(blocks):
        level = levels.get(index)
        if level is not None and (depth is None or level <= depth):
            depth = level if names_references(block.text) else None
        elif depth is not None and level is None:
            roles[index] = Role.REFERENCES


def _mark_footnotes(
    blocks: Sequence[Block], levels: Mapping[int, int], roles: list[Role], body: float, heights: Sequence[float | None]
) -> None:
    """Small print with a mark in front: at the foot of its page, or under a table whose notes it is."""
    large: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        if not block.angle and block.size > _FOOTNOTE_SIZE * body:
            large[block.page].append(block)
    for index, block in enumerate(blocks):
        small = block.size <= _FOOTNOTE_SIZE * body and block.angle == 0
        if not small or index in levels or roles[index] is not Role.BODY:
            continue
        if not _MARKER.match(block.text) and not (_ADDRESS.search(block.text) and len(block.text) < _SHORT):
            continue
        height = heights[block.page] if block.page < len(heights) else None
        if _at_foot(block, large[block.page], height) or _under_table(blocks, roles, index):
            roles[index] = Role.FOOTNOTE
    for above, index in pairwise(range(len(blocks))):
        # A footnote's second paragraph, and notes that follow one another, need no mark of their own.
        if roles[above] is Role.FOOTNOTE and roles[index] is Role.BODY and index not in levels:
            one, two = blocks[above], blocks[index]
            if one.page == two.page and not two.apart and abs(one.size - two.size) <= 0.03 * one.size:
                roles[index] = Role.FOOTNOTE


def _at_foot(block: Block, large: Sequence[Block], height: float | None) -> bool:
    """Whether it stands in the lower half of its page and nothing in the size of the body stands below it."""
    if height is None or block.top > _LOWER_HALF * height:
        return False
    left, right = min(p.x for p in block.parts), max(p.right for p in block.parts)
    below = (other for other in large if other.top < block.top)
    return not any(p.x < right and p.right > left for other in below for p in other.parts)


def _under_table(blocks: Sequence[Block], roles: Sequence[Role], index: int) -> bool:
    if not index or blocks[index - 1].page != blocks[index].page:
        return False
    above = roles[index - 1]
    return above is Role.TABLE or (above is Role.CAPTION and index > 1 and roles[index - 2] is Role.TABLE)
