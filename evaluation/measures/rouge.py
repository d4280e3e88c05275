"""ROUGE-1, -2 and -L: how much of the reference's words, pairs of words, or longest common subsequence is in the caption.

    F = 2·P·R / (P + R),  R = matched / those of the reference,  P = matched / those of the caption;   mean over cases

Lin 2004, "ROUGE: a package for automatic evaluation of summaries"; by Google's rouge-score: lower case, letters and digits,
no stemming, sentence-level L. An empty caption has 0.
"""

from collections.abc import Sequence
from typing import Literal

from evaluation.measures.captions import mean_of_pairs, why_not
from evaluation.measures.measured import Measured, absent
from evaluation.records import CaseRecord

VARIANT = "rouge-score, F, no stemming"


def rouge(records: Sequence[CaseRecord], kind: Literal["rouge1", "rouge2", "rougeL"]) -> Measured:
    """Mean F, 0..1."""
    why = why_not(records, "rouge_score")
    if why is not None:
        return absent(why)
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=False)
    return mean_of_pairs(
        records, lambda caption, reference: float(scorer.score(reference, caption)[kind].fmeasure), VARIANT
    )
