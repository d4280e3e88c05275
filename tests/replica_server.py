"""A server of a few lines that speaks the OpenAI protocol as vLLM does, is told how to fail, and can be started again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any


class Manner(StrEnum):
    """What it does with a chat."""

    ANSWERS = "answers"
    FAILS = "fails"  # HTTP 500
    BUSY = "busy"  # HTTP 503 with Retry-After
    DIES = "dies"  # the connection breaks before a word
    DIES_LATER = "dies later"  # and here after the first words of a stream
    HANGS = "hangs"  # nothing comes until it is told otherwise
    FORGOT = "forgot"  # HTTP 404: it serves no such model
    NO_SERVER = "no server"  # HTTP 200 with a page


class ReplicaServer:
    """Says its name. `asked` are the bodies of chats, of probes too; `counted` those of /tokenize."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.manner = Manner.ANSWERS
        self.weights = "snapshot-1"
        self.asked: list[dict[str, Any]] = []
        self.counted: list[dict[str, Any]] = []
        self.gate = asyncio.Event()  # answers wait for it
        self.gate.set()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def questions(self) -> list[dict[str, Any]]:
        """What was asked but for probes."""
        return [body for body in self.asked if "Say yes." not in json.dumps(body["messages"])]

    @property
    def probes(self) -> int:
        return len(self.asked) - len(self.questions)

    async def start(self) -> None:
        """On the port it had before."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a killed process: connections break, new ones are refused."""
        if self._server is not None:
            self._server.close()
        for one in tuple(self._connections):
            one.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._answer(reader, writer)
        finally:
            self._connections.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length)) if length else {}
        if path == "/v1/models":
            await _send(writer, {"data": [{"id": "m", "root": f"/srv/{self.weights}", "max_model_len": 4096}]})
        elif path == "/tokenize":
            self.counted.append(body)
            await _send(writer, {"count": 9, "max_model_len": 4096})
        else:
            self.asked.append(body)
            await self._chat(body, writer)

    async def _chat(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        while self.manner is Manner.HANGS:
            await asyncio.sleep(0.01)
        await self.gate.wait()
        refusals = {Manner.FAILS: 500, Manner.BUSY: 503, Manner.FORGOT: 404}
        if self.manner in refusals:
            await _send(writer, {"error": {"message": "Ms Example's note"}}, refusals[self.manner])
        elif self.manner is Manner.NO_SERVER:
            await _send(writer, "<html>")
        elif body.get("stream"):
            await self._stream(writer)
        elif self.manner is not Manner.DIES:
            await _send(writer, self._said(body))

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        if self.manner is Manner.DIES:
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        dies = self.manner is Manner.DIES_LATER
        for piece, reason in [("I am ", None), ("dying" if dies else self.name, None), ("", "stop")][
            : 2 if dies else 3
        ]:
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": reason}
            event = json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]})
            await _chunk(writer, f"data: {event}\n\n")
        if not dies:
            await _chunk(writer, "data: [DONE]\n\n")
            await _chunk(writer, "")

    def _said(self, body: dict[str, Any]) -> dict[str, Any]:
        last = body["messages"][-1]
        scored = {"1": {"logprob": -1.0, "decoded_token": last["content"]}} if last["role"] == "assistant" else None
        return {
            "choices": [{"message": {"content": f"I am {self.name}"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1},
            "prompt_logprobs": [None, scored],
        }


async def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    """A piece of a body whose end is told, so that a broken one is seen; the empty one is the end."""
    writer.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
    await writer.drain()


async def _send(writer: asyncio.StreamWriter, answer: Any, status: int = 200) -> None:
    data = json.dumps(answer).encode()
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n"
    writer.write(f"{head}retry-after: 2\r\nconnection: close\r\n\r\n".encode() + data)
    await writer.drain()


@asynccontextmanager
async def replica_servers(*names: str) -> AsyncIterator[list[ReplicaServer]]:
    """Running ones, stopped at the end."""
    servers = [ReplicaServer(name) for name in names]
    for one in servers:
        await one.start()
    try:
        yield servers
    finally:
        for one in servers:
            await one.stop()
