"""Stage 3 within a consultation: which evidence it reads, what it wrote, and what the evidence says of each sentence."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from inference import narratives
from inference.attribution import attributed, statements_of
from inference.citations import CitationVerifier
from inference.grounded import read_report
from inference.labelsets import LabelSet, load_label_set
from inference.narratives import NarrativeQuestion, PreparedNarrative
from inference.prompts import ImagePart
from inference.served import ServedModel
from inference.types import Candidate, Evidence, EvidenceKind, Narrative, ReportMode, StageRecord
from knowledge.licences import may_show

KNOWN_DISEASES = "hikari-10"  # names are looked for in these and in every other disease we know


@dataclass(slots=True)
class Narrator:
    """Asks one model once. `pieces` first; then `record` and `narrative` say what came of it."""

    model: ServedModel
    mode: ReportMode
    first: Candidate
    evidence: tuple[Evidence, ...]
    _prepared: PreparedNarrative | None = None
    _pieces: list[str] = field(default_factory=list)

    async def pieces(self, pictures: Sequence[ImagePart], note: str, seed: int) -> AsyncGenerator[str, None]:
        """The text as it is written; pictures are already prepared for the model. Raises EngineError."""
        question = NarrativeQuestion(
            self.mode, self.guide if self.mode is not ReportMode.PLAIN else None, note, _in_turn(self.evidence), seed
        )
        self._prepared = await narratives.prepare(self.model, pictures, question)
        async with aclosing(narratives.written(self.model, self._prepared)) as pieces:
            async for piece in pieces:
                self._pieces.append(piece)
                yield piece

    @property
    def guide(self) -> str:
        """The diagnosis the model is told, in the words it was trained on where it knows it."""
        known = self.model.profile.labels and self.model.profile.labels.known_as(self.first.label)
        return known.answer if known else self.first.label

    @property
    def record(self) -> StageRecord:
        """What was asked. Raises ValueError before anything was."""
        if self._prepared is None:
            raise ValueError("nothing was asked yet")
        return narratives.record_of(self.model, self._prepared, self.mode)

    def narrative(self, verifier: CitationVerifier, idf: Callable[[str], float]) -> Narrative:
        """The whole text with a verdict on each sentence. Reads stored texts: call it in a thread.

        Raises MalformedAnswer when a grounded report is not the object that was asked for.
        """
        text = "".join(self._pieces).strip()
        if self.mode is ReportMode.GROUNDED:
            statements = read_report(text, [item for item in self.evidence if item.key in self.record.references])
            text = " ".join(one.text for one in statements)
        else:
            statements = attributed(statements_of(text, self.first.label), self.evidence, idf)
        names = narratives.asserted_diseases(text, self._label_set)
        return Narrative(
            model=self.model.profile.name,
            mode=self.mode,
            text=text,
            statements=verifier.verify(statements, self.evidence),
            guided_by=None if self.mode is ReportMode.PLAIN else self.guide,
            names=names,
            conflict=narratives.conflict_of(names, self.first.label),
        )

    @property
    def _label_set(self) -> LabelSet:
        return self.model.profile.labels or load_label_set(KNOWN_DISEASES)


def _in_turn(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Cases and passages by turns, best first, so that what does not fit is the last of either kind.

    A case that may not be shown is not shown to a model server either.
    """
    cases = [item for item in evidence if item.kind is EvidenceKind.CASE and may_show(item.licence)]
    passages = [item for item in evidence if item.kind is EvidenceKind.PASSAGE]
    return tuple(item for item in chain.from_iterable(zip_longest(passages, cases)) if item is not None)
