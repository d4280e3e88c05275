"""Which language a document is written in, by its own words."""

from functools import cache
from typing import Any, Final

SAMPLE: Final = 20_000  # code points that are read; more change nothing
LEAST: Final = 200  # letters; fewer say little
SURE: Final = 0.9  # probability among all languages below which nothing is said


def language_of(text: str) -> str | None:
    """ISO 639-1 code ("en"); None where the text is too short or does not say.

    py3langid: naive Bayes over byte n-grams. Source: Lui and Baldwin 2012, "langid.py", ACL.
    """
    sample = text[:SAMPLE]
    if sum(character.isalpha() for character in sample) < LEAST:
        return None
    code, probability = _identifier().classify(sample)
    return str(code) if probability >= SURE else None


@cache
def _identifier() -> Any:
    # Half a second and 30 MB: only a process that reads documents pays for it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Those with a code of two letters: the others are mostly dialects of them, and share their probability.
    identifier.set_languages([code for code in identifier.labels if len(code) == 2])
    return identifier
