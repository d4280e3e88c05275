"""BLEU-n of all captions together (a corpus score): how many of their words, pairs, triples ... stand in the reference.

    BLEU-n = BP · exp(mean over m = 1..n of ln p_m),   p_m = matched m-grams / m-grams of the captions
    BP = 1 if the captions are together longer than the references, else exp(1 - reference length / caption length)

Papineni et al. 2002, doi:10.3115/1073083.1073135; counted by sacreBLEU (Post 2018, arXiv:1804.08771), tokens "13a", lower case,
one reference, no smoothing: without a single match of an order it is 0. 0..1, where sacreBLEU says 0..100.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.measures.captions import NO_REFERENCE, pair, why_not
from evaluation.measures.measured import Measured, OfSums, Rows, absent, combined
from evaluation.records import CaseRecord

ORDERS = 4
VARIANT = "sacreBLEU counts, 13a tokens, lower case, no smoothing, corpus level"


def bleu(records: Sequence[CaseRecord], order: int) -> Measured:
    """BLEU-`order`, 1..4."""
    why = why_not(records, "sacrebleu")
    if why is not None:
        return absent(why)
    from sacrebleu.metrics.bleu import BLEU

    # Without effective_order it logs a warning per sentence; only counts are read here, which it does not change.
    counter = BLEU(lowercase=True, tokenize="13a", smooth_method="none", max_ngram_order=ORDERS, effective_order=True)
    rows = [_counts(counter, *one) if (one := pair(record)) else [0.0] * (2 * ORDERS + 2) for record in records]
    counted = sum(pair(record) is not None for record in records)
    return combined(records, rows, _COMBINE[order], NO_REFERENCE, {"variant": VARIANT}, counted)


def _counts(counter: object, caption: str, reference: str) -> list[float]:
    """Matched n-grams by order, n-grams by order, lengths of caption and reference."""
    score = counter.sentence_score(caption, [reference])  # type: ignore[attr-defined]
    return [*score.counts, *score.totals, score.sys_len, score.ref_len]


def _of(order: int) -> OfSums:
    def score(sums: Rows) -> Rows:
        matched, there = sums[..., :order], sums[..., ORDERS : ORDERS + order]
        written, reference = sums[..., -2], sums[..., -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(matched > 0, matched / there, 0.0)
            brevity = np.exp(np.minimum(0.0, 1 - reference / written))
            found = brevity * np.exp(np.log(precision).mean(axis=-1))
        return np.where((precision > 0).all(axis=-1), found, np.where(reference == 0, np.nan, 0.0))

    return OfSums(score)


_COMBINE = {order: _of(order) for order in range(1, ORDERS + 1)}  # one object each: arms are combined alike
