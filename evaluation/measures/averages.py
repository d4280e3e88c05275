"""Several measures of captions in one figure, as the radiology captioning comparison has them.

    relevance  = mean of: picture-caption similarity, BERTScore recall, ROUGE-1 F, BLEURT
    factuality = mean of: concept F1, support rate

ImageCLEFmedical Caption 2025 (Damm et al., "Overview of ImageCLEFmedical 2025"), which has UMLS concept F1 and AlignScore for
factuality: our concepts are a list of terms, and in AlignScore's place stands the share of statements that their citations
support. So the figures rank our arms; they are not those of that comparison. A part without a value is named with its reason
in `details["missing"]` and left out, never counted as 0; compare only arms with the same parts. No part at all: missing.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.measures.bert_score import RECALL, bert_score
from evaluation.measures.captions import NO_CAPTION, pair
from evaluation.measures.citations import support_rate
from evaluation.measures.concepts import concept_f1
from evaluation.measures.measured import Measured, OfSums, Rows, absent, combined, mean, quotient
from evaluation.measures.rouge import rouge
from evaluation.measures.tools import PairScores, Similarity, Tools
from evaluation.records import CaseRecord

NO_SIMILARITY = "no model was given that reads pictures and captions"
NO_BLEURT = "no BLEURT model was given"


def picture_similarity(records: Sequence[CaseRecord], similarity: Similarity | None) -> Measured:
    """Mean over captions that were written, 0..1."""
    if not any(record.caption for record in records):
        return absent(NO_CAPTION)
    if similarity is None:
        return absent(NO_SIMILARITY)
    return mean(records, [similarity(one) if one.caption else None for one in records], "no picture could be compared")


def bleurt(records: Sequence[CaseRecord], scores: PairScores | None) -> Measured:
    """Mean over cases with a reference: Sellam et al. 2020, arXiv:2004.04696."""
    pairs = [pair(record) for record in records]
    if not any(record.caption and record.reference_caption for record in records):
        return absent("no caption with a reference")
    if scores is None:
        return absent(NO_BLEURT)
    found = iter(scores([one for one in pairs if one is not None]))
    return mean(records, [None if one is None else next(found) for one in pairs], "no caption with a reference")


def relevance(records: Sequence[CaseRecord], tools: Tools) -> Measured:
    """`details["parts"]` are the values averaged, `details["missing"]` what is left out and why."""
    if not any(record.caption for record in records):
        return absent(NO_CAPTION)
    return average(
        records,
        {
            "picture_similarity": picture_similarity(records, tools.similarity),
            "bert_score_recall": bert_score(records, tools.bert, RECALL),
            "rouge_1": rouge(records, "rouge1"),
            "bleurt": bleurt(records, tools.bleurt),
        },
    )


def factuality(records: Sequence[CaseRecord], tools: Tools) -> Measured:
    """As `relevance`."""
    if not any(record.caption for record in records):
        return absent(NO_CAPTION)
    return average(records, {"concept_f1": concept_f1(records, tools.terms), "support_rate": support_rate(records)})


def average(records: Sequence[CaseRecord], parts: Mapping[str, Measured]) -> Measured:
    """The mean of the parts that have a value; each must be a mean over records."""
    there = {name: part for name, part in parts.items() if part.missing is None}
    left_out = {name: part.missing for name, part in parts.items() if part.missing is not None}
    if not there:
        return absent("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    rows = np.concatenate([part.rows for part in there.values()], axis=1)
    details = {"parts": {name: part.value for name, part in there.items()}, "missing": left_out}
    return combined(records, rows, _MEAN, "", details, max(part.n for part in there.values()))


def _mean_of_quotients(sums: Rows) -> Rows:
    pairs = sums.reshape(*sums.shape[:-1], -1, 2)
    return np.asarray(quotient(pairs).mean(axis=-1))


_MEAN = OfSums(_mean_of_quotients)
