"""The extractive report: every sentence is an exact quote of a piece of evidence that names the candidate.

Nothing is cited just to have a citation: a passage sentence must itself name the label (or an alias), a caption is only
quoted for the label of its own case. Where there is no such sentence, the report says less.
"""

import math
import re
from collections.abc import Callable, Sequence

from inference.labels import mentions
from inference.sentences import sentence_spans
from inference.types import Candidate, Citation, Evidence, EvidenceKind, Statement
from retrieval.lexical import tokenize

SHORTEST, LONGEST = 25, 600  # characters of a sentence worth quoting
# A list mark belongs to the page, not to the sentence.
_BULLET = re.compile(r"[•▪◦‣*–-]\s+")
CASE_QUOTES = (2, 1, 1)  # per candidate, most likely first
PASSAGE_QUOTES = (3, 1, 1)


def extractive_report(
    candidates: Sequence[Candidate], ledger: Sequence[Evidence], words: str, idf: Callable[[str], float]
) -> tuple[Statement, ...]:
    """Statements about the first candidates. `words` is what was asked (note and findings), `idf` weighs its terms."""
    wanted = {term: idf(term) for term in tokenize(words)}
    report: list[Statement] = []
    for candidate, cases, passages in zip(candidates, CASE_QUOTES, PASSAGE_QUOTES, strict=False):
        of_label = [item for item in ledger if item.kind is EvidenceKind.CASE and item.label == candidate.label]
        report += [_first_words(item, candidate.label) for item in of_label if item.text.strip()][:cases]
        report += _best_sentences(candidate.label, ledger, wanted)[:passages]
    # One sentence may name two candidates; it is said once, for the likelier.
    return tuple({statement.text: statement for statement in reversed(report)}[text] for text in _unique(report))


def _unique(report: Sequence[Statement]) -> list[str]:
    return list(dict.fromkeys(statement.text for statement in report))


def _first_words(item: Evidence, label: str) -> Statement:
    start, end = next(sentence_spans(item.text))
    return _quoted(item, label, start, end)


def _best_sentences(label: str, ledger: Sequence[Evidence], wanted: dict[str, float]) -> list[Statement]:
    scored: list[tuple[float, str, int, Statement]] = []
    for item in ledger:
        if item.kind is not EvidenceKind.PASSAGE:
            continue
        for start, end in sentence_spans(item.text):
            sentence = item.text[start:end]
            if SHORTEST <= len(sentence) <= LONGEST and mentions(sentence, label):
                scored.append((-_overlap(sentence, wanted), item.id, start, _quoted(item, label, start, end)))
    return [statement for *_, statement in sorted(scored, key=lambda entry: entry[:3])]


def _overlap(sentence: str, wanted: dict[str, float]) -> float:
    """IDF mass of the asked terms in a sentence, per square root of its length: long sentences contain anything."""
    terms = set(tokenize(sentence))
    return sum(weight for term, weight in wanted.items() if term in terms) / math.sqrt(len(terms) or 1)


def _quoted(item: Evidence, label: str, start: int, end: int) -> Statement:
    mark = _BULLET.match(item.text, start, end)
    start = mark.end() if mark else start
    quote = item.text[start:end]
    citation = Citation(item.key, quote, item.start + start, item.start + end)
    return Statement(text=quote, about=label, citations=(citation,))
