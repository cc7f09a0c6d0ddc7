"""A lock held around a block of code, renewed while the block runs and never relied on beyond its lease (L4).

The holder counts from *sending* its last acknowledged request: the leader counts from later on, so the holder's end
always comes first. When no renewal is acknowledged in time, the block is cancelled while the lease still runs.
"""

import asyncio
import time
import uuid
from types import TracebackType
from typing import Any, Self

from node.observability.traces import new_trace_id
from node.protocol.requests import AcquireLock, LockGranted, LockReleased, Refusal, ReleaseLock, RenewLock
from node.runtime.driver import Engine
from node.runtime.outcomes import CALL_TIMEOUT_S, LockLost, NodeError, Refused, expect

RENEWALS_PER_TTL = 3
"""A lock with a short TTL is renewed at least this often within it."""
LOSS_MARGIN = 0.1
"""Part of the TTL that the block of a lost lock has to wind up before the lease ends."""
RETRIES_PER_RENEWAL = 10
"""A renewal that fails is tried again after this part of the time between renewals."""


def now() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them: a lease goes on meanwhile."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lock:
    """One lock; see `Node.lock`. `token` is its fencing token, `owner` its holder's name, `ttl_s` its lease."""

    def __init__(self, engine: Engine, resource: str, owner: str, ttl_s: float | None, wait_s: float) -> None:
        timing = engine.settings.timing
        self.resource = resource
        self.owner = owner
        self.ttl_s = timing.lock_ttl if ttl_s is None else ttl_s
        self.token = 0
        self._engine = engine
        self._wait_s = wait_s
        self._renew_s = min(timing.lock_renew_interval, self.ttl_s / RENEWALS_PER_TTL)
        self._request_id = uuid.uuid4().hex
        self._sent = 0.0
        self._lost: str | None = None
        self._holder: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._renewals: asyncio.Task[None] | None = None

    @property
    def valid_for_s(self) -> float:
        """Seconds for which the lock can still be relied on."""
        if self._lost is not None or not self.token:
            return 0.0
        return max(0.0, self._sent + self.ttl_s * (1 - LOSS_MARGIN) - now())

    def check(self) -> None:
        """Raise `LockLost` unless the lock can be relied on now: call it before what must not happen twice."""
        if self.valid_for_s == 0.0:
            raise LockLost(self.resource, self._lost or "its lease ran out")

    async def __aenter__(self) -> Self:
        self._holder = asyncio.current_task()
        self._cancelling = self._holder.cancelling() if self._holder is not None else 0
        ask = AcquireLock(self.resource, self.owner, self._request_id, self.ttl_s, self._wait_s, new_trace_id())
        self._sent = now()
        try:
            granted = expect(await self._engine.call(ask, self._wait_s + CALL_TIMEOUT_S), LockGranted)
            self.token = granted.lock.fencing_token
            if now() - self._sent >= self._renew_s:
                # It was waited for: only a renewal tells since when it is ours at least.
                self._sent = now()
                expect(await self._engine.call(self._renewal(), self.ttl_s), LockGranted)
        except NodeError as problem:
            if self.token or not isinstance(problem, Refused):
                await self._give_back()
            raise
        self._renewals = asyncio.create_task(self._keep(), name=f"renewals of lock {self.resource}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewals is not None:
            self._renewals.cancel()
            self._renewals = None  # it holds this, and would be found by a search for garbage only
        if self._lost is None:
            await self._give_back()
            return
        # As asyncio.timeout() does: our own cancellation becomes the error, somebody else's stays one.
        if self._holder is None or self._holder.uncancel() <= self._cancelling:
            raise LockLost(self.resource, self._lost) from problem

    def _renewal(self) -> RenewLock:
        return RenewLock(self.resource, self.owner, self.token, self.ttl_s, new_trace_id())

    async def _give_back(self) -> None:
        release = ReleaseLock(
            self.resource, self.owner, self.token or None, None if self.token else self._request_id,
            trace=new_trace_id(),
        )  # fmt: skip
        answer = await self._engine.call(release, min(CALL_TIMEOUT_S, self.ttl_s))
        if not isinstance(answer, LockReleased):
            # Whatever it protected is over; the lease ends by itself.
            self._engine.log.warn("lock_not_released", resource=self.resource, answer=str(answer))

    async def _keep(self) -> None:
        why, pause_s = "no renewal was acknowledged in time", self._renew_s
        while (left_s := self.valid_for_s) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            if (left_s := self.valid_for_s) == 0:
                break
            sent = now()
            answer = await self._engine.call(self._renewal(), left_s)
            if isinstance(answer, LockGranted):
                self._sent, pause_s = sent, self._renew_s
            elif isinstance(answer, Refusal) and answer.reason in ("wrong_token", "not_held"):
                why = answer.detail or answer.reason
                break
            else:
                pause_s = self._renew_s / RETRIES_PER_RENEWAL
        self._lost = why
        if self._holder is not None:
            self._holder.cancel()
