"""A peer that is played: a bare HTTP server in this process that says what a test wants it to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node.protocol.settings import Member
from node.runtime.content.holders import Holders

Answer = Callable[[str, bytes], tuple[int, bytes]]
"""From the path and the body of a request to a status and a body."""


def held_by(*members: Member) -> Holders:
    """These say that they hold content, of version 1.0.0."""
    return Holders(dict.fromkeys(members, "1.0.0"), {})


@contextmanager
def stalled(name: str = "stalled") -> Iterator[tuple[Member, socket.socket]]:
    """Takes connections as the system does for a stopped process, and never reads or answers. Gives its socket too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Member(name, f"http://127.0.0.1:{server.getsockname()[1]}/api/v1"), server


@contextmanager
def played(name: str, answer: Answer, kind: str = "application/octet-stream") -> Iterator[Member]:
    """A member of this name, for as long as the block runs; `kind` is the type of all its answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = answer(self.path, self.rfile.read(int(self.headers.get("content-length", 0))))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # the asker has had enough
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the name is the library's)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield Member(name, f"http://127.0.0.1:{server.server_address[1]}/api/v1")
        finally:
            server.shutdown()
            serving.join()
