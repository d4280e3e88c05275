"""A server of a few lines in a thread: what a function of the body says, as JSON."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[bytes], tuple[int, bytes]]  # status and body


@contextmanager
def answering(answer: Answer, lists: str = "") -> Iterator[str]:
    """The address of such a server, ending in /v1. `lists` is the model it says it serves."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._send(*answer(self.rfile.read(int(self.headers["content-length"]))))

        def do_GET(self) -> None:
            self._send(200, json.dumps({"data": [{"id": lists}]}).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()
