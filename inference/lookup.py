"""Search without a consultation: what would be found, with every leg's score, for curators and researchers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from inference.admission import NO_RERANKER, TWO_SPACES
from inference.clock import StepClock
from inference.errors import ConsultationRefused
from inference.evidence import Found, ledger_of
from inference.stored_texts import captions, passage_texts
from inference.types import Evidence, EvidenceKind
from knowledge.pictures import Picture
from knowledge.registry import Registry
from knowledge.types import FOUND
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.filters import Filters, narrowed, of_roles
from retrieval.hybrid import Fusion, HybridOptions
from retrieval.protocols import Reranker
from retrieval.reranking import Reranking
from retrieval.types import Explanation, Ranking
from retrieval.view import IndexReader

# Of a version that is superseded between search and reading, neither it nor its successor would be in the answer.
AGAIN = 3


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages and reference cases, each in ranking order. `cases_by` says whether a picture or the text found them.

    `explanations` says of "passages" and "cases" how a search by text came to its ranking.
    """

    passages: tuple[Evidence, ...]
    cases: tuple[Evidence, ...]
    cases_by: str
    warnings: tuple[str, ...]
    timings_ms: dict[str, float]
    explanations: Mapping[str, Explanation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a caller may ask of a search. None means: as the service is configured.

    `k` of each kind, 1..50. `fusion` and `rerank` are of searches by text, `alpha`, `strategy` and `hard_negatives` of
    cases by picture. Hard negatives look alike and are not `against`, or not what most of the nearest are.
    """

    k: int = 5
    filters: Filters = field(default_factory=Filters)
    fusion: Fusion | None = None
    rerank: bool = False
    alpha: float | None = None
    strategy: Literal["A", "B"] | None = None
    hard_negatives: bool = False
    against: str | None = None


class Lookup:
    """Answers plain searches from the same legs as the pipeline."""

    def __init__(
        self, reader: IndexReader, encoders: search.Encoders, registry: Registry, cases: CaseOptions,
        passages: HybridOptions, reranker: Reranker | None = None,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._encoders = encoders
        self._registry = registry
        self._cases = cases
        self._passages = passages
        self._reranker = reranker

    def search(
        self, text: str, picture: Picture | None = None, options: SearchOptions = SearchOptions()
    ) -> SearchResult:
        """The leak guard is off here: a curator looks for the very picture.

        Raises ConsultationRefused when there is nothing to search for, or what is asked for cannot be had.
        """
        self._check(text, picture, options)
        for _ in range(AGAIN):
            found, whole = self._once(text, picture, options)
            if whole:
                break
        return found

    def _once(self, text: str, picture: Picture | None, options: SearchOptions) -> tuple[SearchResult, bool]:
        """What is found, and whether all of it was still there to be read."""
        clock = StepClock()
        view = self._reader.view()
        searched = narrowed(view if options.filters.role else of_roles(view, FOUND), options.filters)
        view = searched.view
        by_text = replace(self._passages, k=options.k, fusion=options.fusion or self._passages.fusion)
        passages = cases = Ranking(())
        encoders = self._encoders
        query = None
        if text.strip():
            with clock.step("passages"):
                query = search.text_query(encoders.passages, text, expand=by_text.expand)
                reading = self._reranking(partial(passage_texts, self._registry), options)
                passages = search.passages(view, encoders, text, replace(by_text, reranking=reading), query)
        if picture is not None:
            with clock.step("encode_pictures"):
                pictures = search.encode_pictures(encoders, [picture.rgb])
            with clock.step("cases"):
                cases = search.neighbours(view, encoders, pictures, text, None, self._by_picture(options))
        else:
            with clock.step("cases"):
                reading = self._reranking(partial(captions, self._registry), options)
                asked = replace(by_text, cosine_floor=-1.0, reranking=reading)
                same = query if encoders.captions is encoders.passages else None  # most of a search is encoding
                cases = search.captions(view, encoders, text, asked, same)
        ledger = self._hydrated(passages, cases, options.filters)
        found = SearchResult(
            passages=tuple(item for item in ledger if item.kind is EvidenceKind.PASSAGE),
            cases=tuple(item for item in ledger if item.kind is EvidenceKind.CASE),
            cases_by="picture" if picture is not None else "text",
            warnings=_told(*searched.warnings, *passages.warnings, *cases.warnings),
            timings_ms=clock.timings_ms(),
            explanations={
                name: ranking.explanation
                for name, ranking in (("passages", passages), ("cases", cases))
                if ranking.explanation is not None
            },
        )
        return found, len(ledger) == len(passages.hits) + len(cases.hits)

    def _check(self, text: str, picture: Picture | None, options: SearchOptions) -> None:
        if not text.strip() and picture is None:
            raise ConsultationRefused("nothing to search for; give words, a picture, or both")
        if not 1 <= options.k <= 50:
            raise ConsultationRefused("k is how many results of each kind come back: 1 to 50")
        if options.rerank and self._reranker is None:
            raise ConsultationRefused(NO_RERANKER)
        if options.strategy == "A" and not self._encoders.one_space:
            raise ConsultationRefused(TWO_SPACES)
        of_pictures = {
            "alpha": options.alpha is not None,
            "strategy": options.strategy is not None,
            "hard_negatives": options.hard_negatives,
        }
        if picture is None and any(of_pictures.values()):
            asked = ", ".join(name for name, given in of_pictures.items() if given)
            raise ConsultationRefused(f"{asked}: of searches by picture, and there is none")
        if options.against is not None and not options.hard_negatives:
            raise ConsultationRefused("against says what hard negatives must not be; ask for hard_negatives too")

    def _by_picture(self, options: SearchOptions) -> CaseOptions:
        return replace(
            self._cases,
            k=options.k,
            alpha=self._cases.alpha if options.alpha is None else options.alpha,
            strategy=options.strategy or self._cases.strategy,
            hard_negatives=options.hard_negatives,
            against=options.against,
        )

    def _reranking(
        self, texts: Callable[[Sequence[str]], Mapping[str, str]], options: SearchOptions
    ) -> Reranking | None:
        return Reranking(self._reranker, texts) if options.rerank and self._reranker else None

    def _hydrated(self, passages: Ranking, cases: Ranking, filters: Filters) -> tuple[Evidence, ...]:
        return ledger_of(
            [Found(hit, ("search",)) for hit in cases.hits],
            self._registry.cases([hit.id for hit in cases.hits]),
            [Found(hit, ("search",)) for hit in passages.hits],
            self._registry.passages([hit.id for hit in passages.hits], filters.standings),
        )


def _told(*warnings: str) -> tuple[str, ...]:
    """Each once. That a curator's search is unguarded is its nature, and no warning."""
    return tuple(one for one in dict.fromkeys(warnings) if one != search.UNGUARDED)
