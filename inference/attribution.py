"""Which guideline sentence, if any, says what a model's sentence says.

    cover(s, e) = idf mass of the terms of s that stand in e / idf mass of all terms of s           0..1

A sentence that covers at least ENOUGH of the statement is offered for citation, and the citation is then judged like
any other: by quantities and by wording. Only passages are asked: the caption of another patient's picture is no evidence
of what this picture shows. Where nothing covers enough, nothing is cited.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from inference.sentences import sentence_spans
from inference.types import Citation, Evidence, EvidenceKind, Statement
from retrieval.lexical import tokenize

ENOUGH = 0.6  # of the statement's idf mass: more than half of what it says in rare words stands in the cited sentence
SHORTEST = 3  # terms of a statement; fewer are covered by accident


def statements_of(text: str, about: str) -> tuple[Statement, ...]:
    """The sentences of a model's text, as statements about a label that cite nothing yet."""
    return tuple(Statement(text[start:end], about, ()) for start, end in sentence_spans(text))


def attributed(
    statements: Sequence[Statement], ledger: Sequence[Evidence], idf: Callable[[str], float]
) -> tuple[Statement, ...]:
    """The statements, each with the one citation that covers it best where one covers it enough."""
    sentences = [
        (item, start, end, frozenset(tokenize(item.text[start:end])))
        for item in ledger
        if item.kind is EvidenceKind.PASSAGE
        for start, end in sentence_spans(item.text)
    ]

    def cite(statement: Statement) -> Statement:
        terms = set(tokenize(statement.text))
        mass = math.fsum(idf(term) for term in terms)
        if len(terms) < SHORTEST or mass <= 0:
            return statement
        # The first of those that cover as much: the ledger is best first. fsum, because sets have no order of their own.
        best = max(
            ((math.fsum(idf(term) for term in terms & there) / mass, item, start, end)
             for item, start, end, there in sentences),
            key=lambda entry: entry[0], default=None,
        )  # fmt: skip
        if best is None or best[0] < ENOUGH:
            return statement
        _, item, start, end = best
        citation = Citation(item.key, item.text[start:end], item.start + start, item.start + end)
        return replace(statement, citations=(citation,))

    return tuple(cite(statement) for statement in statements)
