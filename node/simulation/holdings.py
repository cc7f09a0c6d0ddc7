"""Locks as their clients have them (promise 2): tokens are unique and grow, and no lock has two holders at once.

A client takes itself for the holder until its machine's monotonic clock shows the end of its lease; while clock rates
agree, no other may do so meanwhile (L4).
"""

from dataclasses import dataclass

from node.protocol.requests import AcquireLock
from node.protocol.shapes import LockView
from node.simulation.ground import Ground
from node.simulation.process import Process
from node.simulation.violation import Violation

PROMISE = "promise 2"


@dataclass(slots=True)
class _Holding:
    """A lock as its client believes: valid until its machine's monotonic clock shows `until`."""

    owner: str
    token: int
    machine: Process
    until: float


class Holdings:
    """What the clients of one world were told of locks. Raises `Violation` when two things told cannot both be."""

    def __init__(self, ground: Ground) -> None:
        self._schedule = ground.schedule
        self._clocks_agree = ground.plan.clocks_agree
        self.highest_token = 0
        """The highest fencing token that a client has been given."""
        self.given: dict[int, tuple[str, str]] = {}
        """Token -> resource and owner."""
        self.ended: set[int] = set()
        """Tokens whose release was acknowledged."""
        self._requests: dict[int, str] = {}
        self._gone: dict[str, tuple[float, int]] = {}
        """Request ids of locks whose release was acknowledged -> true time and token."""
        self._held: dict[str, _Holding] = {}

    def granted(
        self, machine: Process, request: AcquireLock, lock: LockView, highest_before: int, until: float
    ) -> None:
        """A client on `machine` got a lock, having seen no token above `highest_before` when it asked."""
        token = lock.fencing_token
        known = self._requests.setdefault(token, request.request_id)
        if known != request.request_id:
            raise Violation(PROMISE, request.resource, f"token {token} was given to {known} and {request.request_id}")
        if token <= highest_before:
            raise Violation(PROMISE, request.resource, f"token {token} was given after {highest_before}")
        self.highest_token = max(self.highest_token, token)
        self.given[token] = (request.resource, request.owner)
        self._hold(machine, request.resource, _Holding(request.owner, token, machine, until))

    def renewed(self, machine: Process, lock: LockView, until: float) -> None:
        """A client's lease starts anew."""
        self._hold(machine, lock.resource, _Holding(lock.owner, lock.fencing_token, machine, until))

    def _hold(self, machine: Process, resource: str, new: _Holding) -> None:
        t = self._schedule.t
        if machine.clocks.mono(t) >= new.until:
            return
        held = self._held.get(resource)
        if held and held.token != new.token and held.machine.clocks.mono(t) < held.until:
            if self._clocks_agree:
                left_s = held.until - held.machine.clocks.mono(t)
                story = f"{new.owner} holds #{new.token} while {held.owner} holds #{held.token} for {left_s:.3f} s more"
                raise Violation(PROMISE, resource, story)
            if held.token > new.token:
                return
        self._held[resource] = new

    def until(self, resource: str, token: int) -> float:
        """Until when the client may take itself for the holder, by its machine's monotonic clock."""
        held = self._held.get(resource)
        return held.until if held and held.token == token else float("-inf")

    def let_go(self, resource: str, token: int) -> None:
        """A client ends its use of a lock, and is about to say so."""
        held = self._held.get(resource)
        if held and held.token == token:
            del self._held[resource]

    def released(self, token: int) -> None:
        """A release was acknowledged."""
        self.ended.add(token)
        self._gone[self._requests[token]] = self._schedule.t, token

    def gone_s(self, request_id: str, token: int) -> float:
        """How long before `token` was given to this request a lower one of it was released; infinite if none was.

        A follower that lags writes a token that was given, and ended, long before the release.
        """
        since, released = self._gone.get(request_id, (float("-inf"), 0))
        return self._schedule.t - since if token > released else float("inf")
