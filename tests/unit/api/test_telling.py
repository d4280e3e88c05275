"""A consultation as server-sent events: what each message holds, and what ends when the caller leaves."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from litestar.response import ServerSentEventMessage

from api import telling
from api.telling import AHEAD, told
from inference.engines.errors import EngineOverloaded, EngineUnreachable
from inference.events import CitationsChecked, DiseaseHeard, Event, EvidenceFound, Outcome, ReportPiece
from inference.types import Abstention, Candidate, CitationCheck, Evidence, EvidenceKind, Trace

pytestmark = pytest.mark.anyio
SECRET = "Ms Example's note"

CASE = Evidence("E1", EvidenceKind.CASE, "c-1", "red plaque", "set", ("similar case",), 0.9, {}, {}, 0, 10)
ANSWER = Abstention("undecided", "Why.", "What helps.", (), (CASE,), Trace({}, {}), (), "Research use.")

Events = AsyncGenerator[Event, None]


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


class Source:
    """Events as a consultation gives them; remembers how it ended."""

    def __init__(self, *events: Event, error: Exception | None = None, waits: bool = False) -> None:
        self.given, self.error, self.waits = events, error, waits
        self.sent = 0
        self.ended: str | None = None

    async def events(self) -> Events:
        try:
            for event in self.given:
                self.sent += 1
                yield event
            if self.waits:
                await asyncio.sleep(3_600)
            if self.error is not None:
                raise self.error
            self.ended = "by itself"
        except (GeneratorExit, asyncio.CancelledError):
            self.ended = "by the caller"
            raise


def data_of(message: ServerSentEventMessage) -> Any:
    assert isinstance(message.data, str)
    return json.loads(message.data)


async def all_of(source: Source) -> list[ServerSentEventMessage]:
    async with aclosing(told(source.events())) as messages:
        return [message async for message in messages]


async def test_each_event_is_a_message_of_its_name_with_everything_it_says() -> None:
    messages = await all_of(
        Source(
            EvidenceFound((CASE,)),
            DiseaseHeard((Candidate("psoriasis", None, None, ("E1",)),), None),
            ReportPiece("Ödem\nand more"),
            CitationsChecked((), CitationCheck(0, 0)),
            Outcome(ANSWER),
        )
    )
    assert [message.event for message in messages] == ["evidence", "disease", "report", "citations", "outcome"]
    evidence, disease, report, citations, outcome = map(data_of, messages)
    assert evidence["evidence"][0]["key"] == "E1"
    assert disease == {
        "candidates": [{"label": "psoriasis", "probability": None, "group": None, "evidence": ["E1"], "display": None}],
        "opinion": None,
    }
    assert report == {"text": "Ödem\nand more"}
    assert citations == {"report": [], "citations": {"verified": 0, "total": 0}}
    assert outcome["outcome"] == "abstention"
    assert outcome["reason"] == "undecided"


async def test_no_message_spans_lines_that_a_reader_would_take_for_another_field() -> None:
    (message,) = await all_of(Source(ReportPiece("a\n\nevent: outcome\ndata: {}\r\n")))
    assert isinstance(message.data, str)
    assert "\n" not in message.data
    assert "\r" not in message.data


async def test_a_failure_ends_the_stream_with_a_problem_document() -> None:
    source = Source(EvidenceFound(()), error=EngineUnreachable("nobody answers"))
    *_, last = await all_of(source)
    assert last.event == "error"
    problem = data_of(last)
    assert (problem["status"], problem["reason"]) == (503, "engine_unreachable")
    assert problem["detail"].startswith("nobody answers")
    assert problem["type"] == "urn:dermacite:problem:engine_unreachable"
    assert "errors" not in problem, "absent members are left out"


async def test_a_failure_nobody_expected_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (last,) = await all_of(Source(error=RuntimeError(SECRET)))
    assert data_of(last)["reason"] == "internal_error"
    assert SECRET not in caplog.text + str(last.data)


async def test_a_busy_engine_says_when_to_come_again() -> None:
    (last,) = await all_of(Source(error=EngineOverloaded("the queue is full", retry_after=2.4)))
    problem = data_of(last)
    assert (problem["status"], problem["reason"], problem["retry_after"]) == (503, "engine_overloaded", 3)


async def test_silence_is_broken_by_comments_and_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PING_S", 0.01)

    async def slow() -> Events:
        await asyncio.sleep(0.05)
        yield Outcome(ANSWER)

    messages = [message async for message in told(slow())]
    assert len(messages) > 1
    assert all(message.comment and message.event is None for message in messages[:-1])
    assert messages[-1].event == "outcome"


async def test_time_that_is_over_ends_the_consultation_and_the_stream_says_so() -> None:
    source = Source(EvidenceFound(()), waits=True)
    async with aclosing(told(source.events(), until=anyio.current_time() + 0.05)) as messages:
        first, last = [message async for message in messages]
    assert (first.event, last.event, source.ended) == ("evidence", "error", "by the caller")
    problem = data_of(last)
    assert (problem["status"], problem["reason"]) == (504, "answer_timed_out")


async def test_who_leaves_ends_the_consultation() -> None:
    source = Source(EvidenceFound(()), waits=True)
    async with aclosing(told(source.events())) as messages:
        await anext(messages)
        await asyncio.sleep(0.01)
    assert source.ended == "by the caller"


async def test_who_leaves_before_the_first_message_ends_it_too() -> None:
    source = Source(waits=True)
    messages = told(source.events())
    first = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await messages.aclose()
    assert source.ended == "by the caller"


async def test_who_leaves_with_messages_unread_ends_it_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    source = Source(*[ReportPiece("word")] * (AHEAD * 4), waits=True)
    with caplog.at_level(logging.DEBUG, "dermacite"):
        async with aclosing(told(source.events())) as messages:
            await anext(messages)
            await asyncio.sleep(0.01)  # the consultation now waits for room
    assert source.ended == "by the caller"
    assert source.sent <= AHEAD + 3
    assert not [line for line in caplog.messages if "unexpected" in line]


async def test_a_stream_that_nobody_began_to_read_leaves_nothing_behind() -> None:
    source = Source(EvidenceFound(()))
    await told(source.events()).aclose()
    assert source.sent == 0


async def test_everything_arrives_however_slowly_it_is_read() -> None:
    pieces = [ReportPiece(str(number)) for number in range(AHEAD * 3)]
    read: list[str] = []
    async with aclosing(told(Source(*pieces).events())) as messages:
        async for message in messages:
            await asyncio.sleep(0)
            read.append(data_of(message)["text"])
    assert read == [piece.text for piece in pieces]
