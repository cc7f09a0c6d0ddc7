"""The events of a cluster as they happen: server-sent events, taken up again on any node where the last one ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from iwdc_console.tui.clock import Clock
from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.source.answers import BadAnswer, decode
from iwdc_console.tui.source.http import OK, Answer, Connections, Failed

KEPT = 1000
"""Events remembered."""
FIRST = 200
"""Events asked for at the start."""
SILENCE_S = 40.0
"""A stream says something at least every 15 s; silent for longer than this it is taken for dead."""
ANSWER_TIMEOUT_S = 3.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_FIRST_BYTES = 16 * 1024 * 1024


class Message(NamedTuple):
    """One server-sent event."""

    name: str
    cursor: str
    data: bytes


class Follower:
    """Keeps one stream open, on the node it was last told; `take` gets all events known after each arrival."""

    def __init__(self, client: Connections, clock: Clock, take: Callable[[Part[tuple[Event, ...]]], None]) -> None:
        self._client = client
        self._clock = clock
        self._take = take
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._cursor = ""
        self._node = ""
        self._task: asyncio.Task[None] | None = None

    def follow(self, node: str) -> None:
        """See to it that `node` is followed: called after each answer of it, so a broken stream is soon mended."""
        if self._task is not None and not self._task.done() and node == self._node:
            return
        if self._task is not None:
            self._task.cancel()
        self._node = node
        self._task = asyncio.create_task(self._run(node))

    async def stop(self) -> None:
        """End the stream."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, node: str) -> None:
        base = f"{node}/api/v1/distributed/events"
        try:
            if not self._cursor:
                async with self._client.get(f"{base}?limit={FIRST}", ANSWER_TIMEOUT_S) as first:
                    self._add(node, list(decode("events", await _good(first).body(MAX_FIRST_BYTES))))
                    self._cursor = first.headers.get("x-iwdc-cursor", "")
            headers = {"Accept": "text/event-stream", "Last-Event-ID": self._cursor}
            async with self._client.get(f"{base}/stream", SILENCE_S, headers) as stream:
                async for batch in messages(_good(stream).chunks()):
                    self._receive(node, batch)
        except (Failed, TimeoutError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadAnswer, OSError):
            return  # the next answer of a node starts it anew, from the cursor

    def _receive(self, node: str, batch: list[Message]) -> None:
        events = [_DECODER.decode(message.data) for message in batch if message.name != "lagged"]
        self._cursor = batch[-1].cursor or self._cursor
        self._add(node, events)

    def _add(self, node: str, events: list[Event]) -> None:
        self._events.extend(events)
        self._take(Part(tuple(self._events), node, self._clock.mono_s(), int(self._clock.wall_ms())))


_DECODER = msgspec.json.Decoder(Event)


def _good(answer: Answer) -> Answer:
    if answer.status != OK:
        raise BadAnswer(f"events: answered {answer.status}")
    return answer


async def messages(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[Message]]:
    """The messages of a stream, those of one chunk together. Raises `BadAnswer` for one that never ends."""
    waiting = b""
    async for chunk in chunks:
        *whole, waiting = (waiting + chunk).split(b"\n\n")
        if len(waiting) > MAX_MESSAGE_BYTES:
            raise BadAnswer(f"events: a message of more than {MAX_MESSAGE_BYTES} bytes")
        found = [message for block in whole if (message := _message(block)) is not None]
        if found:
            yield found


def _message(block: bytes) -> Message | None:
    name, cursor, data = "message", "", b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b": ")
        if field == b"id":
            cursor = value.decode("utf-8", "replace")
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data = value
    return Message(name, cursor, data) if data else None
