"""From settings to served models: each role's profile, the engine that reaches it, its calibration."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inference.admission import ServedModels, can_report
from inference.engines import Dialect, Engine
from inference.engines.replicated import ReplicatedEngine
from inference.label_probabilities import LabelCalibration
from inference.profiles import ModelProfile, Stage, load_profile
from inference.served import ServedModel
from runtime.errors import SettingsRefused
from runtime.model_choice import ModelChoice
from runtime.settings import Settings

if TYPE_CHECKING:
    from inference.engines.openai_engine import OpenAIEngine

# What stands in a setting where no served model is meant.
EMBEDDED = {"grouper": "none", "classifier": "exemplar", "reporter": "extractive"}
_ABLE: dict[str, tuple[Callable[[ModelProfile], bool], str]] = {
    "grouper": (lambda profile: profile.stage is Stage.GROUP, "answers with groups (stage 1)"),
    "classifier": (lambda profile: profile.stage is Stage.DISEASE, "answers with diseases (stage 2)"),
    "reporter": (can_report, "writes about pictures (stage 3, or an instruct model)"),
}


def served_models(settings: Settings, calibrations: Path) -> ServedModels:
    """The models the settings name; loads those that run in this process, sends nothing to those that do not.

    `calibrations` is the folder of their calibration files. Raises SettingsRefused, ProfileBroken for an unknown name,
    CalibrationBroken, and EngineMisconfigured when weights cannot be loaded.
    """
    chosen = {role: name for role in EMBEDDED if (name := getattr(settings, role)) != EMBEDDED[role]}
    for role, name in chosen.items():
        _check_role(role, load_profile(name))
    # One model may have two roles, and is then reached once.
    engines: dict[str, ServedModel] = {}
    for role, name in chosen.items():
        if name not in engines:
            engines[name] = _served(role, name, settings.models.get(name), calibrations)
    return ServedModels(*(engines.get(chosen.get(role, "")) for role in EMBEDDED))


def _check_role(role: str, profile: ModelProfile) -> None:
    able, means = _ABLE[role]
    if not able(profile):
        raise SettingsRefused(
            f"{role} = {profile.name!r}: this model does not do that; choose one that {means}: dermacite models list"
        )


def _served(role: str, name: str, choice: ModelChoice | None, calibrations: Path) -> ServedModel:
    profile = load_profile(name)
    if choice is None:
        raise SettingsRefused(
            f"{name} is configured as {role} and nothing says where it is served. In settings.toml: "
            f'[models.{name}] url = "http://127.0.0.1:8001/v1". Start it: dermacite models command {name}'
        )
    served_as = choice.model or name
    engine = _remote(choice, served_as) if choice.addresses else _local(choice, served_as)
    calibration = LabelCalibration.load(calibrations / f"{name}.json")
    return ServedModel(profile, engine, served_as, choice.engine, calibration)


def _remote(choice: ModelChoice, model: str) -> Engine:
    if len(choice.addresses) == 1:
        return _client(choice, choice.addresses[0], model, attempts=3)
    # Where another replica can be asked at once, asking the same one again would only take time.
    engines = {named_by(url): _client(choice, url, model, attempts=1) for url in choice.addresses}
    slack = max(1, choice.concurrent // 2)  # as many as one server works on beside the others without making them wait
    return ReplicatedEngine(engines, model, total_timeout=choice.total_seconds, slack=slack)


def named_by(url: str) -> str:
    """What logs and metrics call the server of a URL: host and port, the path where it has one, no user or password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path.removesuffix("/v1")


def _client(choice: ModelChoice, url: str, model: str, *, attempts: int) -> "OpenAIEngine":
    # The client's package takes a second to import, which a command without a model does not owe.
    from inference.engines.openai_engine import EngineLimits, EngineTimeouts, OpenAIEngine

    return OpenAIEngine(
        url,
        model,
        api_key=choice.api_key.get_secret_value() if choice.api_key else None,
        dialect=Dialect(choice.engine),
        timeouts=EngineTimeouts(choice.connect_seconds, choice.read_seconds, choice.total_seconds),
        limits=EngineLimits(choice.concurrent, choice.waiting, attempts),
    )


def _local(choice: ModelChoice, model: str) -> Engine:
    # Imports torch and transformers: seconds that a service with remote models does not owe.
    from inference.engines.transformers_engine import TransformersEngine

    if choice.folder is None:
        raise SettingsRefused("engine transformers needs the folder of the weights")
    return TransformersEngine(
        choice.folder, model, adapter=choice.adapter, device=choice.device, total_timeout=choice.total_seconds,
        waiting=choice.waiting,
    )  # fmt: skip
