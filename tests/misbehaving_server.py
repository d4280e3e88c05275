"""A server of a few lines that speaks HTTP and answers chat completions wrongly, each time as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What one request gets. `breaks_off`: the connection is closed after the body, whatever was promised."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_off: bool = False


@dataclass
class MisbehavingServer:
    """Replies in their order, the last one forever; `requests` are the bodies it was sent."""

    replies: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request; none when the caller has changed its mind."""
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            self.requests.append(json.loads(await reader.readexactly(length)))
            writer.write(self._next())
            await writer.drain()

    def _next(self) -> bytes:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        size = len(reply.body) + (100 if reply.breaks_off else 0)
        headers = {"content-type": "application/json", "connection": "close", "content-length": size, **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Reply", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + reply.body


@asynccontextmanager
async def misbehaving(*replies: Reply) -> AsyncIterator[MisbehavingServer]:
    """Such a server on a free port of this machine."""
    server = MisbehavingServer(list(replies))
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    async with listening:
        yield server


def says(text: str | None, **changes: Any) -> Reply:
    """A well-formed answer with this text."""
    message = {"role": "assistant", "content": text}
    answer: dict[str, Any] = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
    return Reply(json.dumps(answer | changes).encode())


def streams(*pieces: str, finish_reason: str | None = "stop", ends: bool = True, breaks_off: bool = False) -> Reply:
    """An answer in pieces."""
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    events = [json.dumps(chunk | {"choices": [choice]}) for choice in choices] + (["[DONE]"] if ends else [])
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    return Reply(body, headers={"content-type": "text/event-stream"}, breaks_off=breaks_off)


def refuses(status: int, headers: Mapping[str, str] | None = None, **error: Any) -> Reply:
    """An error as vLLM words it; it quotes the prompt, as servers do."""
    return Reply(json.dumps({"error": {"message": "Ms Example's note", **error}}).encode(), status, headers or {})
