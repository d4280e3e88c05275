"""Where a report comes from: the leak report, the configuration, the prompts, and the command."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from evaluation.report.blocks import Block, Code, Section, Table, Text
from evaluation.report.reading import Run
from evaluation.report.wording import counted

ROWS: Final = 50  # of a list of things; the file has all of them
LONGEST: Final = 400  # letters of one value
# What differs between two runs of one plan though nothing that is measured does.
_VARYING: Final = re.compile(r".*_at|(elapsed|duration|took|timings?)(_\w+)?")
_KIN: Final = "answers_with_kin_among_evidence"

Pairs = list[tuple[str, str]]


def leaks(run: Run) -> Section:
    """What the leak guard says, all of it."""
    if run.leaks is None:
        return Section("leaks", "Leak report", [Text("Not recorded: this run has no leaks.json.")])
    blocks: list[Block] = []
    for kin in _values(run.leaks, _KIN):
        verdict = "No answer" if kin == 0 else f"LEAK: {counted(kin, 'answer')}" if isinstance(kin, int) else None
        if verdict:
            blocks.append(Text(f"{verdict} had the case itself, or its kin, among the evidence."))
    return Section("leaks", "Leak report", [*blocks, *_tables("Leak report", run.leaks)])


def configuration(run: Run) -> Section:
    """The command, what is the same for all arms, and what sets each apart."""
    blocks: list[Block] = []
    command = run.description.get("command")
    if command:
        blocks += [Text("Made by:"), Code(" ".join(map(str, command)) if isinstance(command, list) else str(command))]
    else:
        blocks.append(Text("The command that made this run is not recorded."))
    blocks.append(_prompts(run))
    if run.options:
        blocks.append(_side_by_side("Arms as the plan has them", {arm: flat(of) for arm, of in run.options.items()}))
    arms = run.description.get("arms")
    if isinstance(arms, Mapping) and arms:
        blocks.extend(_in_force({str(arm): flat(of) for arm, of in arms.items()}))
    told = {"arms", "command", *filter(_VARYING.fullmatch, run.description)}
    blocks.extend(_tables("Run", {name: value for name, value in run.description.items() if name not in told}))
    return Section("configuration", "Configuration", blocks)


def varying(run: Run) -> Pairs:
    """Facts of the run that another run of its plan need not repeat."""
    return flat({name: value for name, value in run.description.items() if _VARYING.fullmatch(name)})


def flat(value: Any, path: str = "") -> Pairs:
    """Each single value of nested tables by its path, in the order of the paths."""
    if not isinstance(value, Mapping):
        return [(path, _short(value))]
    return [
        pair for name in sorted(value, key=str) for pair in flat(value[name], f"{path}.{name}" if path else str(name))
    ]


def _prompts(run: Run) -> Block:
    hashes = {arm: sorted({one for record in of for one in record.prompt_hashes}) for arm, of in run.records.items()}
    if not any(hashes.values()):
        return Text("No prompt was sent: no arm asks a model that reads one.")
    rows = [(arm, one) for arm, of in hashes.items() for one in of or ["none"]]
    return Table("Hashes of the prompts sent", ("arm", "hash"), rows)


def _in_force(arms: Mapping[str, Pairs]) -> Iterator[Table]:
    """What was in force: once where it is the same for all arms, side by side where not."""
    values = {arm: dict(pairs) for arm, pairs in arms.items()}
    paths = sorted({path for of in values.values() for path in of})
    same = [path for path in paths if len({of.get(path) for of in values.values()}) == 1]
    if same:
        first = next(iter(values.values()))
        yield Table("In force for every arm", ("setting", "value"), [(path, first[path]) for path in same])
    differing = {arm: [(path, of[path]) for path in paths if path not in same and path in of] for arm, of in values.items()}
    if any(differing.values()):
        yield _side_by_side("In force, where the arms differ", differing)


def _side_by_side(caption: str, arms: Mapping[str, Pairs]) -> Table:
    values = {arm: dict(pairs) for arm, pairs in arms.items()}
    paths = sorted({path for of in values.values() for path in of})
    rows = [(path, *(of.get(path, "") for of in values.values())) for path in paths]
    return Table(caption, ("option", *values), rows)


def _tables(caption: str, value: Any) -> Iterator[Table]:
    """Single values in one table, and each list of tables in one of its own."""
    lists: dict[str, Sequence[Any]] = {}
    single = list(_without_lists(value, "", lists))
    if single:
        yield Table(caption, ("what", "value"), single)
    for path, rows in lists.items():
        names = sorted({str(name) for row in rows for name in row})
        more = [f"{counted(len(rows) - ROWS, 'more row')} in the file."] if len(rows) > ROWS else []
        cells = [tuple(_short(row[name]) if name in row else "" for name in names) for row in rows[:ROWS]]
        yield Table(f"{caption}: {path or 'rows'}", names, cells, more)


def _without_lists(value: Any, path: str, lists: dict[str, Sequence[Any]]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield from _without_lists(value[name], f"{path}.{name}" if path else str(name), lists)
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and one for one in value):
        lists[path] = value
    else:
        yield path or "value", _short(value)


def _values(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == name:
                yield one
            yield from _values(one, name)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} letters)"
