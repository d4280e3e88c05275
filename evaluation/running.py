"""A run from its plan to its report: prepared, begun or taken up again, asked, put in order."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.asking import Bench, ask, ask_all
from evaluation.datasets import Dataset, Item, folder_dataset, limited, own_cases
from evaluation.describing import at_once, described
from evaluation.errors import CollectionRefused, DatasetOverlaps, PlanRefused, RunRefused
from evaluation.estimates import PROBES, Estimate, estimate, estimate_lines
from evaluation.laboratory import Laboratory, Tell, is_made, make_home
from evaluation.outcomes import Question
from evaluation.overlap import leaked, overlap_report, overlaps
from evaluation.plans import Plan, read_plan
from evaluation.records import CaseRecord, Result
from evaluation.runs import (
    RecordFile,
    RunFolder,
    as_text,
    keep_only,
    put_in_order,
    refuse_other,
    write_whole,
)
from evaluation.splits import Split, divided, write_collection
from knowledge.errors import KnowledgeError
from knowledge.pictures import Picture, admit_picture

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def no_bar(_label: str, _length: int) -> Iterator[Callable[[int], None]]:
    """Shows nothing."""
    yield lambda _steps: None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller of a run says beside the plan. `tell` is given lines for a person, `bar` shows progress."""

    plan: Path
    out: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    configuration: str | None = None
    resume: bool = False
    retry_failed: bool = False
    dry: bool = False
    tell: Tell = lambda _line: None
    bar: Bar = no_bar


@dataclass(frozen=True, slots=True)
class Done:
    """What each arm was estimated to cost, and the cases that were asked."""

    estimates: tuple[Estimate, ...]
    items: Mapping[str, Item]

    def picture(self, case: str) -> bytes | None:
        """The file of a case; None where it cannot be read."""
        try:
            return self.items[case].read()
        except (KeyError, OSError, KnowledgeError):
            return None


def run_plan(asked: Asked) -> Done:
    """Do what the plan says, or where `asked.dry` only estimate it. The run is complete then.

    Raises PlanRefused, RunRefused, DatasetOverlaps, CollectionRefused, and what assembly and ingest raise.
    """
    plan = read_plan(asked.plan, asked.variables)
    folder = RunFolder(asked.out)
    with folder.alone():
        begun = folder.read_description()
        if begun is not None and not (asked.resume or asked.dry):
            raise RunRefused("this folder holds a run; go on with it: --resume, or name another folder: --out")
        laboratory = _opened(plan, folder, asked)
        try:
            run = _Run(plan, folder, asked, laboratory, begun)
            return Done(tuple(run.go()), run.items)
        finally:
            laboratory.close()


def _opened(plan: Plan, folder: RunFolder, asked: Asked) -> Laboratory:
    if plan.knowledge.home is not None:
        if not plan.knowledge.home.is_dir():
            raise RunRefused("knowledge.home is no folder; ingest into it first, or name cases and documents instead")
        return Laboratory(plan.knowledge.home, own=False, configuration=asked.configuration)
    if not is_made(folder.home):
        rest = [_reference(plan, folder)] if plan.dataset.hold_out is not None else []
        make_home(folder.home, [*plan.knowledge.cases, *rest], plan.knowledge.documents, asked.tell)
    return Laboratory(folder.home, own=True, configuration=asked.configuration)


def _reference(plan: Plan, folder: RunFolder) -> Path:
    """The part of a divided folder that is not asked, as a collection."""
    dataset, split = _split(plan, admit_picture)
    return write_collection(folder.root / "reference" / dataset.name, split.reference)


def _split(plan: Plan, admit: Callable[[bytes], Picture]) -> tuple[Dataset, Split]:
    wanted = plan.dataset
    if wanted.folder is None or wanted.hold_out is None:
        raise PlanRefused("dataset.hold_out: needs a folder to divide")
    whole = folder_dataset(wanted.folder, name=wanted.name)
    return whole, divided(whole.items, wanted.hold_out, wanted.seed, admit)


class _Run:
    """One run of one plan in one folder, by the one process that may."""

    def __init__(
        self, plan: Plan, folder: RunFolder, asked: Asked, laboratory: Laboratory, begun: Mapping[str, Any] | None
    ) -> None:
        self._plan, self._folder, self._asked, self._begun = plan, folder, asked, begun
        self._laboratory = laboratory
        self._first = laboratory.service(plan.arms[0])
        self._dataset = limited(self._read_dataset(), plan.limit)
        self._benches = {arm.name: Bench.of(arm, laboratory.service(arm), self._dataset.labels) for arm in plan.arms}
        self._questions = {
            arm.name: [Question(arm.name, seed, item) for seed in plan.seeds_of(arm) for item in self._dataset.items]
            for arm in plan.arms
        }

    @property
    def items(self) -> dict[str, Item]:
        """The cases that are asked, by id."""
        return {one.id: one for one in self._dataset.items}

    def go(self) -> list[Estimate]:
        """To the end."""
        for bench in self._benches.values():
            bench.admit(self._dataset.items)
        self._refuse_overlap()
        if self._asked.dry:
            return asyncio.run(self._estimated_only())
        self._begin()
        if self._asked.retry_failed:
            taken = keep_only(self._folder.records, lambda one: one.result is not Result.FAILED)
            self._asked.tell(f"{taken} failed records are asked again")
        records = RecordFile(self._folder.records)
        try:
            estimates = asyncio.run(self._asked_all(records))
        finally:
            records.close()
        self._finish()
        return estimates

    # --- before ----------------------------------------------------------------------------------------------------

    def _read_dataset(self) -> Dataset:
        wanted = self._plan.dataset
        if wanted.hold_out is not None:
            whole, split = _split(self._plan, self._first.admit)
            if not split.asked:
                raise CollectionRefused("dataset.hold_out: no case is left to be asked; hold out a larger share")
            return replace(whole, items=split.asked)
        if wanted.folder is not None:
            return folder_dataset(wanted.folder, name=wanted.name, split=wanted.split)
        return own_cases(self._first, name=wanted.name, split=wanted.split, annotated=self._plan.knowledge.cases)

    def _refuse_overlap(self) -> None:
        """Cases that are left out one by one overlap the index by their nature: the leak guard keeps them apart."""
        found = []
        if not self._dataset.leave_one_out:
            with self._asked.bar("comparing with the index", len(self._dataset.items)) as advance:
                found = list(overlaps(self._first, self._dataset.items, advance))
        report = overlap_report(self._dataset, found)
        # Of a run that was begun, what the answers saw stands there too; of one that was refused, what is mended since.
        if found or self._begun is None:
            write_whole(self._folder.leaks, as_text(report))
        if found:
            reasons = ", ".join(f"{number} {reason}" for reason, number in report["in_the_index"].items())
            raise DatasetOverlaps(
                f"{report['cases_in_the_index']} of {len(self._dataset.items)} cases are in the index, or show what is "
                f"({reasons}): {self._folder.leaks} lists them. Take them out of one of the two, ask with "
                "leave_one_out = true, or divide the folder with hold_out"
            )

    def _begin(self) -> None:
        """Write down what is in force; or find that it still is what the run was begun with."""
        file = self._asked.plan
        now = described(self._plan, file.read_bytes(), self._dataset, self._benches)
        if self._begun is not None:
            refuse_other(self._begun, now)
            return
        lines = (json.dumps(one.facts(), ensure_ascii=False, sort_keys=True) + "\n" for one in self._dataset.items)
        write_whole(self._folder.dataset, "".join(lines))
        write_whole(self._folder.plan, self._asked.plan.read_text("utf-8"))
        write_whole(self._folder.description, as_text({**now, "started_at": _now(), "finished_at": None}))

    # --- asking ----------------------------------------------------------------------------------------------------

    async def _asked_all(self, records: RecordFile) -> list[Estimate]:
        total = sum(map(len, self._questions.values()))
        try:
            with self._asked.bar("asking", total) as advance:
                advance(sum(question.key in records.done for asked in self._questions.values() for question in asked))

                def done(record: CaseRecord) -> None:
                    records.add(record)
                    advance(1)

                estimates = await self._estimated(records.done, done)
                for name, bench in self._benches.items():
                    await ask_all(bench, self._pending(name, records.done), at_once(self._plan, bench), done)
        finally:
            await self._laboratory.close_models()
        return estimates

    async def _estimated_only(self) -> list[Estimate]:
        try:
            return await self._estimated(set(), lambda _record: None)
        finally:
            await self._laboratory.close_models()

    async def _estimated(
        self, finished: set[tuple[str, str, int]], done: Callable[[CaseRecord], None]
    ) -> list[Estimate]:
        """The first questions of each arm, one by one; they count."""
        estimates = []
        for name, bench in self._benches.items():
            pending = list(self._pending(name, finished))
            probes = []
            for question in pending[:PROBES]:
                probes.append(await ask(bench, question))
                done(probes[-1])
            estimates.append(estimate(name, len(pending), at_once(self._plan, bench), probes))
        if any(one.records for one in estimates):
            counts = {
                "cases": len(self._dataset.items), "arms": len(self._benches),
                "records to make": sum(one.records for one in estimates),
            }  # fmt: skip
            for line in estimate_lines(estimates, counts):
                self._asked.tell(line)
        return estimates

    def _pending(self, arm: str, done: set[tuple[str, str, int]]) -> Iterator[Question]:
        """Looked up one by one: what was done in the meantime is not asked again."""
        return (question for question in self._questions[arm] if question.key not in done)

    # --- after -----------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        keys = [question.key for asked in self._questions.values() for question in asked]
        records = put_in_order(self._folder.records, keys)
        report = {**json.loads(self._folder.leaks.read_text("utf-8")), **leaked(self._first, self._dataset, records)}
        write_whole(self._folder.leaks, as_text(report))
        description = self._folder.read_description() or {}
        if description.get("finished_at") is None or self._asked.retry_failed:
            write_whole(self._folder.description, as_text({**description, "finished_at": _now()}))


def results_of(records: Sequence[CaseRecord], arm: str) -> dict[str, int]:
    """How many records of an arm came out as what."""
    return {result.value: sum(one.result is result for one in records if one.arm == arm) for result in Result}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
