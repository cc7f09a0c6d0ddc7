"""The event log: what a node did, one line each, with the trace it belongs to (seed 12).

Logging puts an entry into a bounded queue and returns; a thread of its own writes. A stalled terminal, a closed stderr
or a full disk therefore cost entries, never the node's time or life: how many were lost is the next thing written.
A file that was renamed or removed (log rotation) is opened anew at the next write, no signal needed.
"""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from node.protocol.effects import Observe

Level = Literal["debug", "info", "warn", "error"]
Format = Literal["text", "json"]

LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warn": 30, "error": 40}
"""The seed's levels with the standard library's numbers."""
QUEUE_CAPACITY: Final = 10_000
"""Entries that wait for the writer; what comes beyond is dropped and counted."""
BATCH: Final = 500
"""Entries that go out in one write."""
CLOSE_TIMEOUT_S: Final = 2.0
"""How long `close` waits for a stalled reader of stderr before it gives up what has not been written."""
STDERR: Final = 2


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the event log. `time_ms` is unix ms; `fields` are whatever belongs to `event`."""

    time_ms: int
    level: str
    event: str
    trace: str
    instance: str
    fields: Mapping[str, object]


def json_line(entry: Entry) -> bytes:
    """The entry as one JSON object: `time`, `level`, `event`, `traceId`, `instance`, `fields`."""
    return _json(
        {
            "time": _iso(entry.time_ms),
            "level": entry.level,
            "event": entry.event,
            "traceId": entry.trace,
            "instance": entry.instance,
            "fields": entry.fields,
        }
    )


def text_line(entry: Entry) -> bytes:
    """The entry for people: time, level, instance, event, fields, trace. Control characters are escaped."""
    words = [_iso(entry.time_ms), f"{entry.level:<5}", entry.instance, entry.event]
    words += [f"{name}={_word(value)}" for name, value in entry.fields.items()]
    if entry.trace:
        words.append(f"trace={entry.trace}")
    line = " ".join(words)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line.encode()


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: object) -> str:
    if isinstance(value, str) and value and not any(c in value for c in ' "=\t\r\n'):
        return value
    return _json(value).decode()


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except (ValueError, TypeError, OverflowError):
        # Lone surrogates, odd keys and huge integers; an entry is never lost for what is in it.
        return json.dumps(value, default=str, skipkeys=True).encode()


class EventLog:
    """The event log of one node. `path` None writes to stderr. Raises OSError when the file cannot be opened at all."""

    def __init__(self, instance: str, level: Level = "info", format: Format = "text", path: Path | None = None) -> None:
        self._instance = instance
        self.levels = frozenset(each for each, number in LEVELS.items() if number >= LEVELS[level])
        """The levels whose entries are written: ask before gathering costly fields."""
        self._line: Callable[[Entry], bytes] = json_line if format == "json" else text_line
        self._sink = _Sink(path)
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._dropped = 0
        self._unwritten = 0
        self._writer = threading.Thread(target=self._write, name="event-log", daemon=True)
        self._writer.start()

    def debug(self, event: str, trace: str = "", /, **fields: object) -> None:
        """Detail for whoever looks for a fault."""
        self.log("debug", event, trace, fields)

    def info(self, event: str, trace: str = "", /, **fields: object) -> None:
        """What happened in the ordinary course."""
        self.log("info", event, trace, fields)

    def warn(self, event: str, trace: str = "", /, **fields: object) -> None:
        """What an operator should look at."""
        self.log("warn", event, trace, fields)

    def error(self, event: str, trace: str = "", /, **fields: object) -> None:
        """What failed."""
        self.log("error", event, trace, fields)

    def log(self, level: str, event: str, trace: str, fields: Mapping[str, object]) -> None:
        """One entry; `fields` must not change afterwards. Never blocks, never raises for what is in it."""
        if level not in self.levels:
            return
        if self._queue.qsize() >= QUEUE_CAPACITY:
            self._dropped += 1
            return
        self._queue.put(Entry(int(time.time() * 1000), level, event, trace, self._instance, fields))

    def observe(self, observe: Observe, trace: str) -> None:
        """A line for what the core observed; `trace` is what `TraceRing.record_observe` answered."""
        self.log(observe.level, observe.name, trace, observe.fields)

    @property
    def lost(self) -> int:
        """Entries dropped or not written so far."""
        return self._dropped + self._unwritten

    def handler(self) -> logging.Handler:
        """A handler that brings the standard library's loggers (asyncio's, for one) into this log."""
        return _Bridge(self)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Write what waits, at most for `timeout_s`, and end. Nothing may be logged afterwards."""
        self._queue.put(None)
        self._writer.join(timeout_s)

    def _write(self) -> None:
        reported, ended = 0, False
        while not ended:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            ended = None in batch
            entries = [entry for entry in batch if entry is not None]
            lost = self.lost
            lines = [self._line(entry) for entry in entries]
            if lost > reported:
                lines.append(self._line(self._loss(lost - reported)))
            try:
                self._sink.write(b"".join(line + b"\n" for line in lines))
                reported = lost
            except OSError:
                self._unwritten += len(entries)
        self._sink.close()

    def _loss(self, count: int) -> Entry:
        return Entry(int(time.time() * 1000), "warn", "log_entries_lost", "", self._instance, {"count": count})


class _Sink:
    """Where lines go: stderr, or a file that follows its name."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = STDERR if path is None else self._open(path)
        self._torn = False

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises OSError; the next write then starts on a line of its own."""
        if self._path is not None:
            self._follow(self._path)
        if self._torn:
            data = b"\n" + data
        while data:
            written = os.write(self._file, data)
            data = data[written:]
            self._torn = bool(data)

    def close(self) -> None:
        if self._path is not None:
            os.close(self._file)

    def _follow(self, path: Path) -> None:
        try:
            named = os.stat(path)
        except FileNotFoundError:
            named = None
        if named is None or not os.path.samestat(named, os.fstat(self._file)):
            fresh = self._open(path)
            os.close(self._file)
            self._file = fresh

    @staticmethod
    def _open(path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


class _Bridge(logging.Handler):
    """Turns log records of the standard library into entries; a traceback becomes a field."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        level = max(
            (name for name in LEVELS if LEVELS[name] <= record.levelno), key=LEVELS.__getitem__, default="debug"
        )
        self._log.log(level, record.name, "", fields)
