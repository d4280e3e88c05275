"""The child process that parses PDFs: `python -m knowledge.pdf.worker MEMORY_BYTES`.

Requests come as JSON lines on stdin, answers go as JSON lines to stdout; the end of stdin ends the process at once,
also in the middle of a page, so no child outlives its parent. Nothing but this module's messages reaches stdout.

Requests: `{"op": "extract", "path", "first", "limits": {"pages", "characters"}}`, `{"op": "render", "path", "page",
"max_pixels"}`, `{"op": "compose", "rows", "frames", "outline"}`. Answers: `opened`, one `page` per page and `done`; or
`picture` (with its pixels per point, whether it is of one colour, and whether all of it was drawn); or `composed`; or
`refused` at any time.
"""

import base64
import contextlib
import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

Message = dict[str, Any]


def main() -> None:
    """Parse until stdin ends."""
    serve(_answer)


def serve(answer: Callable[[Message], Iterator[Message]]) -> None:
    """Answer requests within `sys.argv[1]` bytes of address space until stdin ends."""
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    out = _private_stdout()
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        for message in answer(json.loads(requests.get())):
            out.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            out.flush()


def _private_stdout() -> BinaryIO:
    """The real stdout for this module alone; what libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return out


def _read_requests(requests: "queue.Queue[bytes]") -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def _answer(request: Message) -> Iterator[Message]:
    # Imported here, after the memory limit is set and in this process only.
    from knowledge.pdf import parsing, wire

    try:
        if request["op"] == "compose":
            yield {"kind": "composed", **wire.composed(request)}
        elif request["op"] == "render":
            png, scale, blank, whole = parsing.render(request["path"], request["page"], request["max_pixels"])
            encoded = base64.b64encode(png).decode("ascii")
            yield {"kind": "picture", "png": encoded, "scale": scale, "blank": blank, "whole": whole}
        else:
            yield from parsing.extract(request["path"], request["first"], request["limits"])
    except parsing.Refused as refused:
        yield {"kind": "refused", "reason": refused.reason, "page": refused.page, "detail": refused.detail}
    except MemoryError:
        # The heap may be full of half a document: a fresh process is safer than this one.
        with contextlib.suppress(MemoryError):
            yield {"kind": "refused", "reason": "parser_died", "page": None, "detail": {}}
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
