"""Consultations on two real vLLM servers: the same answers as one gives. What a killed one leaves behind: tests.cluster."""

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

import pytest

from inference.engines.replica import ReplicaState
from inference.types import Answer, Diagnosis, ReportMode
from retrieval.search import Encoders
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.vllm.asking import NOTE, alike, ask, served
from tests.vllm.server import VllmServer

Draw = Callable[[str, int], bytes]
Pair = tuple[VllmServer, VllmServer]

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
