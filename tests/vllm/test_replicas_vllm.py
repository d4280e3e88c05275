"""Consultations on two real vLLM servers: the same answers as one gives, and what a killed one leaves behind.

How long recovery takes is printed and never judged: the machine may be busy. `pytest -s` shows it.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import anyio
import pytest
from anyio import to_thread

from inference.engines.errors import EngineError, EngineUnreachable
from inference.engines.replica import ReplicaState, Standing
from inference.prompts import Message, TextPart
from inference.types import Answer, Diagnosis, ReportMode
from retrieval.search import Encoders
from runtime.models import named_by
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.vllm.asking import NOTE, alike, ask, served
from tests.vllm.server import VllmServer

Draw = Callable[[str, int], bytes]
Pair = tuple[VllmServer, VllmServer]
KINDS = ("psoriasis", "nevus", "acne")
AT_ONCE = 4  # consultations

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


@pytest.fixture
async def services(
    sample_service: Service, encoders: Encoders, vllm_replicas: Pair
) -> AsyncIterator[tuple[Service, Service]]:
    """On the sample, read only: one that asks the first server, and one that asks both."""
    home = sample_service.home.root
    both = [one.url for one in vllm_replicas]
    made = [open_service(home, load_settings(home, **served(where)), encoders) for where in (both[0], both)]
    yield made[0], made[1]
    for service in made:
        await service.close_models()


def states(service: Service) -> dict[str, ReplicaState]:
    """Of the stage 2 model's replicas."""
    model = service.models.disease
    assert model is not None
    return {one.name: one for one in model.replicas}


def opinions(answer: Answer) -> dict[str, Any]:
    return asdict(answer.opinions)


async def test_two_servers_give_the_answers_of_one(services: tuple[Service, Service], draw: Draw) -> None:
    single, double = services
    for kind, number in (("psoriasis", 9), ("nevus", 6)):  # an answer, and one that the random model has no way to give
        one, other = [
            await ask(service, draw(kind, number), note=NOTE, report=ReportMode.PLAIN) for service in services
        ]
        assert one.outcome == other.outcome
        assert alike(opinions(one), opinions(other))
        if isinstance(one, Diagnosis) and isinstance(other, Diagnosis):
            assert alike(asdict(one)["candidates"], asdict(other)["candidates"])
            assert one.narrative == other.narrative is not None
    assert states(single) == {}
    assert sum(one.requests for one in states(double).values()) == 2 * 11


async def test_stage_2_asks_one_server_for_the_answer_and_its_scores(
    services: tuple[Service, Service], draw: Draw
) -> None:
    _, double = services
    await double.pipeline.models.all[0].engine.probe()
    await ask(double, draw("psoriasis", 9), report=ReportMode.EXTRACTIVE)
    before = {name: one.requests for name, one in states(double).items()}
    await ask(double, draw("psoriasis", 9), report=ReportMode.EXTRACTIVE)  # now both have proved themselves
    assert sorted(one.requests - before[name] for name, one in states(double).items()) == [0, 11]


def told(line: str) -> None:
    """For who reads along; nothing hangs on it."""
    print(f"\n{line}")  # noqa: T201 (a figure of this machine, shown by pytest -s)


class Heard:
    """What consultations came to, one after another and several at once."""

    def __init__(self, service: Service, draw: Draw, expected: dict[int, dict[str, Any]]) -> None:
        self._service, self._draw, self._expected = service, draw, expected
        self.answers = 0
        self.errors: list[EngineError] = []

    async def ask(self, number: int) -> None:
        try:
            answer = await ask(self._service, picture_of(self._draw, number), note=NOTE)
        except EngineUnreachable as error:
            self.errors.append(error)
            return
        assert alike(opinions(answer), self._expected[number])  # never a wrong answer
        self.answers += 1

    async def ask_until(self, done: Callable[[], bool]) -> None:
        number = 0
        while not done():
            await self.ask(number % len(self._expected))
            number += 1
            await anyio.sleep(0.5)  # leaves the processor to the server that starts


def picture_of(draw: Draw, number: int) -> bytes:
    return draw(KINDS[number % 3], 6 + number // 3)


async def one_at_work(servers: Pair) -> VllmServer:
    """A server that works on a request just now."""
    while True:
        for server in servers:
            if await to_thread.run_sync(server.metric, "vllm:num_requests_running") > 0:
                return server
        await anyio.sleep(0.02)


async def test_a_killed_replica_costs_at_most_stated_errors_and_comes_back(
    services: tuple[Service, Service], draw: Draw, vllm_replicas: Pair
) -> None:
    single, double = services
    disease, victim = double.models.disease, vllm_replicas[1]
    assert disease is not None
    expected = {number: opinions(await ask(single, picture_of(draw, number), note=NOTE)) for number in range(AT_ONCE)}
    heard = Heard(double, draw, expected)
    for model in double.models.all:
        await model.engine.probe()
    try:
        async with anyio.create_task_group() as group:
            for number in range(AT_ONCE):
                group.start_soon(heard.ask, number)
            victim = await one_at_work(vllm_replicas)
            killed = time.monotonic()
            await to_thread.run_sync(victim.kill)
        assert heard.answers + len(heard.errors) == AT_ONCE
        assert all("engine" in str(error) and error.retryable for error in heard.errors)
        told(f"killed with {AT_ONCE} consultations at work: {heard.answers} answered, {len(heard.errors)} stated errors, "
              f"all over {time.monotonic() - killed:.2f} s later")  # fmt: skip
        after = Heard(double, draw, expected)
        for number in range(AT_ONCE):
            await after.ask(number)
        assert (after.answers, after.errors) == (AT_ONCE, [])
        await disease.engine.probe()  # degraded is ready
        assert states(double)[named_by(victim.url)].standing is Standing.OUT
    finally:
        name = named_by(victim.url)
        await to_thread.run_sync(victim.kill)  # also where the test failed before
        started = time.monotonic()
        async with anyio.create_task_group() as group:
            while_starting = Heard(double, draw, expected)
            up: list[float] = []
            group.start_soon(while_starting.ask_until, lambda: states(double)[name].standing is Standing.IN)
            await to_thread.run_sync(victim.start)
            up.append(time.monotonic())
    told(f"started again: generating after {up[0] - started:.1f} s, asked again {time.monotonic() - up[0]:.2f} s later; "
          f"meanwhile {while_starting.answers} consultations answered, {len(while_starting.errors)} errors")  # fmt: skip
    assert while_starting.errors == []
    assert states(double)[name].standing is Standing.IN
    requests = states(double)[name].requests
    for number in range(40):  # prompts enough for both
        await disease.engine.count(disease.request((Message("user", (TextPart(f"Question {number}"),)),)))
    assert states(double)[name].requests > requests
