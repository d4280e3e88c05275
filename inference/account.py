"""What an answer says of its own making: what a reader must be told, what was asked of models, what they were shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inference.abstention import Reason
from inference.engines.errors import EngineError, EngineOverloaded
from inference.exemplars import Calibration
from inference.served import ServedModel
from inference.types import EngineFailure, Evidence, StageRecord

UNCALIBRATED = "probabilities are not calibrated; run: dermacite reindex"


@dataclass(slots=True)
class Account:
    """Filled on the way of one consultation; warnings in the order in which they arose."""

    warnings: list[str]
    records: list[StageRecord] = field(default_factory=list)
    uses: dict[str, list[str]] = field(default_factory=dict)  # stages in whose prompts the evidence of a key stood

    def heard(self, model: ServedModel, record: StageRecord) -> None:
        """A model was asked."""
        self.records.append(record)
        self.warnings += [f"{model.profile.name}: {warning}" for warning in model.profile.warnings]
        for key in record.references:
            self.uses.setdefault(key, []).append(record.stage)

    def way_around(self, error: EngineError, what: str, asked: EngineFailure | None) -> Reason | None:
        """What the caller asked for when an engine fails: a reason to abstain, or None and the embedded way goes on.

        Raises the error when nothing was asked for, and when the engine is only busy: the caller can come again.
        """
        if isinstance(error, EngineOverloaded) or asked is None:
            raise error
        if asked is EngineFailure.ABSTAIN:
            return Reason(error.reason, f"{what.capitalize()} failed: {error.args[0]}.", error.help)
        self.warnings.append(f"{what} failed ({error.reason}): the embedded way answers instead, as was asked for")
        return None

    def told(self, calibration: Calibration) -> tuple[str, ...]:
        """Every warning once."""
        uncalibrated = () if calibration.queries else (UNCALIBRATED,)
        return tuple(dict.fromkeys((*self.warnings, *uncalibrated)))

    def used(self, ledger: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The ledger with what each piece was used in."""
        return tuple(replace(item, used_in=tuple(self.uses.get(item.key, ()))) for item in ledger)
