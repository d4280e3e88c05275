"""The served models as data: one TOML file a model, checked when it is read."""

from inference.profiles.loading import load_profile, profiles, read_profile
from inference.profiles.types import (
    AnswerForm,
    Checkpoint,
    Decoding,
    Engine,
    EngineFlags,
    Figure,
    Layout,
    ModelProfile,
    Preprocessing,
    Stage,
    Status,
    Thinking,
)

__all__ = [
    "AnswerForm", "Checkpoint", "Decoding", "Engine", "EngineFlags", "Figure", "Layout", "ModelProfile", "Preprocessing",
    "Stage", "Status", "Thinking", "load_profile", "profiles", "read_profile",
]  # fmt: skip
