"""A v1.6 instance as the others know it: JSON over HTTP, forwards proposals without an id, never sends a vote (M4)."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.cluster.harness import Answered, D, Instance, request


class LegacyInstance:
    """Listens on `port` and notes what it is told: path below `/api/v1/distributed/` -> bodies in order."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.told: dict[str, list[Any]] = {}
        self.journal: list[dict[str, Any]] = []
        self._started = time.monotonic()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def beat(self, to: Instance) -> Answered:
        """Tell a node that it lives."""
        now_ms, uptime_ms = int(time.time() * 1000), int((time.monotonic() - self._started) * 1000)
        body = {"instanceId": self.name, "timestamp": now_ms, "uptime": uptime_ms, "status": "healthy"}
        return request(to.port, "POST", f"{D}/heartbeat", body)

    def sync(self, to: Instance, *events: dict[str, Any]) -> Answered:
        """Hand events on to a node."""
        return request(to.port, "POST", f"{D}/sync", {"events": events})

    def event(self, type: str, payload: dict[str, Any]) -> dict[str, Any]:
        """A new event of its own."""
        return {
            "id": str(uuid.uuid4()),
            "type": type,
            "payload": payload,
            "timestamp": int(time.time() * 1000),
            "sourceInstance": self.name,
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        instance = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/journal"):
                    keys = ("id", "type", "timestamp", "sourceInstance")
                    self.answer(200, {"events": [{key: event[key] for key in keys} for event in instance.journal]})
                else:
                    self.answer(200, {"status": "ok"})

            def do_POST(self) -> None:
                try:
                    body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                except ValueError:
                    self.answer(400, None, "Invalid JSON")
                    return
                instance.told.setdefault(self.path.removeprefix(f"{D}/"), []).append(body)
                self.answer(200, {"success": True, "proposalId": f"theirs-{time.time_ns()}"})

            def answer(self, status: int, data: Any, error: str | None = None) -> None:
                envelope = {"success": status == 200, "data": data, "meta": {"timestamp": int(time.time() * 1000)}}
                content = json.dumps(envelope | ({"error": error} if error else {})).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.send_header("x-server-time", str(int(time.time() * 1000)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Its log is of no interest."""

        return Handler
