"""What run.json says of a run: everything that must be the same for its records to be comparable, and where it ran."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

from evaluation.asking import Bench
from evaluation.datasets import Dataset
from evaluation.laboratory import in_force
from evaluation.plans import Plan
from evaluation.runs import FORMAT

LIBRARIES: Final = ("numpy", "torch", "transformers", "sentence-transformers", "bm25s", "chromadb")


def described(plan: Plan, plan_bytes: bytes, dataset: Dataset, benches: Mapping[str, Bench]) -> dict[str, Any]:
    """By arm what is in force; `environment` is what may differ when the run goes on."""
    return {
        "format": FORMAT,
        "kind": "ablation",
        "name": plan.name,
        "description": plan.description,
        "baseline": plan.compared_with,
        "version": version("dermacite"),
        "plan_sha256": hashlib.sha256(plan_bytes).hexdigest(),
        "dataset": {
            "name": dataset.name, "cases": len(dataset.items), "labels": dataset.labels, "rejected": dataset.rejected,
            "leave_one_out": dataset.leave_one_out, "fingerprint": dataset.fingerprint,
        },
        "arms": {name: _arm(plan, bench) for name, bench in benches.items()},
        "environment": _environment(plan, benches),
    }  # fmt: skip


def at_once(plan: Plan, bench: Bench) -> int:
    """How many consultations of an arm are at work together."""
    return plan.parallel or bench.at_once


def _arm(plan: Plan, bench: Bench) -> dict[str, Any]:
    frozen = asdict(bench.arm.frozen) if bench.arm.frozen else None
    return {**in_force(bench.service, bench.arm), "seeds": plan.seeds_of(bench.arm), "frozen": frozen}


def _environment(plan: Plan, benches: Mapping[str, Bench]) -> dict[str, Any]:
    return {
        "home": plan.knowledge.home,
        "cases": plan.knowledge.cases,
        "documents": plan.knowledge.documents,
        "folder": plan.dataset.folder,
        "parallel": {name: at_once(plan, bench) for name, bench in benches.items()},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "models": {
            name: choice.url or list(choice.urls) or None
            for bench in benches.values()
            for name, choice in bench.service.settings.models.items()
        },
    }
