"""What can go wrong while answering. Declining is a result (`Abstention`), never one of these."""


class InferenceError(Exception):
    """Root of this layer's errors."""

    reason = "inference_error"


class ConsultationRefused(InferenceError):
    """The request itself cannot be answered: no picture, too many, an option out of range."""

    reason = "consultation_refused"


class CalibrationBroken(InferenceError):
    """The calibration beside an index cannot be read."""

    reason = "calibration_broken"


class LabelSetBroken(InferenceError):
    """A label set is missing or contradicts itself."""

    reason = "label_set_broken"


class ProfileBroken(InferenceError):
    """A model profile is missing or contradicts itself."""

    reason = "profile_broken"


class PromptRefused(InferenceError):
    """A prompt cannot be built from what was given."""

    reason = "prompt_refused"
