"""Several servers of one model: who is asked, what a failure leads to, and how one comes back. Over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from inference.engines import ChatRequest, Engine
from inference.engines.choosing import chosen, leading_key, together
from inference.engines.errors import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimedOut,
    EngineUnreachable,
    MalformedAnswer,
)
from inference.engines.openai_engine import EngineLimits, EngineTimeouts, OpenAIEngine
from inference.engines.replica import Pauses, ReplicaState, Standing
from inference.engines.replicated import ReplicatedEngine
from inference.prompts import ImagePart, Message, TextPart
from tests.replica_server import Manner, ReplicaServer, replica_servers

NOTE = "Ms Example's note"
SOON, NEVER = Pauses(0.02, 0.08), Pauses(1_000, 1_000)
LABELS = ("psoriasis.", "acne.")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


@pytest.fixture
async def pair() -> AsyncIterator[list[ReplicaServer]]:
    async with replica_servers("one", "two") as servers:
        yield servers


@asynccontextmanager
async def asking(
    *servers: ReplicaServer, pauses: Pauses = NEVER, timeouts: EngineTimeouts | None = None, concurrent: int = 8,
    waiting: int = 32, **how: Any,
) -> AsyncIterator[ReplicatedEngine]:  # fmt: skip
    """An engine over the servers, named after them."""
    limits = EngineLimits(concurrent, waiting, attempts=1)
    engines = {one.name: OpenAIEngine(one.url, "m", timeouts=timeouts, limits=limits) for one in servers}
    engine = ReplicatedEngine(engines, "m", pauses=pauses, **how)
    try:
        yield engine
    finally:
        await engine.aclose()


def asked(words: str = NOTE, **fields: Any) -> ChatRequest:
    given: dict[str, Any] = {"messages": (Message("user", (TextPart(words),)),), "model": "m", "max_new_tokens": 8}
    return ChatRequest(**(given | fields))


def preferring(name: str, *servers: ReplicaServer) -> ChatRequest:
    """A question that goes to this server while all are idle."""
    idle = dict.fromkeys((one.name for one in servers), 0)
    return next(
        request for number in range(100) if chosen(leading_key(request := asked(f"{NOTE} {number}")), idle, 4) == name
    )


def state_of(engine: ReplicatedEngine, name: str) -> ReplicaState:
    return next(one for one in engine.replicas if one.name == name)


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not true():
            await anyio.sleep(0.01)


async def streamed(engine: Engine, request: ChatRequest, heard: list[str]) -> None:
    async with aclosing(engine.stream(request)) as pieces:
        async for piece in pieces:
            heard.append(piece)


async def said(engine: Engine, method: str, request: ChatRequest) -> str:
    """The name of the server that did the work, as its answer shows or its book."""
    if method == "stream":
        heard: list[str] = []
        await streamed(engine, request, heard)
        return "".join(heard).rpartition(" ")[2]
    return (await engine.complete(request)).text.rpartition(" ")[2]


# --- who is asked


async def test_the_same_prompt_goes_to_the_same_server_and_others_are_spread(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        names = {await said(engine, "complete", preferring("one", *pair)) for _ in range(5)}
        assert names == {"one"}
        await said(engine, "complete", preferring("two", *pair))
    assert (len(one.questions), len(two.questions)) == (5, 1)


async def test_work_that_differs_by_more_than_the_slack_goes_to_the_less_busy(pair: list[ReplicaServer]) -> None:
    one, two = pair

    def arrived(number: int) -> bool:
        return len(one.questions) + len(two.questions) == number

    async with asking(one, two, slack=2) as engine, anyio.create_task_group() as group:
        await engine.probe()
        request = preferring("one", one, two)
        one.gate.clear()
        two.gate.clear()
        for number in range(6):
            group.start_soon(engine.complete, request)
            await until(partial(arrived, number + 1))
        assert (len(one.questions), len(two.questions)) == (4, 2)  # 1, 2, 3 of slack, then one each
        assert [state.in_flight for state in engine.replicas] == [4, 2]
        one.gate.set()
        two.gate.set()
    assert [(state.in_flight, state.requests) for state in engine.replicas] == [(0, 4), (0, 2)]


async def test_a_score_counts_as_many_requests_as_it_makes_and_goes_to_one_server(pair: list[ReplicaServer]) -> None:
    async with asking(*pair) as engine:
        await engine.probe()
        scores = await engine.score(preferring("two", *pair), LABELS)
        assert [score.logprob for score in scores] == [-1.0, -1.0]
        assert (state_of(engine, "one").requests, state_of(engine, "two").requests) == (0, 2)


async def test_what_is_asked_together_stays_together_however_busy_the_server_gets(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, slack=0) as engine, anyio.create_task_group() as group:
        await engine.probe()
        request = preferring("one", one, two)
        with together():
            assert await said(engine, "complete", request) == "one"
            one.gate.clear()
            group.start_soon(engine.complete, preferring("one", one, two))  # of this task's context: stays too
            await until(lambda: len(one.questions) == 2)
            group.start_soon(engine.score, preferring("two", one, two), LABELS)
            await until(lambda: len(one.questions) == 4)
            await engine.count(request)
            assert (len(one.counted), len(two.counted)) == (1, 0)
        assert await said(engine, "complete", request) == "two"  # no longer together: the less busy
        one.gate.set()


async def test_together_moves_on_when_its_server_fails(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        with together():
            assert await said(engine, "complete", preferring("one", *pair)) == "one"
            await one.stop()
            assert await said(engine, "complete", preferring("one", *pair)) == "two"
            assert [score.text for score in await engine.score(preferring("one", *pair), LABELS)] == list(LABELS)


def picture(number: int) -> ImagePart:
    return ImagePart(np.full((8, 8, 3), number, dtype=np.uint8))


def test_the_key_is_of_the_prompt_up_to_its_first_picture() -> None:
    def key(*parts: Any, opening: str = "") -> bytes:
        messages = [Message("user", tuple(TextPart(one) if isinstance(one, str) else one for one in parts))]
        messages += [Message("assistant", (TextPart(opening),))] if opening else []
        return leading_key(ChatRequest(tuple(messages), "m", 8))

    first = key("Cases:", picture(1), "Reference 1: acne", picture(9), "What is it?")
    assert key("Cases:", picture(1), "Reference 1: other", picture(8), opening="This image shows") == first
    assert key("Cases:", picture(2), "Reference 1: acne", picture(9), "What is it?") != first
    assert key("Case:", picture(1)) != first
    assert key("a", "b") != key("ab")
    assert key("a", opening="x") == key("a", opening="y")
    assert key("a") != key("b")
    wide, high = (ImagePart(np.zeros(shape, dtype=np.uint8)) for shape in ((4, 16, 3), (16, 4, 3)))
    assert key(wide) != key(high)


# --- what a failure leads to


@pytest.mark.parametrize("method", ["complete", "stream"])
@pytest.mark.parametrize("manner", [Manner.FAILS, Manner.DIES, Manner.FORGOT])
async def test_a_server_that_fails_is_out_at_once_and_another_answers(
    pair: list[ReplicaServer], method: str, manner: Manner
) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        one.manner = manner
        request = preferring("one", one, two)
        assert await said(engine, method, request) == "two"
        assert await said(engine, method, request) == "two"
        assert len(one.questions) == 1  # not asked again
        state = state_of(engine, "one")
        assert (state.standing, state.failures, state.taken_out, state.in_flight) == (Standing.OUT, 1, 1, 0)
        assert state.problem is not None
        assert state.problem.reason in {"engine_unreachable", "engine_misconfigured"}
        assert NOTE not in state.told


@pytest.mark.parametrize("method", ["complete", "stream"])
async def test_a_server_that_is_gone_is_out_at_once(pair: list[ReplicaServer], method: str) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        await one.stop()
        assert await said(engine, method, preferring("one", one, two)) == "two"
        assert state_of(engine, "one").standing is Standing.OUT


async def test_scores_and_counts_are_repeated_too(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        await one.stop()
        assert len(await engine.score(preferring("one", one, two), LABELS)) == 2
    async with asking(one, two) as engine:
        assert (await engine.count(preferring("one", one, two))) is not None


async def test_a_stream_that_broke_off_is_an_error_and_not_begun_again(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        one.manner = Manner.DIES_LATER
        heard: list[str] = []
        with pytest.raises(EngineUnreachable):
            await streamed(engine, preferring("one", one, two), heard)
        assert heard == ["I am ", "dying"]
        assert two.questions == []
        assert state_of(engine, "one").standing is Standing.OUT


async def test_a_request_that_fails_twice_is_the_callers(pair: list[ReplicaServer]) -> None:
    async with replica_servers("three") as (three,), asking(*pair, three) as engine:
        await engine.probe()
        for one in (*pair, three):
            one.manner = Manner.DIES
        with pytest.raises(EngineUnreachable):
            await engine.complete(asked())
        assert sum(len(one.questions) for one in (*pair, three)) == 2  # a request that kills may not kill them all
        assert sum(state.standing is Standing.IN for state in engine.replicas) == 1


async def test_what_is_refused_for_its_own_sake_takes_nobody_out(pair: list[ReplicaServer]) -> None:
    async with asking(*pair) as engine:
        await engine.probe()
        for one in pair:
            one.manner = Manner.FORGOT
        with pytest.raises(EngineMisconfigured):
            await engine.complete(asked(model="another"))
        assert all(state.standing is Standing.IN and state.failures == 0 for state in engine.replicas)


async def test_a_cancelled_caller_leaves_no_trace(pair: list[ReplicaServer]) -> None:
    async with asking(*pair) as engine:
        await engine.probe()
        for one in pair:
            one.gate.clear()
        with anyio.move_on_after(0.1):
            await engine.complete(asked())
        assert all(
            (state.in_flight, state.failures, state.standing) == (0, 0, Standing.IN) for state in engine.replicas
        )


async def test_a_server_that_hangs_must_prove_itself_and_is_out_when_it_cannot(pair: list[ReplicaServer]) -> None:
    one, two = pair
    slow = EngineTimeouts(read=0.3, probe=0.3)
    async with asking(one, two, timeouts=slow) as engine:
        await engine.probe()
        one.manner = Manner.HANGS
        request = preferring("one", one, two)
        with pytest.raises(EngineTimedOut):  # what took too long once is not repeated
            await engine.complete(request)
        await until(lambda: state_of(engine, "one").standing is Standing.OUT)
        assert await said(engine, "complete", request) == "two"


async def test_a_server_that_was_only_slow_stays(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, timeouts=EngineTimeouts(read=0.3)) as engine:
        await engine.probe()
        probes = one.probes
        one.gate.clear()
        request = preferring("one", one, two)
        with pytest.raises(EngineTimedOut):
            await engine.complete(request)
        one.gate.set()
        await until(lambda: one.probes == probes + 1)
        assert await said(engine, "complete", request) == "one"
        assert state_of(engine, "one").taken_out == 0


async def test_something_that_is_no_model_server_is_out_after_one_answer(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        one.manner = Manner.NO_SERVER
        with pytest.raises(MalformedAnswer):
            await engine.complete(preferring("one", one, two))
        await until(lambda: state_of(engine, "one").standing is Standing.OUT)


async def test_a_busy_server_is_passed_by_and_stays_in(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await engine.probe()
        one.manner = Manner.BUSY
        request = preferring("one", one, two)
        assert [await said(engine, "complete", request) for _ in range(3)] == ["two"] * 3
        assert len(one.questions) == 1  # it said when to come again
        assert state_of(engine, "one").standing is Standing.IN
        two.manner = Manner.BUSY
        with pytest.raises(EngineOverloaded) as caught:
            await engine.complete(request)
        assert caught.value.retry_after is not None
        assert 1 <= caught.value.retry_after <= 2


async def test_a_full_queue_here_goes_to_the_other_and_then_to_the_caller(pair: list[ReplicaServer]) -> None:
    refused: list[EngineOverloaded] = []

    async def one_more(engine: ReplicatedEngine) -> None:
        try:
            await engine.complete(preferring("one", *pair))
        except EngineOverloaded as error:
            refused.append(error)

    async with asking(*pair, concurrent=1, waiting=1, slack=8) as engine:
        await engine.probe()
        for one in pair:
            one.gate.clear()
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(one_more, engine)
            await until(lambda: len(refused) == 2)
            for one in pair:
                one.gate.set()
        assert [state.requests for state in engine.replicas] != [6, 0]
        assert all(error.retry_after is not None and error.retry_after >= 1 for error in refused)
        assert [len(one.questions) for one in pair] == [2, 2]


# --- none left, and coming back


async def test_with_none_left_the_error_tells_every_ones_reason_and_what_to_do(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two) as engine:
        await one.stop()
        two.manner = Manner.FAILS
        with pytest.raises(EngineUnreachable) as caught:
            await engine.complete(asked())
        told = str(caught.value)
        assert "none of 2 replicas" in told
        assert "replica 1: the connection to the engine failed" in told
        assert "replica 2: the engine failed (HTTP 500)" in told
        assert EngineUnreachable.help in told
        assert NOTE not in told
        with pytest.raises(EngineUnreachable):
            await engine.probe()


async def test_after_all_were_out_the_first_that_answers_is_used_at_once(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, pauses=NEVER) as engine:
        for server in pair:
            await server.stop()
        with pytest.raises(EngineUnreachable):
            await engine.complete(asked())
        await two.start()
        assert await said(engine, "complete", preferring("one", one, two)) == "two"  # not waiting for its time


async def test_a_replica_comes_back_after_a_real_generation_and_not_before(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, pauses=SOON) as engine:
        await engine.probe()
        request = preferring("one", one, two)
        one.manner = Manner.FAILS  # its list of models is as it should be, all the time
        probes = one.probes
        assert await said(engine, "complete", request) == "two"

        async def tried_again(times: int) -> None:
            with anyio.fail_after(20):
                while one.probes < probes + times:
                    assert await said(engine, "complete", request) == "two"
                    await anyio.sleep(0.01)

        await tried_again(3)
        one.manner = Manner.ANSWERS
        with anyio.fail_after(20):
            while await said(engine, "complete", request) != "one":
                await anyio.sleep(0.01)
        assert len(one.questions) == 2  # the one that failed, and the one after it was back
        state = state_of(engine, "one")
        assert (state.standing, state.problem, state.taken_out) == (Standing.IN, None, 1)


async def test_nothing_runs_while_nobody_asks_and_pauses_grow(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, pauses=Pauses(0.05, 10.0)) as engine:
        await engine.probe()
        one.manner = Manner.FAILS
        probes = one.probes
        await said(engine, "complete", preferring("one", one, two))
        await anyio.sleep(0.2)
        assert one.probes == probes  # it was due, and nobody asked
        for _ in range(40):
            await said(engine, "complete", preferring("two", one, two))
            await anyio.sleep(0.02)
        assert (
            probes + 1 <= one.probes <= probes + 5
        )  # 0.8 s hold pauses of 0.1, 0.2 and 0.4; 40 calls, and not 40 proofs


async def test_nobody_waits_for_the_proof_of_a_dead_replica(pair: list[ReplicaServer]) -> None:
    one, two = pair
    async with asking(one, two, pauses=Pauses(0.0, 0.0)) as engine:
        await engine.probe()
        one.manner = Manner.FAILS
        await said(engine, "complete", preferring("one", one, two))
        one.manner = Manner.HANGS
        probes = one.probes
        with anyio.fail_after(20):
            for _ in range(3):
                assert await said(engine, "complete", preferring("one", one, two)) == "two"
            await until(lambda: one.probes == probes + 1)  # one proof, which hangs, however many have asked
            assert await engine.probe() >= 0


async def test_the_first_call_waits_for_the_first_that_proves_itself(pair: list[ReplicaServer]) -> None:
    one, two = pair
    one.manner = Manner.HANGS
    async with asking(one, two) as engine:
        with anyio.fail_after(20):
            assert await said(engine, "complete", preferring("one", one, two)) == "two"
        assert state_of(engine, "one").standing is Standing.UNTRIED


async def test_no_task_outlives_the_engine(pair: list[ReplicaServer]) -> None:
    one, two = pair
    before = asyncio.all_tasks()
    one.manner = Manner.HANGS
    async with asking(one, two) as engine:
        await said(engine, "complete", asked())
        assert {task.get_name() for task in asyncio.all_tasks() - before} >= {"replica"}
    assert not [task for task in asyncio.all_tasks() - before if task.get_name() == "replica"]


async def test_a_callers_end_does_not_end_the_proof_that_others_wait_for(pair: list[ReplicaServer]) -> None:
    one, _ = pair
    one.gate.clear()
    async with asking(one) as engine, anyio.create_task_group() as group:
        answers: list[str] = []

        async def wait() -> None:
            answers.append(await said(engine, "complete", asked()))

        with anyio.move_on_after(0.1):
            await engine.complete(asked())
        group.start_soon(wait)
        await anyio.sleep(0.05)
        assert one.probes == 1
        one.gate.set()
    assert answers == ["one"]


# --- another model


@pytest.mark.parametrize("late", [False, True])
async def test_a_replica_with_other_weights_is_refused_and_said(pair: list[ReplicaServer], late: bool) -> None:
    one, two = pair
    async with asking(one, two, pauses=SOON) as engine:
        if late:
            await engine.probe()
            await two.stop()
            await said(engine, "complete", preferring("two", one, two))
            two.weights = "snapshot-2"
            await two.start()
            await until(lambda: not state_of(engine, "two").told.startswith("in"))
            with anyio.fail_after(20):
                while "other replicas" not in state_of(engine, "two").told:
                    await said(engine, "complete", asked())
                    await anyio.sleep(0.01)
        else:
            two.weights = "snapshot-2"
            await said(engine, "complete", asked())
            await engine.probe()
        refused = [state for state in engine.replicas if state.standing is Standing.OUT]
        assert len(refused) == 1
        problem = refused[0].problem
        assert isinstance(problem, EngineMisconfigured)
        assert {"snapshot-1", "snapshot-2"} <= set(str(problem).replace(",", "").split())
        (serving,) = (one for one in pair if one.name not in {state.name for state in refused})
        assert {await said(engine, "complete", asked(f"{NOTE} {number}")) for number in range(8)} == {serving.name}


async def test_all_replicas_may_change_their_weights_when_none_is_left(pair: list[ReplicaServer]) -> None:
    async with asking(*pair) as engine:
        await engine.probe()
        for one in pair:
            await one.stop()
            one.weights = "snapshot-2"
        with pytest.raises(EngineError):
            await engine.complete(asked())
        for one in pair:
            await one.start()
        await engine.complete(asked())
        await until(lambda: all(state.standing is Standing.IN for state in engine.replicas))


async def test_a_server_that_lists_another_model_is_not_asked(pair: list[ReplicaServer]) -> None:
    one, _ = pair
    engine = ReplicatedEngine({"one": OpenAIEngine(one.url, "other", limits=EngineLimits(attempts=1))}, "other")
    with pytest.raises(EngineMisconfigured, match="does not list the model"):
        await engine.complete(asked(model="other"))
    await engine.aclose()
    assert one.asked == []


def test_an_engine_without_replicas_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ReplicatedEngine({}, "m")


def test_the_fixture_says_what_a_body_holds() -> None:
    server = ReplicaServer("one")
    server.asked = [{"messages": json.loads('[{"content": "Say yes."}]')}, {"messages": []}]
    assert (server.probes, len(server.questions)) == (1, 1)
