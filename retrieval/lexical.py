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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import Stemmer
from numpy.typing import NDArray

from retrieval.types import Mask, Rows, Scores

TOKENIZER = "clinical-1"  # part of every index manifest: change it with the rules below
K1, B = 1.5, 0.75

Tokenizer = Callable[[str], list[str]]
Postings = tuple[Rows, Scores]  # rows, and how often the term occurs in each

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


class DeltaTerms:
    """`tokenize` that remembers the texts of one delta for the next: while documents come in, a delta follows the other.

    A text that the next delta lacks was deleted or merged, and is forgotten then. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._before: dict[str, list[str]] = {}
        self._now: dict[str, list[str]] = {}

    def next_delta(self) -> None:
        """What was asked for since the last call is remembered, the rest forgotten."""
        self._before, self._now = self._now, {}

    def __call__(self, text: str) -> list[str]:
        """See tokenize."""
        if text not in self._now:
            known = self._before.get(text)
            self._now[text] = tokenize(text) if known is None else known
        return self._now[text]


class LexicalIndex:
    """An immutable BM25 index over rows 0..n-1."""

    def __init__(self, engine: Any, lengths: Sequence[int]) -> None:
        self._engine = engine  # None when no text has a term: bm25s cannot hold an empty vocabulary
        self.lengths = np.array(lengths, dtype=np.int64)
        self._norms = _norms(self.lengths, float(self.lengths.mean()) if len(lengths) else 0.0)

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
        (folder / "lengths.json").write_text(json.dumps(self.lengths.tolist()))
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
        return len(self._column(term)[0])

    def postings(self, term: str) -> Postings:
        """In which rows `term` occurs, ascending, and how often in each.

        The engine keeps only s = idf * tf / (tf + norm), hence tf = norm * s / (idf - s), a whole number.
        """
        rows, scores = self._column(term)
        counts = np.float32(_idf(len(rows), len(self))) - scores
        np.divide(scores, counts, out=counts)
        counts *= _gathered(self._norms, rows)
        return rows, np.rint(counts, out=counts)

    def occurs(self, term: str, rows: Rows) -> Mask:
        """[len(rows)] whether `term` occurs in each of `rows`. Costs one binary search a row."""
        containing, _ = self._column(term)
        if not len(containing) or not len(rows):
            return np.zeros(len(rows), dtype=np.bool_)
        places = np.minimum(np.searchsorted(containing, rows), len(containing) - 1)
        found: Mask = containing[places] == rows
        return found

    def _column(self, term: str) -> tuple[Rows, Scores]:
        """Rows with `term`, ascending (the engine fills them row by row), and the score it gives each."""
        row = None if self._engine is None else self._engine.vocab_dict.get(term)
        if row is None:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        start, end = self._engine.scores["indptr"][row : row + 2]
        return self._engine.scores["indices"][start:end], self._engine.scores["data"][start:end]


class LayeredLexical:
    """A base index and the rows that came since, all scored with the statistics of what is alive in both.

    A row scores what one rebuild of the rows alive would give it: the base's scores hold the idf and mean length of its
    build, so its counts are read back from them and scored anew. `alive` ([n], default all) are the rows that count; the
    others are scored too: they are gone, or not in force and returned only where that is asked for.
    """

    def __init__(
        self, base: LexicalIndex, delta: Sequence[str], alive: Mask | None = None, tokenized: Tokenizer = tokenize
    ) -> None:
        self._base = base
        tokens = [tokenized(text) for text in delta]
        self._delta = _postings(tokens)
        self._gone = np.zeros(0, dtype=np.int64) if alive is None else np.flatnonzero(~alive)
        lengths = np.concatenate([base.lengths, np.array([len(terms) for terms in tokens], dtype=np.int64)])
        self._gone_with: dict[str, int] = {}  # of words that some row has and somebody asked for
        self._size = len(lengths)
        counted = np.delete(lengths, self._gone)
        self._counted = len(counted)
        self._norms = _norms(lengths, float(counted.mean()) if len(counted) else 0.0)

    def __len__(self) -> int:
        return self._size

    def scores(self, terms: Sequence[str]) -> Scores:
        """[n] BM25 of every row, base first; 0 where no term occurs. A term counts once."""
        if len(self._base) == self._size and not len(self._gone):
            return self._base.scores(terms)
        total: Scores = np.zeros(self._size, dtype=np.float32)
        cut = len(self._base)
        for term in dict.fromkeys(terms):
            idf = np.float32(self.idf(term))
            _add(total[:cut], self._base.postings(term), self._norms[:cut], idf)
            if term in self._delta:
                _add(total[cut:], self._delta[term], self._norms[cut:], idf)
        return total

    def occurs(self, term: str, rows: Rows) -> Mask:
        """[len(rows)] whether `term` occurs in each of `rows`."""
        cut = len(self._base)
        in_base = rows < cut
        found = np.zeros(len(rows), dtype=np.bool_)
        found[in_base] = self._base.occurs(term, rows[in_base])
        if term in self._delta:
            found[~in_base] = np.isin(rows[~in_base] - cut, self._delta[term][0])
        return found

    def idf(self, term: str) -> float:
        """How rare a term is among the rows that are alive; see the formula above."""
        frequency = self._base.document_frequency(term) + len(self._delta.get(term, ((),))[0])
        return _idf(frequency - self._gone_frequency(term), self._counted)

    def _gone_frequency(self, term: str) -> int:
        if not len(self._gone) or not (self._base.document_frequency(term) or term in self._delta):
            return 0
        if term not in self._gone_with:
            self._gone_with[term] = int(self.occurs(term, self._gone).sum())
        return self._gone_with[term]


def _postings(tokens: Sequence[Sequence[str]]) -> dict[str, Postings]:
    found: dict[str, dict[int, int]] = {}
    for row, terms in enumerate(tokens):
        for term, count in Counter(terms).items():
            found.setdefault(term, {})[row] = count
    return {
        term: (np.array([*counts], dtype=np.int64), np.array([*counts.values()], dtype=np.float32))
        for term, counts in found.items()
    }


def _idf(frequency: int, rows: int) -> float:
    return math.log(1 + (rows - frequency + 0.5) / (frequency + 0.5))


def _norms(lengths: NDArray[np.int64], mean: float) -> Scores:
    """[n] what a count is weighed against in the formula: k1 * (1 - b + b * length / mean)."""
    share: Scores = (K1 * (1 - B + B * lengths / (mean or 1.0))).astype(np.float32)
    return share


def _add(total: Scores, postings: Postings, norms: Scores, idf: np.float32) -> None:
    """Add what one term is worth; the same steps for base and delta, so that equal texts score the same."""
    rows, counts = postings
    part = _gathered(norms, rows)
    part += counts
    np.divide(counts, part, out=part)
    part *= idf
    np.add.at(total, rows, part)


def _gathered(values: Scores, rows: Rows) -> Scores:
    # Not values[rows]: with the engine's 32-bit row numbers that takes twice as long.
    gathered: Scores = np.take(values, rows, mode="clip")
    return gathered


def _new_engine() -> Any:
    # Only numpy: the compiled path takes seconds on its first query, and "auto" changes with what is installed.
    return _engine_class()(method="lucene", k1=K1, b=B, backend="numpy")


def _engine_class() -> Any:
    import bm25s

    return bm25s.BM25
