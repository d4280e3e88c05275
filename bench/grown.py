"""A knowledge base of many made passages and cases, written through the registry with vectors that nobody encoded.

See bench.material for the passages. Pictures have vectors with the mean and covariance of the sample's, and sketches that are
mixtures of two of them. What proves an index looks up the first and the last item with the real encoders: those of
`put_all` are left without vectors, so that `dermacite reindex` encodes them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.leaks import grown_sketches
from bench.material import drawn_like, drawn_vectors
from knowledge.cases import CaseRow, read_cases
from knowledge.pictures import Picture
from knowledge.registry import NewVersion
from knowledge.types import Cut, Page, PageState, ReferenceCase, Source
from retrieval.embeddings import text_key
from retrieval.sketches import SKETCHER, sketch_of
from retrieval.types import Vectors
from runtime.demo import SAMPLE
from runtime.service import Service

PASSAGES_A_DOCUMENT, PASSAGES_A_PAGE = 200, 20
FEW, HALF = "SE", "GB"  # jurisdictions: of 4 % of the documents, and of half of them
AT_ONCE = 5_000  # vectors in one write


def put_all(service: Service, passages: Sequence[str], cases: int, kept: Path) -> None:
    """Documents of these passages, and so many cases whose captions are the first of them."""
    put_documents(service, passages, drawn_vectors(service.encoders.passages, passages, kept))
    put_cases(service, passages[:cases])
    texts = service.registry.passage_texts()
    captions = service.registry.case_captions()
    ends = [texts[0][1], texts[-1][1], captions[0][2], captions[-1][2]]
    service.embeddings.delete([text_key(text) for text in ends])


def put_documents(service: Service, passages: Sequence[str], vectors: Vectors) -> None:
    """Documents of PASSAGES_A_DOCUMENT passages each, with their texts, and `vectors[i]` for `passages[i]`."""
    for number, start in enumerate(range(0, len(passages), PASSAGES_A_DOCUMENT)):
        some = passages[start : start + PASSAGES_A_DOCUMENT]
        rows = vectors[start : start + len(some)]
        service.embeddings.put(service.fingerprints["passages"], [text_key(text) for text in some], rows)
        data = "\n".join(some).encode()
        cuts = _cuts(some)
        version = hashlib.sha256(data).hexdigest()
        new = NewVersion(
            version,
            Source(title=f"Guideline {number}", jurisdiction=_jurisdiction(number)),
            size=len(data),
            text_sha256=service.blobs.put(data),
            pages=_pages(cuts),
            passages=[(f"p-{version[:16]}{at:08d}", cut) for at, cut in enumerate(cuts)],
        )
        service.registry.add_version(new)


def _jurisdiction(number: int) -> str:
    return FEW if number % 25 == 0 else HALF if number % 2 else "US"


def _cuts(passages: Sequence[str]) -> list[Cut]:
    cuts, start = [], 0
    for number, text in enumerate(passages):
        page = 1 + number // PASSAGES_A_PAGE
        cuts.append(Cut(start, start + len(text), text, page, page, (f"Section {page}",), 100))
        start += len(text) + 1
    return cuts


def _pages(cuts: Sequence[Cut]) -> list[Page]:
    starts = range(0, len(cuts), PASSAGES_A_PAGE)
    groups = [cuts[start : start + PASSAGES_A_PAGE] for start in starts]
    return [Page(at, group[0].start, group[-1].end, PageState.TEXT) for at, group in enumerate(groups, start=1)]


def put_cases(service: Service, captions: Sequence[str]) -> None:
    """One a caption, two of each lesion; the first and the last have a picture, and no vectors yet.

    Captions are passages, whose vectors are there: both spaces have the same encoder.
    """
    rows = [row for row in read_cases(SAMPLE / "cases").rows if isinstance(row, CaseRow)]
    known = [service.admit(row.picture.read_bytes()) for row in rows]
    names = [f"{row:064x}" for row in range(len(captions))]
    names[0], names[-1] = (service.blobs.put(one.encoded()) for one in (known[0], known[-1]))
    _put_pictures(service, names, known)
    cases = [
        ReferenceCase(
            f"c-{row:024x}", "made", rows[row % len(rows)].label, caption, name, hashlib.sha256(name.encode()).hexdigest(),
            _spread(row), lesion=f"L{row // 2}", subject=f"S{row // 2}",
        )
        for row, (name, caption) in enumerate(zip(names, captions, strict=True))
    ]  # fmt: skip
    service.registry.put_cases(cases)


def _put_pictures(service: Service, names: Sequence[str], known: Sequence[Picture]) -> None:
    vectors = drawn_like(service.encoders.pictures.encode_images([one.rgb for one in known]), len(names))
    sketches = grown_sketches(np.stack([sketch_of(one.rgb) for one in known]), len(names))
    for start in range(1, len(names) - 1, AT_ONCE):
        some = slice(start, min(start + AT_ONCE, len(names) - 1))
        service.embeddings.put(service.fingerprints["pictures"], names[some], vectors[some])
        service.embeddings.put(SKETCHER, names[some], sketches[some])


_GOLDEN: Final = 0x9E3779B97F4A7C15


def _spread(row: int) -> str:
    """A perceptual hash that is not near to another's."""
    return f"{(row + 1) * _GOLDEN % 2**64:016x}"
