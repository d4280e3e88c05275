"""BM25 over clinical text: what is a word, the immutable index, and the small delta beside it.

Formula (Lucene's BM25, as bm25s's method "lucene"; Robertson and Zaragoza 2009):
    score(q, d) = sum over terms t of q of  idf(t) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
"""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import Stemmer

from retrieval.types import Mask, Rows, Scores

TOKENIZER = "clinical-1"  # part of every index manifest: change it with the rules below
K1, B = 1.5, 0.75

# A word, also joined by - . / : or a decimal comma, with its percent sign: il-17, 0.05%, 5-fu, 1:1000, pt1b.
_WORD = re.compile(r"[^\W_]+(?:[-./:,][^\W_]+)*(?:\s?%)?")
_PART = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
# "no", "not" and "without" are not here: a negated finding is a finding.
_STOPWORDS = frozenset(
    """
    a an and are as at be been being but by can did do does for from had has have he her his i in into is it its me my of
    on or our she should so such than that the their them then there these they this those to was we were what when which
    who will with would you your
    """.split()
)


def tokenize(text: str) -> list[str]:
    """Terms of a text in order: lower case, stemmed, digits and units kept, compounds whole and in parts."""
    terms: list[str] = []
    stem = Stemmer.Stemmer("english").stemWord  # one per call: the object must not be shared between threads
    for match in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        terms.extend(stem(term) for term in _forms(match.group()) if term not in _STOPWORDS)
    return terms


def _forms(word: str) -> list[str]:
    bare = word.rstrip("% \u00a0")
    if _NUMBER.fullmatch(bare):
        return [bare + "%", bare] if word != bare else [bare]
    parts = _PART.findall(bare)
    return [bare] if len(parts) == 1 else [bare, *parts]


class LexicalIndex:
    """An immutable BM25 index over rows 0..n-1."""

    def __init__(self, engine: Any, lengths: Sequence[int]) -> None:
        self._engine = engine  # None when no text has a term: bm25s cannot hold an empty vocabulary
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index `texts`; about 6,000 short passages a second."""
        tokens = [tokenize(text) for text in texts]
        engine: Any = None
        if any(tokens):
            engine = _new_engine()
            engine.index(tokens, show_progress=False)
        return cls(engine, [len(terms) for terms in tokens])

    def save(self, folder: Path) -> None:
        """Write the index below `folder`, which must be new."""
        folder.mkdir(parents=True)
        (folder / "lengths.json").write_text(json.dumps(list(self.lengths)))
        if self._engine is not None:
            self._engine.save(str(folder), show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """Open a saved index; its arrays are mapped, not read."""
        lengths = json.loads((folder / "lengths.json").read_text())
        engine = _engine_class().load(str(folder), mmap=True, show_progress=False) if any(lengths) else None
        return cls(engine, lengths)

    def scores(self, terms: Sequence[str]) -> Scores:
        """[n] BM25 of every row; 0 where no term occurs. A term counts once however often the query repeats it."""
        known = [term for term in dict.fromkeys(terms) if self.document_frequency(term)]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        return np.asarray(self._engine.get_scores(known), dtype=np.float32)

    def document_frequency(self, term: str) -> int:
        """In how many rows `term` occurs."""
        row = None if self._engine is None else self._engine.vocab_dict.get(term)
        if row is None:
            return 0
        starts = self._engine.scores["indptr"]
        return int(starts[row + 1] - starts[row])

    def occurs(self, term: str, rows: Rows) -> Mask:
        """[len(rows)] whether `term` occurs in each of `rows`. Costs one binary search a row."""
        if not self.document_frequency(term):
            return np.zeros(len(rows), dtype=np.bool_)
        term_row = self._engine.vocab_dict[term]
        start, end = self._engine.scores["indptr"][term_row : term_row + 2]
        containing = self._engine.scores["indices"][start:end]  # ascending: the engine fills it row by row
        places = np.minimum(np.searchsorted(containing, rows), len(containing) - 1)
        found: Mask = containing[places] == rows
        return found


class LayeredLexical:
    """A base index and the rows that came since, scored with the statistics of both.

    The base keeps the idf and mean length it was built with until the next merge; the delta uses the joint ones, so that
    a delta of two rows does not invent its own idea of what is rare.
    """

    def __init__(self, base: LexicalIndex, delta: Sequence[str]) -> None:
        self._base = base
        self._delta = [Counter(tokenize(text)) for text in delta]
        self._frequency = Counter(term for counts in self._delta for term in counts)
        lengths = [*base.lengths, *(counts.total() for counts in self._delta)]
        self._size = len(lengths)
        self._mean_length = sum(lengths) / len(lengths) if lengths else 0.0

    def __len__(self) -> int:
        return self._size

    def scores(self, terms: Sequence[str]) -> Scores:
        """[n] BM25 of every row, base first; 0 where no term occurs."""
        idf = {term: self.idf(term) for term in dict.fromkeys(terms)}
        delta = [self._score(counts, idf) for counts in self._delta]
        return np.concatenate([self._base.scores(terms), np.array(delta, dtype=np.float32)])

    def occurs(self, term: str, rows: Rows) -> Mask:
        """[len(rows)] whether `term` occurs in each of `rows`."""
        cut = len(self._base)
        in_base = rows < cut
        found = np.zeros(len(rows), dtype=np.bool_)
        found[in_base] = self._base.occurs(term, rows[in_base])
        found[~in_base] = [self._delta[row - cut][term] > 0 for row in rows[~in_base]]
        return found

    def idf(self, term: str) -> float:
        """How rare a term is, over base and delta; see the formula above."""
        frequency = self._base.document_frequency(term) + self._frequency[term]
        return math.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5))

    def _score(self, counts: Counter[str], idf: dict[str, float]) -> float:
        norm = K1 * (1 - B + B * counts.total() / self._mean_length) if counts else 0.0
        return sum(weight * counts[term] / (counts[term] + norm) for term, weight in idf.items() if counts[term])


def _new_engine() -> Any:
    # Only numpy: the compiled path takes seconds on its first query, and "auto" changes with what is installed.
    return _engine_class()(method="lucene", k1=K1, b=B, backend="numpy")


def _engine_class() -> Any:
    import bm25s

    return bm25s.BM25
