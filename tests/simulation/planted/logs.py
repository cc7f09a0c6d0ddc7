"""The control log and what hangs on it weakened (E4, E5, L1-L4)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from node.protocol import control as control_
from node.protocol import locks as locks_
from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.control_state import apply_entry, copy_state
from node.protocol.locks import LockService
from node.protocol.messages import ControlAppend, LockCall
from node.protocol.peer import Peer
from node.protocol.records import ControlReplaced, Durable, Grant, Release
from tests.simulation.planted.bug import CRASHES, CUTS, DOUBLED, LOSSY, bug
from tests.simulation.planted.patches import around, on_disk

Patch = pytest.MonkeyPatch


@bug("a new leader serves before its log is re-stamped", "E4", *CUTS, "crash_between_effects", nodes=5)
def served_at_once(patch: Patch) -> None:
    def lead(original: Callable[..., None], self: Control, term: int, stamped: Callable[[], None]) -> None:
        original(self, term, lambda: None)
        stamped()

    around(patch, Control, "lead", lead)


@bug("a new leader goes on under the old stamp", "E4", *CUTS, "crash_between_effects")
def old_stamp(patch: Patch) -> None:
    def lead(original: Callable[..., None], self: Control, term: int, stamped: Callable[[], None]) -> None:
        stamp, index = self.stamp, self.index
        original(self, term, stamped)
        if stamp:
            self._ctx._records = [r for r in self._ctx._records if not isinstance(r, ControlReplaced)]
            self.stamp = stamp
            self._ctx.persist(ControlReplaced(stamp, index + 1, copy_state(self.state)))

    around(patch, Control, "lead", lead)


@bug("a grant is answered when the leader's own disk has it", "E5", *CUTS)
def own_disk_suffices(patch: Patch) -> None:
    def append(original: Callable[..., None], self: Control, entry: Any, done: Any = None, *asked_by: Any) -> None:
        original(self, entry, None, *asked_by)
        if done is not None:
            done()

    around(patch, Control, "append", append)


@bug("an ack counts whatever its term", "E5", *CUTS, weather=LOSSY)
def any_ack(patch: Patch) -> None:
    def ack(original: Callable[..., None], self: Control, peer: Peer, ack: Any) -> None:
        if self.leading and not ack.gap:
            self._match[peer.member.id] = max(self.index, self._match.get(peer.member.id, 0))
        original(self, peer, ack)

    around(patch, Control, "on_ack", ack)


@bug("locks are forgotten in a restart", "L1")
def forgotten_locks(patch: Patch) -> None:
    def forget(durable: Durable) -> None:
        durable.control.locks.clear()
        durable.control.token = 0

    on_disk(patch, forget)


@bug("entries are appended over a gap", "L1", *CUTS, weather=LOSSY)
def over_a_gap(patch: Patch) -> None:
    def append(original: Callable[..., None], self: Control, peer: Peer, got: ControlAppend, may_ack: bool) -> None:
        if self.stamp == got.term and got.first > self.index + 1:
            self.index = got.first - 1
        original(self, peer, got, may_ack)

    around(patch, Control, "on_append", append)


@bug("each resource counts its own tokens", "L1", "crash")
def own_tokens(patch: Patch) -> None:
    def grant(original: Callable[..., None], self: LockService, instance: str, call: LockCall) -> None:
        kept, self._control.state.token = self._control.state.token, self._queues.__len__()
        original(self, instance, call)
        self._control.state.token = max(kept, self._control.state.token)

    around(patch, LockService, "_grant", grant)


@bug("a release leaves no mark", "L2", "slow_link", "flap", "one_way", weather=LOSSY, first=2)
def no_mark(patch: Patch) -> None:
    def apply(original: Callable[..., None], state: Any, entry: Any) -> None:
        original(state, entry)
        if isinstance(entry, Release):
            state.marks.clear()

    around(patch, control_, "apply_entry", apply)


@bug("a late copy of a refused acquire is granted", "L2", "slow_link", "partition", weather=LOSSY, rare=True)
def refused_and_granted(patch: Patch) -> None:
    def refuse(original: Callable[..., None], self: LockService, instance: str, call: LockCall, *why: Any) -> None:
        original(self, instance, call, *why)
        self._refused.clear()

    around(patch, LockService, "_refuse", refuse)


@bug(
    "a leader takes a call of a term in which it led before", "L2", "isolate", "pause",
    weather=DOUBLED, clients=8, think_s=0.05, duration_s=60.0, exchange=False, rare=True,
)  # fmt: skip
def call_of_a_former_term(patch: Patch) -> None:
    def handle(original: Callable[..., None], self: LockService, instance: str, call: LockCall) -> None:
        original(self, instance, msgspec.structs.replace(call, term=0))

    around(patch, LockService, "handle", handle)


@bug("whoever got the lock stays in the queue", "L3", "crash")
def served_and_still_waiting(patch: Patch) -> None:
    def serve(self: LockService, resource: str) -> None:
        queue = self._queues.get(resource)
        if queue:
            self._grant(queue[0].instance, queue[0].call)

    patch.setattr(LockService, "_next", serve)


@bug("a lease ends before the holder's does", "L4", "slow_link", rare=True)
def short_lease(patch: Patch) -> None:
    patch.setattr(locks_, "CLOCK_RATE_MARGIN", 0.8)


@bug("a new leader takes inherited locks for expired", "L4", "crash", "pause", "isolate", first=6)
def no_second_lease(patch: Patch) -> None:
    def begin(original: Callable[..., None], self: LockService) -> None:
        original(self)
        self._deadlines = dict.fromkeys(self._deadlines, self._ctx.mono)

    around(patch, LockService, "begin", begin)


@bug("a lease is measured by the wall clock", "L4", "wall_step", "wall_drift", first=2)
def wall_lease(patch: Patch) -> None:
    def by_wall(original: Callable[..., Any], self: LockService, *args: Any) -> Any:
        mono, self._ctx.mono = self._ctx.mono, self._ctx.wall_ms / 1000
        try:
            return original(self, *args)
        finally:
            self._ctx.mono = mono

    for name in ("begin", "_deadline", "tick"):
        around(patch, LockService, name, by_wall)
    patch.setattr(Context, "wake", lambda self, at: setattr(self, "wake_at", min(self.wake_at, at, self.mono + 0.2)))


@bug("a grant is answered without its own record", "L1", *CRASHES)
def unwritten_grants(patch: Patch) -> None:
    def append(original: Callable[..., None], self: Control, entry: Any, done: Any = None, *asked_by: Any) -> None:
        if not isinstance(entry, Grant) or done is None:
            original(self, entry, done, *asked_by)
            return
        apply_entry(self.state, entry)
        self.confirm(done)

    around(patch, Control, "append", append)
