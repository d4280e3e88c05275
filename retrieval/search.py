"""The searches that the layers above call: encode, guard, search. One place knows which encoder serves which space."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.cases import CaseOptions, find_cases
from retrieval.hybrid import HybridOptions, TextQuery, search_text
from retrieval.lay_language import clinical_expansions, clinical_text
from retrieval.leakage import Probe, leak_guard
from retrieval.lexical import tokenize
from retrieval.presets import share_a_space
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.types import Expansion, Mask, Ranking, Vector, Vectors
from retrieval.vectors import LayeredVectors
from retrieval.view import View

UNGUARDED = "the leak guard was switched off: the query may have found itself"


@dataclass(frozen=True, slots=True)
class Encoders:
    """Which encoder serves which space. `captions` and `passages` may be one and the same object."""

    pictures: ImageEncoder
    captions: TextEncoder
    passages: TextEncoder

    @property
    def one_space(self) -> bool:
        """Whether pictures can be compared with captions, which strategy A does."""
        return share_a_space(self.pictures.card, self.captions.card)

    def fingerprints(self) -> dict[str, str]:
        """Per space of retrieval.generation.SPACES."""
        return {
            "pictures": self.pictures.fingerprint,
            "captions": self.captions.fingerprint,
            "passages": self.passages.fingerprint,
        }


def encode_pictures(encoders: Encoders, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
    """[n, dimension] of upright RGB pictures."""
    return encoders.pictures.encode_images(pictures)


def neighbours(
    view: View, encoders: Encoders, pictures: Vectors, note: str, probe: Probe | None, options: CaseOptions
) -> Ranking:
    """Reference cases like the query. `probe` None switches the leak guard off, which marks the ranking."""
    query = text_query(encoders.captions, note) if note.strip() and options.strategy == "B" else None
    if probe is None:
        everything: Mask = np.ones(len(view.cases.ids), dtype=np.bool_)
        unguarded = find_cases(view.cases, pictures, query, everything, options)
        told = _told(unguarded, view.cases.pictures, view.cases.captions.vectors)
        return replace(told, warnings=(*told.warnings, UNGUARDED))
    guarded = leak_guard(view.cases.guard, probe)
    ranking = find_cases(view.cases, pictures, query, guarded.allowed, options)
    ranking = _told(ranking, view.cases.pictures, view.cases.captions.vectors)
    ids = view.cases.ids
    return replace(
        ranking,
        warnings=(*ranking.warnings, *_blind_spots(view)),
        excluded=guarded.counts,
        excluded_ids={reason: tuple(ids[row] for row in rows) for reason, rows in guarded.kept_back.items()},
    )


def _blind_spots(view: View) -> Iterator[str]:
    guard = view.cases.guard
    if unsketched := guard.unsketched:
        yield (
            f"the leak guard knows {unsketched} of {int(guard.present.sum())} cases by their hash alone and would not "
            "recognise a cropped or mirrored copy of them; run: dermacite reindex"
        )


def passages(
    view: View, encoders: Encoders, text: str, options: HybridOptions, query: TextQuery | None = None
) -> Ranking:
    """Guideline passages about `text`; `query` where it is encoded already."""
    query = query or text_query(encoders.passages, text, expand=options.expand)
    return _told(search_text(view.passages, query, options), view.passages.vectors)


def passages_for(view: View, encoders: Encoders, texts: Sequence[str], options: HybridOptions) -> list[Ranking]:
    """Guideline passages about each of `texts`, which are encoded in one batch: most of a search is encoding."""
    queries = text_queries(encoders.passages, texts, expand=options.expand)
    return [_told(search_text(view.passages, query, options), view.passages.vectors) for query in queries]


def captions(
    view: View, encoders: Encoders, text: str, options: HybridOptions, query: TextQuery | None = None
) -> Ranking:
    """Reference cases whose captions are about `text`; `query` where it is encoded already."""
    query = query or text_query(encoders.captions, text, expand=options.expand)
    ranking = search_text(view.cases.captions, query, options, view.cases.captioned)
    return _told(ranking, view.cases.captions.vectors)


def _told(ranking: Ranking, *searched: LayeredVectors) -> Ranking:
    """With a warning for each leg that had to search without its index."""
    reasons = dict.fromkeys(one.degraded for one in searched if one.degraded)
    return replace(ranking, warnings=(*ranking.warnings, *filter(None, reasons)))


def text_query(encoder: TextEncoder, text: str, *, expand: bool = False) -> TextQuery:
    """See text_queries."""
    return text_queries(encoder, [text], expand=expand)[0]


def text_queries(encoder: TextEncoder, texts: Sequence[str], *, expand: bool = False) -> list[TextQuery]:
    """Each text for both legs, encoded in one batch; `expand` adds the clinical words for its lay ones to both.

    The encoder reads a text with its clinical words behind it, once: a second vector would double its time.
    """
    expansions = [clinical_expansions(text) if expand else () for text in texts]
    vectors = encoder.encode_queries([clinical_text(*one) for one in zip(texts, expansions, strict=True)])
    return [_query(*one) for one in zip(vectors, texts, expansions, strict=True)]


def _query(vector: Vector, text: str, expansions: tuple[Expansion, ...]) -> TextQuery:
    terms = tokenize(text)
    added = [term for one in expansions for word in one.terms for term in tokenize(word)]
    return TextQuery(vector, terms, tuple(dict.fromkeys(t for t in added if t not in terms)), expansions, text)
