"""What retrieval gives a consultation: neighbours and their vote, passages, and the ledger both are cited from.

Everything here blocks; the pipeline calls it in threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from inference.clock import StepClock
from inference.evidence import Found, ledger_of
from inference.exemplars import Calibration
from inference.interventions import NOTHING, Intervention
from inference.retrieved import CaseSearch, Neighbours, Passages, probe_of
from inference.stored_texts import passage_texts
from inference.types import Candidate, Consultation, DiagnosisOptions, Evidence
from knowledge.licences import may_show
from knowledge.registry import Registry
from knowledge.types import ADVICE
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.expansion import morphology_words
from retrieval.filters import OF_CASES, Filters, Narrowed, narrowed, of_roles
from retrieval.hybrid import HybridOptions
from retrieval.protocols import Reranker
from retrieval.reranking import Reranking
from retrieval.subqueries import VOTES, SubQuery, fuse_parts, rows_of, without_repeats
from retrieval.types import Hit
from retrieval.view import IndexReader, View

ASKED = 3  # candidates for which passages are sought and quotes given
WORTH_ASKING = 0.05  # probability below which a label is not a candidate worth a reader's time
MORPHOLOGY_FROM = 5  # neighbours whose captions say which findings to ask for
# Weights of sub-queries against the note's 1 (docs/design/0009). A guideline is opened to read about a diagnosis, so a
# candidate speaks loudest, by its probability; what was seen in others, and a mere place, speak softly.
OF_CANDIDATES, ASIDE = 3.0, 0.5
CALIBRATED_ON_ALL = "probabilities are calibrated on all reference cases, not on those that pass the filters"


@dataclass(frozen=True, slots=True)
class GatheringSettings:
    """What is sought. `shown_cases` stand in the ledger, `passages_per_query` are sought for each question."""

    shown_cases: int = 5
    passages_per_query: int = 4
    cases: CaseOptions = field(default_factory=CaseOptions)
    passages: HybridOptions = field(default_factory=lambda: HybridOptions(cosine_floor=0.2))


class Gatherer:
    """Searches one knowledge base for consultations."""

    def __init__(
        self, reader: IndexReader, encoders: search.Encoders, registry: Registry, settings: GatheringSettings,
        reranker: Reranker | None = None,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._encoders = encoders
        self._registry = registry
        self.settings = settings
        self._reranking = Reranking(reranker, partial(passage_texts, registry)) if reranker else None
        self._calibration: tuple[Path | None, Calibration] | None = None

    @property
    def reranks(self) -> bool:
        """Whether there is a reranker to ask for."""
        return self._reranking is not None

    @property
    def one_space(self) -> bool:
        """Whether strategy A can be asked for."""
        return self._encoders.one_space

    def view(self, filters: Filters = Filters()) -> tuple[Narrowed, Calibration]:
        """What is searched now, and how its votes are calibrated."""
        view = self._reader.view()
        if self._calibration is None or self._calibration[0] != view.generation:
            self._calibration = (view.generation, Calibration.load(view.generation))
        searched = narrowed(of_roles(view, ADVICE), filters)
        if filters.on(OF_CASES):
            searched = replace(searched, warnings=(*searched.warnings, CALIBRATED_ON_ALL))
        return searched, self._calibration[1]

    def neighbours(
        self, view: View, consultation: Consultation, options: DiagnosisOptions, calibration: Calibration,
        clock: StepClock, intervention: Intervention = NOTHING,
    ) -> Neighbours:  # fmt: skip
        """Reference cases like the pictures, and how they vote; nothing when cases are switched off or there are none."""
        if not options.cases or not view.cases.ids:
            return Neighbours()
        with clock.step("encode_pictures"):
            pictures = search.encode_pictures(self._encoders, [picture.rgb for picture in consultation.pictures])
        with clock.step("neighbours"):
            alpha = self.settings.cases.alpha if options.alpha is None else options.alpha
            asked = replace(
                self.settings.cases,
                alpha=alpha,
                k=max(self.settings.cases.k, calibration.k),
                strategy=options.strategy or self.settings.cases.strategy,
            )
            probe = probe_of(consultation) if options.leak_guard else None
            cases = CaseSearch(view, self._encoders, self._registry, consultation, pictures, probe, asked)
            found = intervention.neighbours(cases.found(), cases)
        return found.voted(view.cases.labels, calibration)

    def words(self, consultation: Consultation, found: Neighbours) -> str:
        """What was asked, in one text: note, body site, and what the nearest captions agree on."""
        site = consultation.body_site or ""
        return " ".join(filter(None, (consultation.note.strip(), site, *_findings(found))))

    def sub_queries(
        self, consultation: Consultation, found: Neighbours, candidates: Sequence[Candidate]
    ) -> list[SubQuery]:
        """What to look for in guidelines, part by part. Only captions of neighbours that the leak guard let through are read.

        A body site says where and never what: it orders what the others find.
        """
        queries = [
            SubQuery("note", consultation.note.strip()),
            SubQuery("body site", (consultation.body_site or "").strip(), ASIDE, proposes=False),
            SubQuery("findings of similar cases", ", ".join(_findings(found)), ASIDE),
            *(SubQuery(f"candidate {one.label}", one.label, _weight(one)) for one in leading(candidates)),
        ]
        return [query for query in queries if query.text]

    def passages(
        self, view: View, queries: Sequence[SubQuery], asked: DiagnosisOptions = DiagnosisOptions(),
        intervention: Intervention = NOTHING,
    ) -> Passages:  # fmt: skip
        """The best passages of each part, in one order."""
        return intervention.passages(self._passages(view, queries, asked), view)

    def _passages(self, view: View, queries: Sequence[SubQuery], asked: DiagnosisOptions) -> Passages:
        if not view.passages.ids:
            return Passages(warnings=("there are no guideline passages; add some: dermacite ingest documents FILE...",))
        if not view.passages.alive.any() or not queries:
            return Passages()
        best = self.settings.passages_per_query
        options = replace(
            self.settings.passages,
            k=max(best, VOTES),
            fusion=asked.fusion or self.settings.passages.fusion,
            reranking=self._reranking if asked.rerank else None,
        )
        rankings = search.passages_for(view, self._encoders, [query.text for query in queries], options)
        fused = fuse_parts(queries, [ranking.hits for ranking in rankings], best)
        distinct = without_repeats(fused, view.passages.vectors.take(rows_of(fused)), options.near_duplicate)
        parts = list(zip(queries, rankings, strict=True))
        return Passages(
            tuple(Found(one.hit, one.parts) for one in distinct),
            tuple(f"{query.part}: {warning}" for query, ranking in parts for warning in ranking.warnings),
            {query.part: ranking.explanation for query, ranking in parts if ranking.explanation is not None},
        )

    def shown(self, found: Neighbours, options: DiagnosisOptions, references: int) -> list[Hit]:
        """The hits the ledger begins with: the nearest, at least those a model is shown, and the best of each likely
        label even when others crowd it out, because the reader needs the contrast."""
        wanted = self.wanted(options)
        chosen = found.hits[: max(wanted, references)]
        return chosen + self.contrast(found, found.vote, chosen) if wanted else chosen

    def wanted(self, options: DiagnosisOptions) -> int:
        """How many cases a reader is to see; with 0 the ledger holds those a model is shown and no others."""
        return self.settings.shown_cases if options.k is None else options.k

    def contrast(
        self, found: Neighbours, candidates: Sequence[Candidate], shown: Sequence[Hit],
        named: Callable[[str], str] = str,
    ) -> list[Hit]:  # fmt: skip
        """The nearest case of each likely label that `shown` lacks; `named` gives a case's label its name there."""
        have = {hit.id for hit in shown}
        best = (
            next((hit for hit in found.hits if named(found.cases[hit.id].label) == one.label), None)
            for one in leading(candidates)
        )
        return [hit for hit in best if hit is not None and hit.id not in have]

    def ledger(
        self, found: Neighbours, shown: Sequence[Hit], passages: Sequence[Found] = (), filters: Filters = Filters()
    ) -> tuple[Evidence, ...]:
        """Cases in the order shown, then passages. More at the end never renumbers what is there."""
        texts = self._registry.passages([item.hit.id for item in passages], filters.standings)
        return ledger_of([Found(hit, ("similar case",)) for hit in shown], found.cases, passages, texts)


def leading(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates worth a reader's time. One without a probability is the only answer there is."""
    return [one for one in candidates[:ASKED] if one.probability is None or one.probability >= WORTH_ASKING]


def _weight(candidate: Candidate) -> float:
    return OF_CANDIDATES * (1.0 if candidate.probability is None else candidate.probability)


def _findings(found: Neighbours) -> tuple[str, ...]:
    """Only of captions that may be shown: which words were sought stands in the answer."""
    cases = [found.cases[hit.id] for hit in found.hits[:MORPHOLOGY_FROM]]
    return morphology_words([case.caption for case in cases if may_show(case.licence)])
