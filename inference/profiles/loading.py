"""Profiles from files. A file that contradicts itself is refused here, not when a patient's picture is waiting."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from inference.errors import LabelSetBroken, ProfileBroken
from inference.labelsets import LabelSet, load_label_set
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
from inference.prompt_texts import prompt_names, slots_of

FOLDER = Path(__file__).parent
MUST_WARN = {Status.COLLAPSED, Status.RESEARCH}
SIMPLE_KEYS = {
    "title", "stage", "status", "prompts", "prompt", "guided_prompt", "layout", "references", "image_limit",
    "context_length", "labels", "groups", "grounded", "warnings",
}  # fmt: skip
TABLES = {"checkpoint", "answer", "preprocessing", "decoding", "thinking", "engines", "figures"}


def profiles() -> tuple[str, ...]:
    """The names of all profiles."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


@cache
def load_profile(name: str) -> ModelProfile:
    """The profile called `name`. Raises ProfileBroken: unknown name, or a file that contradicts itself."""
    if name not in profiles():
        raise ProfileBroken(f"there is no model profile {name!r}; there are: {', '.join(profiles())}")
    return read_profile(FOLDER / f"{name}.toml")


def read_profile(file: Path) -> ModelProfile:
    """A profile from a file. Raises ProfileBroken, naming the file and everything that is wrong with it."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
        unknown = sorted(data.keys() - SIMPLE_KEYS - TABLES)
        if unknown:
            raise ValueError(f"unknown keys {', '.join(unknown)}")
        profile = _profile(file.stem, data)
    except (OSError, ValueError, KeyError, TypeError, LabelSetBroken) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise ProfileBroken(f"model profile {file.name} cannot be read: {reason}") from error
    problems = (*_prompt_problems(profile), *_size_problems(profile), *_meaning_problems(profile))
    if problems:
        raise ProfileBroken(f"model profile {file.name} contradicts itself: {'; '.join(problems)}")
    return profile


def _profile(name: str, data: Mapping[str, Any]) -> ModelProfile:
    return ModelProfile(
        name=name,
        title=str(data["title"]),
        stage=Stage(data["stage"]),
        status=Status(data["status"]),
        checkpoint=_checkpoint(data["checkpoint"]),
        prompts=tuple(data["prompts"]),
        prompt=str(data["prompt"]),
        guided_prompt=data.get("guided_prompt"),
        layout=Layout(data["layout"]),
        references=int(data["references"]),
        image_limit=int(data["image_limit"]),
        context_length=int(data["context_length"]),
        labels=_label_set(data.get("labels")),
        groups=_label_set(data.get("groups")),
        answer=AnswerForm(**data.get("answer", {})),
        grounded=bool(data.get("grounded", False)),
        preprocessing=Preprocessing(**data["preprocessing"]),
        decoding=Decoding(**data["decoding"]),
        thinking=Thinking(**data.get("thinking", {})),
        engines={Engine(key): _flags(value) for key, value in data["engines"].items()},
        figures=tuple(_figure(row) for row in data.get("figures", ())),
        warnings=tuple(data.get("warnings", ())),
    )


def _checkpoint(row: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(**{"repository": None, "revision": None, **row})


def _flags(row: Mapping[str, Any]) -> EngineFlags:
    unknown = sorted(row.keys() - {"flags", "quantisations", "notes"})
    if unknown:
        raise ValueError(f"unknown keys of an engine: {', '.join(unknown)}")
    ways = {name: tuple(flags) for name, flags in row.get("quantisations", {}).items()}
    return EngineFlags(tuple(row.get("flags", ())), ways, tuple(row.get("notes", ())))


def _figure(row: Mapping[str, Any]) -> Figure:
    return Figure(**{"cases": None, **row})


def _label_set(name: str | None) -> LabelSet | None:
    return None if name is None else load_label_set(name)


def _prompt_problems(profile: ModelProfile) -> list[str]:
    used = {*profile.prompts, profile.prompt, *([profile.guided_prompt] if profile.guided_prompt else [])}
    unknown = sorted(name for name in used if name not in prompt_names())
    if unknown:
        return [f"unknown prompt {name}" for name in unknown]
    problems = [f"{name} is not among its prompts" for name in sorted(used - set(profile.prompts))]
    if slots_of(profile.prompt) and profile.status is Status.PRODUCTION:
        problems.append(f"the default prompt {profile.prompt} needs {', '.join(sorted(slots_of(profile.prompt)))}")
    if profile.guided_prompt and not slots_of(profile.guided_prompt):
        problems.append(f"the guided prompt {profile.guided_prompt} takes nothing to guide it")
    return problems


def _size_problems(profile: ModelProfile) -> list[str]:
    problems = []
    if profile.references + 1 > profile.image_limit:
        problems.append(
            f"{profile.references} references and the query are {profile.references + 1} pictures, "
            f"over its image limit of {profile.image_limit}"
        )
    if profile.context_needed() > profile.context_length:
        problems.append(f"{profile.context_needed()} tokens are needed, context_length is {profile.context_length}")
    if profile.layout is Layout.SINGLE and profile.references:
        problems.append("the single layout shows no references")
    return problems


def _meaning_problems(profile: ModelProfile) -> list[str]:
    problems = []
    if profile.stage in {Stage.GROUP, Stage.DISEASE} and profile.labels is None:
        problems.append(f"a {profile.stage} model needs a label set")
    if profile.stage is Stage.GROUP and profile.labels is not None and not profile.labels.numbered:
        problems.append(f"label set {profile.labels.name} holds diseases, not groups")
    if profile.labels is not None and profile.answer.form.count("{label}") != 1:
        problems.append("the form of its answers must hold {label} once")
    if profile.status in MUST_WARN and not profile.warnings:
        problems.append(f"a {profile.status} model must warn in every answer")
    return problems
