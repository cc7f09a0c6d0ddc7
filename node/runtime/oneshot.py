"""One HTTP exchange with a member, on a connection of its own; cancelled, it leaves nothing behind."""

import asyncio
import os
from urllib.parse import urlsplit

import httptools

CHUNK_BYTES = 65_536


class NoAnswer(Exception):
    """Why a member gave no answer, in words. `slow`: not in time, so that it may come another time."""

    def __init__(self, why: str, slow: bool = False) -> None:
        super().__init__(why)
        self.slow = slow


class _Answer:
    """Puts one answer together."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.begun = False
        self.complete = False

    def on_headers_complete(self) -> None:
        self.begun = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


async def exchange(
    url: str, method: str, path: str, body: bytes | None, timeout_s: float, most: int
) -> tuple[int, bytes]:
    """Status and body of the answer to a request below the API root `url`, JSON if it has a body.

    Raises NoAnswer, also when the answer takes longer than `timeout_s` or has more than `most` bytes.
    """
    root = urlsplit(url)
    head = f"{method} {root.path}{path} HTTP/1.1\r\nhost: {root.netloc}\r\nconnection: close\r\n"
    if body is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(root.hostname, root.port or 80)
            try:
                writer.write(head.encode("ascii") + b"\r\n" + (body or b""))
                while not answer.complete and len(answer.body) <= most:
                    data = await reader.read(CHUNK_BYTES)
                    if not data:
                        break
                    parser.feed_data(data)
            finally:
                writer.transport.abort()
    except TimeoutError as problem:
        raise NoAnswer(f"no answer within {timeout_s:g} s", slow=True) from problem
    except OSError as problem:
        # asyncio puts a sentence of its own into `strerror`; a name that is not found has a negative number.
        number = problem.errno or 0
        raise NoAnswer(os.strerror(number) if number > 0 else problem.strerror or str(problem)) from problem
    except httptools.HttpParserError as problem:
        raise NoAnswer(f"what it answered is no HTTP: {problem}") from problem
    if len(answer.body) > most:
        raise NoAnswer(f"it answered more than {most:,} bytes")
    if not answer.begun:
        raise NoAnswer("the connection was closed without an answer")
    return parser.get_status_code(), bytes(answer.body)
