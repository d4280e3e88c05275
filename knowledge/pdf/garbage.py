"""Whether the text of a page is what a reader sees, or what a broken font made of it. Pure functions.

A PDF stores the numbers of glyphs; a table in each font says which letters they are. Where the table is missing or wrong,
the page looks right and its text is rubbish, in one of few ways: characters that stand for nothing, marks instead of
letters, names of glyphs, or letters moved along the alphabet. The rules look for these ways and for nothing else, because
a page that is wrongly called rubbish loses a text that was right. They hold for any language in Latin letters; texts in
other scripts are judged by the first two rules only.
"""

import re
import unicodedata
from collections.abc import Iterable

_ENOUGH = 40
"""Characters from which a page can be judged: page numbers and formulas are too short to be like a language."""
_ENOUGH_LETTERS = 120
_MOST_MEANINGLESS = 0.25
"""Share of characters without a meaning. Bullets and ticks of symbol fonts stay far below."""
_MOST_OF_FEW = 0.5
"""The same where there are fewer than `_ENOUGH`: a short line with two bullets is still a line."""
_MOST_MARKS = 0.5
"""Share of ASCII marks. Reference lists, formulas and source code stay below 0.3."""
_FEWEST_VOWELS, _MOST_VOWELS = 0.2, 0.7
"""Share of vowels among Latin letters. Languages have 0.35 to 0.55 of them, tables of gene names 0.25."""
_VOWELS = frozenset("aeiouyæœøıAEIOUYÆŒØ")
_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_GLYPH_NAME = re.compile(r"/[A-Za-z]{0,5}\d{1,5}(?![\w/.])|\(cid:\d{1,5}\)|/[A-Za-z]{0,5}\d{1,5}(?=/)")


def is_garbage(lines: Iterable[str]) -> bool:
    """Whether the lines of one page are not the text that is printed on it.

    Of a few characters it can only be said whether they mean anything at all; no text is no garbage.
    """
    text = "".join("".join(lines).split())
    # A name of a glyph stands for one character that is unknown.
    meaningless = sum(map(_is_meaningless, text)) + sum(len(name) for name in _GLYPH_NAME.findall(text))
    if len(text) < _ENOUGH:
        return meaningless > _MOST_OF_FEW * len(text)
    if meaningless >= _MOST_MEANINGLESS * len(text):
        return True
    if sum(character in _MARKS for character in text) >= _MOST_MARKS * len(text):
        return True
    return _is_no_language(text)


def _is_meaningless(character: str) -> bool:
    """A replacement character, or one to which Unicode gives no meaning (private use, unassigned, controls)."""
    return character == "\N{REPLACEMENT CHARACTER}" or unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs")


def _is_no_language(text: str) -> bool:
    letters = [character for character in unicodedata.normalize("NFD", text) if character.isalpha()]
    latin = [letter for letter in letters if ord(letter) < 0x250]
    # A table of codes or numbers (c1, n, mm) is no language either, and right.
    if len(latin) < max(_ENOUGH_LETTERS, len(letters) / 2, len(text) / 2):
        return False
    share = sum(letter in _VOWELS for letter in latin) / len(latin)
    return not _FEWEST_VOWELS <= share <= _MOST_VOWELS
