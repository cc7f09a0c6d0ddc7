"""What becomes of content, told to everybody: events of the cluster's log, metrics, spans, and the node's own log.

The events: `CONTENT_FETCHED`, `CONTENT_FAILED`, `CONTENT_CORRUPT` (a peer gave wrong bytes), `CONTENT_APPLIED`,
`CONTENT_NOT_APPLIED`. Progress is not in them: it is asked for.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from node.artifacts.apply import Switched
from node.observability.traces import (
    DIFF_APPLY,
    DIFF_REPLICATE,
    SNAPSHOT_APPLY,
    SNAPSHOT_REPLICATE,
    Span,
    new_span_id,
    root_span_id,
)
from node.protocol.effects import Wanted
from node.protocol.requests import Answer, Publish, Refusal

if TYPE_CHECKING:
    from node.runtime.driver import Engine

FETCHED: Final = "CONTENT_FETCHED"
FAILED: Final = "CONTENT_FAILED"
CORRUPT: Final = "CONTENT_CORRUPT"
APPLIED: Final = "CONTENT_APPLIED"
NOT_APPLIED: Final = "CONTENT_NOT_APPLIED"
CALL_TIMEOUT_S: Final = 10.0
CORRUPT_EVERY_S: Final = 10.0
"""A peer is named in the cluster's log at most this often."""


class Teller:
    """Tells what becomes of this node's content."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._tasks: set[asyncio.Task[Any]] = set()
        self._named: dict[str, float] = {}

    def fetched(self, content: Wanted, given: Mapping[str, int], started: float) -> None:
        """Content came from peers: `given` bytes of each, since `started` (monotonic s)."""
        kind, took_s = _family(content), time.monotonic() - started
        for peer in given:
            self._engine.metrics.count(f"distributed_{kind}_replication_total", source=peer)
        self._span(DIFF_REPLICATE if kind == "diff" else SNAPSHOT_REPLICATE, content, took_s, {"bytes": dict(given)})
        said = {"version": content.version, "content": content.content.key, "tookMs": round(took_s * 1000)}
        self._publish(FETCHED, {**said, "bytes": sum(given.values()), "from": dict(given)}, content.trace)

    def waiting(self, content: Wanted, why: str) -> None:
        """Content cannot be had now."""
        self._engine.log.warn("content_waiting", version=content.version, problem=why)

    def failed(self, content: Wanted, why: str) -> None:
        """Content is not what was proposed, or more than is taken here."""
        self._engine.metrics.count("distributed_sync_errors_total", type="content")
        self._engine.log.error("content_failed", version=content.version, problem=why)
        self._publish(
            FAILED, {"version": content.version, "content": content.content.key, "reason": why}, content.trace
        )

    def corrupt(self, peer: str, path: str) -> None:
        """A peer gave wrong bytes for a file; it is fetched elsewhere."""
        self._engine.metrics.count("distributed_sync_errors_total", type="corrupt")
        self._engine.log.error("content_corrupt", peer=peer, path=path)
        now = time.monotonic()
        if now - self._named.get(peer, -CORRUPT_EVERY_S) >= CORRUPT_EVERY_S:
            self._named[peer] = now
            self._publish(CORRUPT, {"peer": peer, "path": path}, "").add_done_callback(partial(self._was_told, peer))

    def _was_told(self, peer: str, told: asyncio.Task[Answer]) -> None:
        """Where this node might not write yet, the next wrong bytes are told."""
        if not told.cancelled() and isinstance(told.result(), Refusal):
            self._named.pop(peer, None)

    def applied(self, content: Wanted, switched: Switched, started: float, back: bool) -> None:
        """The working data are of another version since just now."""
        kind, took_s = _family(content), time.monotonic() - started
        self._engine.metrics.observe(f"distributed_{kind}_apply_duration_seconds", took_s)
        self._span(DIFF_APPLY if kind == "diff" else SNAPSHOT_APPLY, content, took_s, {"back": back})
        said: dict[str, Any] = {"version": content.version, "content": content.content.key, "back": back}
        said |= {"backup": switched.backup.name} if switched.backup is not None else {}
        said |= {"warning": switched.warning} if switched.warning is not None else {}
        self._publish(APPLIED, {**said, "tookMs": round(took_s * 1000)}, content.trace)

    def recovered(self, switched: Switched) -> None:
        """A switch that a crash had cut short was finished at the start."""
        self._engine.log.info("content_switch_finished", version=switched.applied.version)

    def not_applied(self, content: Wanted | None, why: str) -> None:
        """The working data stay as they are."""
        version = content.version if content is not None else None
        self._engine.log.error("content_not_applied", version=version, problem=why)
        if content is not None:
            self._engine.metrics.count(f"distributed_{_family(content)}_apply_errors_total")
            said = {"version": version, "content": content.content.key, "reason": why}
            self._publish(NOT_APPLIED, said, content.trace)

    def _span(self, name: str, content: Wanted, took_s: float, fields: dict[str, object]) -> None:
        if content.trace:
            start_ms = (time.time() - took_s) * 1000
            fields = {"version": content.version, **fields}
            root, own = root_span_id(content.trace), self._engine.settings.id
            span = Span(content.trace, new_span_id(), root, name, own, start_ms, took_s * 1000, fields)
            self._engine.traces.record(span)

    def _publish(self, type_: str, payload: dict[str, Any], trace: str) -> asyncio.Task[Answer]:
        """Into the cluster's log. Where this node may not write now, its own log has said it."""
        self._engine.log.info(type_.lower(), trace, **payload)
        request = Publish(type_, payload, trace=trace)
        task = asyncio.create_task(self._engine.call(request, CALL_TIMEOUT_S))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _family(content: Wanted) -> str:
    return "diff" if content.kind == "diff" else "snapshot"
