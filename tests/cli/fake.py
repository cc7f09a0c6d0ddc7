"""A node for tests: answers what it is told to, over real sockets, and remembers what it was asked."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
STAMP_MS = 1_700_000_000_000
"""What its clock shows."""


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Raw:
    """An answer without envelope."""

    status: int
    body: bytes
    content_type: str = "text/plain"


class Refuse(Exception):
    """An answer with `success` false."""

    def __init__(self, status: int, data: Any, error: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.data = data
        self.error = error


class Hang(Exception):
    """No answer: the connection is closed."""


Handler = Callable[[Asked], Any]


@dataclass
class FakeNode:
    """`routes`: "GET distributed/quorum" -> data, or a function of the request that returns data, `Raw`, or raises."""

    routes: dict[str, Any]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def requests(self, route: str) -> list[Asked]:
        """What was asked of a route."""
        return [one for one in self.asked if f"{one.method} {one.path}" == route]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(routes: dict[str, Any]) -> Iterator[FakeNode]:
    """A fake node while the block runs."""
    node = FakeNode({"GET health": {"status": "alive", "id": "instance-A"}, **routes})
    server = _Server(("127.0.0.1", 0), _handler(node))
    node.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(node: FakeNode) -> type[BaseHTTPRequestHandler]:
    class Handle(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            path = path.removeprefix("/api/v1/").lstrip("/")
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, path, query, headers, body)
            node.asked.append(asked)
            try:
                self._answer(asked)
            except Hang:
                self.close_connection = True

        def _answer(self, asked: Asked) -> None:
            found = node.routes.get(f"{asked.method} {asked.path}")
            if found is None:
                self._send(404, {"success": False, "data": None, "error": f"no such path: {asked.path}"})
                return
            try:
                data = found(asked) if callable(found) else found
            except Refuse as refused:
                error = {} if refused.error is None else {"error": refused.error}
                self._send(refused.status, {"success": False, "data": refused.data, **error})
                return
            if isinstance(data, Raw):
                self._write(data.status, data.body, data.content_type)
            else:
                self._send(200, {"success": True, "data": data})

        def _send(self, status: int, envelope: dict[str, Any]) -> None:
            envelope["meta"] = {"timestamp": STAMP_MS, "traceId": TRACE}
            self._write(status, json.dumps(envelope).encode(), "application/json")

        def _write(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-trace-id", TRACE)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815  the names http.server calls

    return Handle
