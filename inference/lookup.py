"""Search without a consultation: what would be found, with every leg's score, for curators and researchers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inference.clock import StepClock
from inference.errors import ConsultationRefused
from inference.evidence import Found, ledger_of
from inference.types import Evidence, EvidenceKind
from knowledge.pictures import Picture
from knowledge.registry import Registry
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.filters import Filters, narrowed
from retrieval.hybrid import HybridOptions
from retrieval.types import Explanation, Ranking
from retrieval.view import IndexReader


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


class Lookup:
    """Answers plain searches from the same legs as the pipeline."""

    def __init__(
        self, reader: IndexReader, encoders: search.Encoders, registry: Registry, cases: CaseOptions,
        passages: HybridOptions,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._encoders = encoders
        self._registry = registry
        self._cases = cases
        self._passages = passages

    def search(
        self, text: str, picture: Picture | None = None, k: int = 5, filters: Filters = Filters()
    ) -> SearchResult:
        """`k` of each kind, 1..50. The leak guard is off here: a curator looks for the very picture.

        Raises ConsultationRefused when there is nothing to search for.
        """
        if not text.strip() and picture is None:
            raise ConsultationRefused("nothing to search for; give words, a picture, or both")
        if not 1 <= k <= 50:
            raise ConsultationRefused("k is how many results of each kind come back: 1 to 50")
        clock = StepClock()
        searched = narrowed(self._reader.view(), filters)
        view = searched.view
        options = replace(self._passages, k=k)
        passages = cases = Ranking(())
        if text.strip():
            with clock.step("passages"):
                passages = search.passages(view, self._encoders, text, options)
        if picture is not None:
            with clock.step("encode_pictures"):
                pictures = search.encode_pictures(self._encoders, [picture.rgb])
            with clock.step("cases"):
                asked = replace(self._cases, k=k)
                cases = search.neighbours(view, self._encoders, pictures, text, None, asked)
        else:
            with clock.step("cases"):
                cases = search.captions(view, self._encoders, text, replace(options, cosine_floor=-1.0))
        ledger = self._hydrated(passages, cases)
        return SearchResult(
            passages=tuple(item for item in ledger if item.kind is EvidenceKind.PASSAGE),
            cases=tuple(item for item in ledger if item.kind is EvidenceKind.CASE),
            cases_by="picture" if picture is not None else "text",
            warnings=(*searched.warnings, *passages.warnings),
            timings_ms=clock.timings_ms(),
            explanations={
                name: ranking.explanation
                for name, ranking in (("passages", passages), ("cases", cases))
                if ranking.explanation is not None
            },
        )

    def _hydrated(self, passages: Ranking, cases: Ranking) -> tuple[Evidence, ...]:
        return ledger_of(
            [Found(hit, ("search",)) for hit in cases.hits],
            self._registry.cases([hit.id for hit in cases.hits]),
            [Found(hit, ("search",)) for hit in passages.hits],
            self._registry.passages([hit.id for hit in passages.hits]),
        )
