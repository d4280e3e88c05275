"""Whether what is said can be looked up where it says so. Of all cases of an arm together, from the counts of the records.

    citation precision = citations that hold / citations           (the quote is there and says what the statement says)
    citation recall    = statements that are supported / statements
    verbatim share     = citations whose quote is there byte for byte / citations, whether or not it says the same
    support rate       = mean over cases with statements of  supported statements / statements

Precision and recall of citations: Gao et al. 2023, arXiv:2305.14627, with our verifier (inference.citations) in place of a
model that judges. Recall weighs every statement alike, the support rate every case. Nothing cited or stated: missing; a
case with nothing counts nowhere.
"""

from collections.abc import Sequence

from evaluation.measures.measured import Measured, mean, ratio
from evaluation.records import CaseRecord

NO_CITATION = "nothing was cited"
NO_STATEMENT = "nothing was stated"


def citation_precision(records: Sequence[CaseRecord]) -> Measured:
    """0..1."""
    counts = [(float(record.citations_verified), float(record.citations)) for record in records]
    return ratio(records, counts, NO_CITATION, {"citations": sum(record.citations for record in records)})


def citation_recall(records: Sequence[CaseRecord]) -> Measured:
    """0..1."""
    counts = [(float(record.statements_supported), float(record.statements)) for record in records]
    return ratio(records, counts, NO_STATEMENT, {"statements": sum(record.statements for record in records)})


def verbatim_share(records: Sequence[CaseRecord]) -> Measured:
    """0..1. Missing where the run did not count it."""
    counted = [(record.citations_verbatim, record.citations) for record in records]
    parts = [(0.0, 0.0) if found is None else (float(found), float(there)) for found, there in counted]
    uncounted = any(found is None and there for found, there in counted)
    return ratio(records, parts, "the run did not count quotes that are there" if uncounted else NO_CITATION)


def support_rate(records: Sequence[CaseRecord]) -> Measured:
    """0..1."""
    shares = [record.statements_supported / record.statements if record.statements else None for record in records]
    return mean(records, shares, NO_STATEMENT)
