"""What every consultation of a service shares, and what of it stands in every answer."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

from inference.abstention import Thresholds
from inference.admission import ServedModels
from inference.citations import CitationVerifier
from inference.exemplars import Calibration
from inference.gathering import Gatherer
from inference.interventions import NOTHING, Intervention
from inference.observing import NOBODY, Observer
from inference.reference_shelf import ReferenceShelf
from inference.types import DiagnosisOptions
from retrieval.view import View

T = TypeVar("T")


class Blocking(Protocol):
    """Runs work that blocks where it holds nobody up."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """The result of `work`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What every consultation of a service shares."""

    gatherer: Gatherer
    verifier: CitationVerifier
    shelf: ReferenceShelf
    models: ServedModels
    thresholds: Thresholds
    configuration: Mapping[str, Any]
    blocking: Blocking
    intervention: Intervention = NOTHING
    observer: Observer = NOBODY

    def effective(
        self, view: View, calibration: Calibration, options: DiagnosisOptions, decider: str | None
    ) -> dict[str, Any]:
        """Every setting in force. `decider` is the profile that decided, None for the neighbours' vote."""
        vote = asdict(calibration)
        return {
            **self.configuration,
            "index": {
                "generation": view.generation.name if view.generation else None,
                "corpus_generation": view.corpus_generation,
                "delta": view.delta_size,
                "masked": view.masked,
            },
            "classifier": {"name": decider, "vote": vote} if decider else {"name": "exemplar vote", **vote},
            "pipeline": {**asdict(self.gatherer.settings), "thresholds": asdict(self.thresholds)},
            "options": asdict(options),
            "intervention": self.intervention.name or None,
        }
