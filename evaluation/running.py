"""A run from its plan to its report: prepared, begun or taken up again, asked, put in order."""

import asyncio
import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evaluation.asking import Bench, ask, ask_all
from evaluation.datasets import Dataset, folder_dataset, limited, own_cases
from evaluation.errors import DatasetOverlaps, RunRefused
from evaluation.estimates import PROBES, Estimate, estimate, estimate_lines
from evaluation.laboratory import Laboratory, Tell, in_force, make_home
from evaluation.outcomes import Question
from evaluation.overlap import leaked, overlap_report, overlaps
from evaluation.plans import Plan, read_plan
from evaluation.records import CaseRecord, Result
from evaluation.runs import (
    FORMAT,
    RecordFile,
    RunFolder,
    as_text,
    keep_only,
    put_in_order,
    refuse_other,
    write_whole,
)

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


def run_plan(asked: Asked) -> list[Estimate]:
    """Do what the plan says, or where `asked.dry` only estimate it; what each arm costs. The run is complete then.

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
            return _Run(plan, folder, asked, laboratory, begun).go()
        finally:
            laboratory.close()


def _opened(plan: Plan, folder: RunFolder, asked: Asked) -> Laboratory:
    if plan.knowledge.home is not None:
        if not plan.knowledge.home.is_dir():
            raise RunRefused("knowledge.home is no folder; ingest into it first, or name cases and documents instead")
        return Laboratory(plan.knowledge.home, own=False, configuration=asked.configuration)
    make_home(folder.home, plan.knowledge.cases, plan.knowledge.documents, asked.tell)
    return Laboratory(folder.home, own=True, configuration=asked.configuration)


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
        if found or not self._folder.leaks.exists():
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
        now = self._description()
        if self._begun is not None:
            refuse_other(self._begun, now)
            return
        lines = (json.dumps(one.facts(), ensure_ascii=False, sort_keys=True) + "\n" for one in self._dataset.items)
        write_whole(self._folder.dataset, "".join(lines))
        write_whole(self._folder.plan, self._asked.plan.read_text("utf-8"))
        write_whole(self._folder.description, as_text({**now, "started_at": _now(), "finished_at": None}))

    def _description(self) -> dict[str, Any]:
        plan, dataset = self._plan, self._dataset
        return {
            "format": FORMAT,
            "kind": "ablation",
            "name": plan.name,
            "description": plan.description,
            "baseline": plan.compared_with,
            "version": version("dermacite"),
            "plan_sha256": hashlib.sha256(self._asked.plan.read_bytes()).hexdigest(),
            "dataset": {
                "name": dataset.name, "cases": len(dataset.items), "labels": dataset.labels, "rejected": dataset.rejected,
                "leave_one_out": dataset.leave_one_out, "fingerprint": dataset.fingerprint,
            },
            "arms": {
                name: {**in_force(bench.service, bench.arm), "seeds": plan.seeds_of(bench.arm),
                       "frozen": asdict(bench.arm.frozen) if bench.arm.frozen else None}
                for name, bench in self._benches.items()
            },
            "environment": self._environment(),
        }  # fmt: skip

    def _environment(self) -> dict[str, Any]:
        """Where and on what it ran; the run may go on elsewhere."""
        plan = self._plan
        libraries = ("numpy", "torch", "transformers", "sentence-transformers", "bm25s", "chromadb")
        return {
            "home": plan.knowledge.home, "cases": plan.knowledge.cases, "documents": plan.knowledge.documents,
            "folder": plan.dataset.folder, "parallel": {name: self._at_once(one) for name, one in self._benches.items()},
            "python": platform.python_version(), "platform": platform.platform(),
            "libraries": {name: version(name) for name in libraries},
            "models": {name: choice.url for bench in self._benches.values()
                       for name, choice in bench.service.settings.models.items()},
        }  # fmt: skip

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
                    await ask_all(bench, self._pending(name, records.done), self._at_once(bench), done)
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
            estimates.append(estimate(name, len(pending), self._at_once(bench), probes))
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

    def _at_once(self, bench: Bench) -> int:
        return self._plan.parallel or bench.at_once

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
