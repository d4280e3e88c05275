"""Captions with what the data set says: which records count, and what an unwritten caption is.

A record counts where it has a reference. A caption that was not written, because the service declined or failed, is an empty
one: leaving it out would reward declining. An arm that wrote none at all has no value.
"""

from collections.abc import Callable, Sequence

from evaluation.extra import is_here, not_installed
from evaluation.measures.measured import Measured, absent, mean
from evaluation.records import CaseRecord

NO_REFERENCE = "no case has a reference caption"
NO_CAPTION = "no caption was written in this arm"


def pair(record: CaseRecord) -> tuple[str, str] | None:
    """(caption, reference); None without a reference."""
    return (record.caption or "", record.reference_caption) if record.reference_caption else None


def why_not(records: Sequence[CaseRecord], library: str | None = None) -> str | None:
    """Why captions cannot be compared at all; None where they can. `library`: the module that is needed."""
    if not any(record.reference_caption for record in records):
        return NO_REFERENCE
    if not any(record.caption for record in records):
        return NO_CAPTION
    if library is not None and not is_here(library):
        return not_installed(library)
    return None


def mean_of_pairs(
    records: Sequence[CaseRecord], of: Callable[[str, str], float | None], variant: str, library: str | None = None
) -> Measured:
    """The mean of `of(caption, reference)`; None: it does not apply. `details["variant"]` says which form of the measure."""
    why = why_not(records, library)
    if why is not None:
        return absent(why)
    pairs = [pair(record) for record in records]
    return mean(records, [of(*one) if one else None for one in pairs], NO_REFERENCE, {"variant": variant})
