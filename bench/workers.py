"""Consultations a second with 1, 2 and 4 API processes over PostgreSQL, object storage and a Chroma server, in one run.

    python -m bench.workers [--seconds 45] [--rounds 2] [--clients 32]

All processes, the three servers and the callers share this machine's cores. So what is read off is what another process costs
where no processor is left for it, never what another machine brings. The callers are a process of their own; each of them has
one of the servers. Arms alternate; the processes that an arm leaves out run and have nothing to do. One more, embedded,
has a home of its own. All have exact_below = 0, so that Chroma, in its folder or on its server, is asked although the sample
corpus is small. RSS counts what processes share in each of them (libraries, the mapped index), PSS divides it. Ends with 1
when an answer was neither 200 nor a stated 429 or 503.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Heard, fill, heard_from
from bench.material import Memory
from bench.parts import ASKED, PARTS, parts
from tests.served_process import Server, serving

PROCESSES = (1, 2, 4)


@dataclass
class Arm:
    """Some servers, and what was heard from them in each round."""

    name: str
    servers: Sequence[Server]
    heard: list[Heard] = field(default_factory=list)

    def line(self) -> str:
        """The rate is the median of the rounds, the times are of all answers."""
        cuts = statistics.quantiles([one for heard in self.heard for one in heard.times], n=100, method="inclusive")
        rates = [heard.rate for heard in self.heard]
        memory = [Memory.of(server.process.pid) for server in self.servers]
        return (
            f"{self.name:<26}{statistics.median(rates):>7.2f}/s ({min(rates):.2f} to {max(rates):.2f})"
            f"{cuts[49]:>8.2f}{cuts[94]:>8.2f}"
            f"{statistics.mean(one.resident for one in memory):>10.0f}"
            f"{statistics.mean(one.proportional for one in memory):>10.0f}"
            f"{sum(one.proportional for one in memory):>10.0f}"
        )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45, help="of each arm in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, parts(Path(folder)) as servers, ExitStack() as stack:
        shared = {**ASKED, **servers.settings(*PARTS)}
        fill(Path(folder) / "filled", **shared)
        fill(Path(folder) / "embedded", **ASKED)
        workers = [_started(stack, Path(folder) / f"worker {number}", shared) for number in range(max(PROCESSES))]
        arms = [
            Arm("embedded, 1 process", [_started(stack, Path(folder) / "embedded", ASKED)]),
            *(Arm(f"all remote, {number} process{'es'[: 2 * (number > 1)]}", workers[:number]) for number in PROCESSES),
        ]
        for number in range(given.rounds):
            for arm in arms if number % 2 == 0 else reversed(arms):
                urls = [server.url for server in arm.servers]
                arm.heard.append(heard_from(urls, given.seconds, given.clients))
                print(f"round {number + 1}: {arm.name}: {arm.heard[-1].rate:.2f}/s", file=sys.stderr, flush=True)
        sys.exit(_report(arms, given.clients))


def _started(stack: ExitStack, home: Path, settings: Mapping[str, str]) -> Server:
    home.mkdir(exist_ok=True)
    server = stack.enter_context(serving(home, **settings))
    server.wait_until_ready()
    return server


def _report(arms: Sequence[Arm], clients: int) -> int:
    print(f"{clients} clients, {os.cpu_count()} cores for everything; seconds of an answer; MB, after all rounds")
    head = ("p50", "p95", "RSS each", "PSS each", "PSS all")
    print(
        f"{'':<26}{'consultations (rounds)':>24}{''.join(f'{name:>{8 + 2 * (at > 1)}}' for at, name in enumerate(head))}"
    )
    for arm in arms:
        print(arm.line())
    wrong = [what for arm in arms for heard in arm.heard for what in heard.wrong]
    refused = sum(heard.statuses.get(status, 0) for arm in arms for heard in arm.heard for status in ("429", "503"))
    print(f"answers that were told to come later (429, 503): {refused}; wrong: {len(wrong)}")
    for what in wrong[:10]:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
