"""A run folder as it is reported on: nothing else is read, no model, no home, no data set.

    cases.jsonl   what was answered: one record a line (evaluation.records), in any order
    plan.toml     the arms in their order, `baseline`, and each arm's options; a run without one has arms by name
    run.json      how it was made; every field is shown, none is required
    dataset.jsonl what is known of each case (licence, lesion, subject): one object a line with its `id`; may be missing
    leaks.json    what the leak guard says; a run without one says so
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from evaluation.errors import ReportRefused
from evaluation.records import CaseRecord, line_of, read_records

RECORDS: Final = "cases.jsonl"
PLAN: Final = "plan.toml"
DESCRIPTION: Final = "run.json"
FACTS: Final = "dataset.jsonl"
LEAKS: Final = "leaks.json"


@dataclass(frozen=True, slots=True)
class Run:
    """`records` by arm in the plan's order, each by case and seed; an arm without any is there too.

    `options` are what the plan says of each arm, `facts` what the data set says of each case. `reference` is the arm that
    others are compared with; None in an empty run.
    """

    name: str
    records: Mapping[str, tuple[CaseRecord, ...]]
    reference: str | None
    about: str = ""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    description: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    leaks: Any = None

    @property
    def others(self) -> tuple[str, ...]:
        """The arms that are compared with the reference, in order."""
        return tuple(arm for arm in self.records if arm != self.reference)

    @property
    def cases(self) -> int:
        """How many cases were asked, by any arm."""
        return len({one.case for records in self.records.values() for one in records})

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed that was used, ascending."""
        return tuple(sorted({one.seed for records in self.records.values() for one in records}))

    @property
    def clusters(self) -> dict[str, str]:
        """The person of each case, else its lesion: such cases are drawn together. A case without either stands alone."""
        found = {}
        for case, facts in self.facts.items():
            kin = next((name for name in ("subject", "lesion") if facts.get(name)), None)
            if kin is not None:
                found[case] = f"{facts.get('dataset')}/{kin}/{facts[kin]}"
        return found


def read_run(folder: Path) -> Run:
    """Raises ReportRefused naming the file, and the line where there is one."""
    plan = _toml(folder / PLAN)
    description = _mapping(_json(folder / DESCRIPTION))
    options = _arms(plan.get("arms"), _mapping(plan.get("defaults"))) or _arms(description.get("arms"), {})
    records = _records(folder / RECORDS)
    present = {record.arm for record in records}
    order = [*options, *sorted(present - options.keys())]
    by_arm = {arm: tuple(one for one in records if one.arm == arm) for arm in order}
    named = plan.get("baseline", description.get("baseline"))
    reference = named if named in by_arm else next(iter(by_arm), None)
    return Run(
        name=_text(plan.get("name")) or _text(description.get("name")) or folder.resolve().name,
        records=by_arm,
        reference=reference,
        about=_text(plan.get("description")) or _text(description.get("description")),
        options=options,
        description=description,
        facts=_facts(folder / FACTS),
        leaks=_json(folder / LEAKS),
    )


def _records(file: Path) -> list[CaseRecord]:
    """By arm, case and seed; a line that is there twice counts once."""
    read: list[CaseRecord] = []
    try:
        read.extend(read_records(file))
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}; name the folder of a run, which holds {RECORDS}"
        raise ReportRefused(message) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"{file} holds something that is no record of a case, after {len(read)} that are"
        raise ReportRefused(f"{message}; take it out or run the plan anew") from error
    return [_only(group) for _, group in groupby(sorted(read, key=_place), key=lambda one: one.key)]


def _place(record: CaseRecord) -> tuple[str, str, int, str]:
    return *record.key, line_of(record)


def _only(same: Iterable[CaseRecord]) -> CaseRecord:
    """The one record of a case, arm and seed. Two that say different things are refused: either could be reported."""
    first, *others = same
    if any(replace(one, timings_ms=first.timings_ms) != first for one in others):
        message = f"{RECORDS} holds two different results of arm {first.arm!r} with seed {first.seed} for case {first.case}"
        raise ReportRefused(f"{message}; keep the line that counts")
    return first


def _arms(value: Any, defaults: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Options by name, from a list of tables with a name each, or from a table of tables."""
    if isinstance(value, Mapping):
        return {str(name): {**defaults, **_mapping(one)} for name, one in value.items()}
    tables: Sequence[Any] = value if isinstance(value, list) else ()
    named = [(_mapping(one).get("name", one), _mapping(one)) for one in tables]
    return {
        name: {**defaults, **{key: of for key, of in one.items() if key != "name"}}
        for name, one in named
        if isinstance(name, str)
    }


def _facts(file: Path) -> dict[str, Mapping[str, Any]]:
    try:
        rows = [_mapping(json.loads(line)) for line in file.read_text("utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReportRefused(f"{file} is not one JSON object a line: {error}; mend it or take it away") from error
    return {str(row["id"]): row for row in rows if "id" in row}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _toml(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ReportRefused(f"{file} cannot be read as TOML: {error}; mend it or take it away") from error


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReportRefused(f"{file} cannot be read as JSON: {error}; mend it or take it away") from error
