"""A plan: which cases are asked, of which knowledge base, under which arms. One TOML file, read once, then frozen.

    name = "alpha"
    baseline = "hybrid"                       # the arm the others are compared with; the first one where it is left out

    [knowledge]
    home = "~/dermacite"                      # or cases = ["FOLDER"] and documents = ["FOLDER"] for a fresh home of the run

    [dataset]
    leave_one_out = true                      # or folder = "FOLDER" with cases that the knowledge base does not hold

    [[arms]]
    name = "hybrid"

Every key of an arm but `name`, `control`, `note`, `seeds`, `settings` and `frozen` is an option of `DiagnosisOptions`.
Paths are relative to the plan. `${NAME}` in any text stands for what `--set NAME=VALUE` says.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from evaluation.errors import PlanRefused
from inference.admission import MAX_SEED
from inference.profiles import Layout
from inference.types import DiagnosisOptions, EngineFailure, GroupUse, ReportMode
from retrieval.hybrid import Fusion

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_STRICT: Final = ConfigDict(extra="forbid")
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\s/][^\n\r\t/]*$")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Share = Annotated[float, Field(ge=0, le=1)]


class Control(StrEnum):
    """What is done to the evidence, or to the picture, to learn what an answer rests on."""

    NONE = "none"
    ORACLE = "oracle"  # only cases that have the true label: what retrieval could give at best
    RANDOM = "random"  # any cases: what a neighbour is worth over none in particular
    SHUFFLED = "shuffled"  # the labels of the cases exchanged: who still answers as they say has copied
    REVERSED = "reversed"  # the order of the cases turned round
    NOISE = "noise"  # the picture replaced by noise: what is answered without looking


class Note(StrEnum):
    """What is sent beside the picture."""

    NONE = "none"
    GIVEN = "given"  # the column `note` of the data set
    CAPTION = "caption"  # the case's caption without the diagnosis that it states


@dataclass(frozen=True, slots=True)
class FrozenFrom:
    """An arm of another run whose evidence is used again: the folder of the run and the name of the arm."""

    run: Path
    arm: Name
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering. What is None, or not named, is as the service serves it: see inference.types."""

    name: Name
    control: Control = Control.NONE
    note: Note = Note.NONE
    seeds: tuple[Seed, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    frozen: FrozenFrom | None = None
    k: Annotated[int, Field(ge=0, le=20)] | None = None
    alpha: Share | None = None
    strategy: Literal["A", "B"] | None = None
    fusion: Fusion | None = None
    rerank: bool = False
    cases: bool = True
    passages: bool = True
    references: Annotated[int, Field(ge=0, le=20)] | None = None
    layout: Layout | None = None
    prompt: str | None = None
    captions: Literal["shown", "masked"] = "shown"
    group: GroupUse = GroupUse.IGNORED
    constrain: bool | None = None
    report: ReportMode | None = None
    on_engine_failure: EngineFailure | None = None
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def options(self, seed: int = 0) -> DiagnosisOptions:
        """As a consultation is asked."""
        given = {one.name for one in fields(DiagnosisOptions)} & {one.name for one in fields(self)}
        return DiagnosisOptions(**{name: getattr(self, name) for name in sorted(given)}, seed=seed)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The knowledge base: a home that is there, or folders from which the run makes its own."""

    home: Path | None = None
    cases: tuple[Path, ...] = ()
    documents: tuple[Path, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """Which cases are asked. `name` chooses a data set of the home, or names the folder's; `split` chooses rows of it.

    `hold_out` asks a share of the folder, drawn by `seed` without tearing lesions and subjects apart; the rest becomes
    the knowledge base of the run.
    """

    folder: Path | None = None
    leave_one_out: bool = False
    name: Name | None = None
    split: str | None = None
    hold_out: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Seed = 0
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run does. `limit`: at most so many cases, of every label as evenly as it goes. `parallel`: consultations
    at once; by default the workers of the service, or four where a model is served."""

    name: Name
    knowledge: Knowledge
    dataset: DatasetPlan
    arms: tuple[Arm, ...]
    description: str = ""
    baseline: str | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    limit: Annotated[int, Field(ge=1)] | None = None
    parallel: Annotated[int, Field(ge=1, le=64)] | None = None
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def arm(self, name: str) -> Arm:
        """The arm of that name. Raises KeyError."""
        return {one.name: one for one in self.arms}[name]

    def seeds_of(self, arm: Arm) -> tuple[int, ...]:
        """The arm's own seeds, else the plan's."""
        return self.seeds if arm.seeds is None else arm.seeds

    @property
    def compared_with(self) -> str:
        """The name of the arm that the others are compared with."""
        return self.arms[0].name if self.baseline is None else self.baseline


def read_plan(file: Path, variables: Mapping[str, str] | None = None) -> Plan:
    """The plan in a file. Raises PlanRefused naming each wrong key and what is permitted."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanRefused(f"the plan {file.name} cannot be read: {error}") from error
    return plan_of(_filled(raw, variables or {}), file.parent)


def plan_of(raw: Mapping[str, Any], folder: Path) -> Plan:
    """A plan from what TOML gives; paths become those seen from `folder`. Raises PlanRefused."""
    values = dict(raw)
    defaults = values.pop("defaults", {})
    if isinstance(arms := values.get("arms"), list):
        values["arms"] = [_over(defaults, arm) for arm in arms]
    try:
        plan = TypeAdapter(Plan).validate_python(values)
    except ValidationError as error:
        raise PlanRefused(f"the plan is wrong: {'; '.join(_told(error))}") from error
    _check(plan)
    return _placed(plan, folder)


def _over(defaults: Any, arm: Any) -> Any:
    """An arm over the table `defaults`; their settings are put together, the arm's own are stronger."""
    if not (isinstance(defaults, dict) and isinstance(arm, dict)):
        return arm
    both = [one.get("settings", {}) for one in (defaults, arm)]
    merged = {**both[0], **both[1]} if all(isinstance(one, dict) for one in both) else both[1]
    return {**defaults, **arm, **({"settings": merged} if merged else {})}


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, variables) for one in value]
    if not isinstance(value, str):
        return value
    missing = [name for name in _VARIABLE.findall(value) if name not in variables]
    if missing:
        raise PlanRefused(f"the plan leaves {missing[0]} open; say what it is: --set {missing[0]}=VALUE")
    return _VARIABLE.sub(lambda match: variables[match[1]], value)


def _told(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        place = [part for part in one["loc"] if part != "literal"]
        where = ".".join(map(str, place)) or "plan"
        if one["type"] == "unexpected_keyword_argument":
            yield f"{where}: there is no such key; there are: {', '.join(_keys_at(place))}"
        elif one["type"] == "missing":
            yield f"{where}: is missing"
        else:
            yield f"{where}: {one['msg']}"


def _keys_at(place: Sequence[str | int]) -> Iterator[str]:
    kinds: dict[str, type[Any]] = {"knowledge": Knowledge, "dataset": DatasetPlan, "arms": Arm, "frozen": FrozenFrom}
    inside = [str(part) for part in place[:-1] if isinstance(part, str)]
    yield from (one.name for one in fields(kinds[inside[-1]] if inside else Plan))
    if not inside:
        yield "defaults"


def _check(plan: Plan) -> None:
    """What no single key shows."""
    if not plan.arms:
        raise PlanRefused("arms: at least one is needed: [[arms]] with a name")
    names = [arm.name for arm in plan.arms]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise PlanRefused(f"arms: two are called {repeated[0]!r}; an arm is known by its name")
    if plan.baseline is not None and plan.baseline not in names:
        raise PlanRefused(f"baseline: no arm is called {plan.baseline!r}; there are: {', '.join(names)}")
    for arm in plan.arms:
        _check_arm(arm)
    _check_sources(plan.knowledge, plan.dataset)


def _check_arm(arm: Arm) -> None:
    about_cases = {Control.ORACLE, Control.RANDOM, Control.SHUFFLED, Control.REVERSED}
    if not arm.cases and arm.control in about_cases:
        raise PlanRefused(f"arms.{arm.name}: control {arm.control} changes cases, and cases are switched off")
    if arm.frozen is not None and arm.control is not Control.NONE:
        raise PlanRefused(f"arms.{arm.name}: evidence that is frozen is used as it was; leave control out")
    by_note = arm.strategy != "A" and not {"strategy", "preset"} & arm.settings.keys()
    if arm.alpha is not None and arm.alpha < 1 and by_note and arm.note is Note.NONE:
        raise PlanRefused(
            f"arms.{arm.name}: without a note the caption has nothing to be compared with and alpha {arm.alpha:g} would "
            'change nothing; permitted: note = "caption" or "given", strategy = "A", or alpha = 1'
        )


def _check_sources(knowledge: Knowledge, dataset: DatasetPlan) -> None:
    fresh = bool(knowledge.cases or knowledge.documents) or dataset.hold_out is not None
    if (knowledge.home is not None) is fresh:
        raise PlanRefused(
            "knowledge: name either home, or what a home of the run's own is made from: cases, documents (or "
            "dataset.hold_out)"
        )
    if (dataset.folder is not None) is dataset.leave_one_out:
        raise PlanRefused("dataset: name either folder, or leave_one_out = true")
    if dataset.hold_out is not None and (dataset.folder is None or dataset.split is not None):
        raise PlanRefused("dataset.hold_out: divides a folder that is not divided yet; name folder and no split")


def _placed(plan: Plan, folder: Path) -> Plan:
    def seen(path: Path) -> Path:
        return (folder / path.expanduser()).resolve()

    def maybe(path: Path | None) -> Path | None:
        return None if path is None else seen(path)

    knowledge = Knowledge(
        maybe(plan.knowledge.home), tuple(map(seen, plan.knowledge.cases)), tuple(map(seen, plan.knowledge.documents))
    )
    arms = tuple(
        arm if arm.frozen is None else replace(arm, frozen=FrozenFrom(seen(arm.frozen.run), arm.frozen.arm))
        for arm in plan.arms
    )
    return replace(
        plan, knowledge=knowledge, dataset=replace(plan.dataset, folder=maybe(plan.dataset.folder)), arms=arms
    )
