"""What else to ask the guidelines for: the morphology words on which the neighbours' captions agree."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from retrieval.lexical import tokenize

WORDS_FILE = Path(__file__).parent / "morphology.txt"


def morphology_words(captions: Iterable[str], *, most: int = 8) -> tuple[str, ...]:
    """Up to `most` descriptive words, those that most captions share first, then in alphabetical order.

    A word that only one caption has counts too when there is one caption only; else at least two must agree.
    """
    words = _word_of_stem()
    texts = [caption for caption in captions if caption]
    shared = Counter(stem for text in texts for stem in set(tokenize(text)) if stem in words)
    needed = min(2, len(texts))
    agreed = [stem for stem, number in shared.items() if number >= needed]
    agreed.sort(key=lambda stem: (-shared[stem], stem))
    return tuple(words[stem] for stem in agreed[:most])


@cache
def _word_of_stem() -> dict[str, str]:
    lines = (line.strip() for line in WORDS_FILE.read_text("utf-8").splitlines())
    # Only the whole word: the parts of "skin-coloured" are not findings.
    return {tokenize(line)[0]: line for line in reversed([line for line in lines if line and not line.startswith("#")])}
