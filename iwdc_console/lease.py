"""A held lock as its holder counts it (L4).

The lease is counted from *sending* the last acknowledged acquire or renewal, on a clock that goes on while the machine
sleeps, and shortened by the tenth that clocks may differ: the holder's end always comes before the leader's.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iwdc_console.client import Client, segment
from iwdc_console.outcomes import ClientError

CLOCK_MARGIN = 0.1
"""Part of the lease given up because clock rates may differ by that much (L4)."""
RENEWALS = 3
"""Renewals per lease: every 10 s of the default 30 s."""
ANSWER_TIMEOUT_S = 2.0


def now() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lock. `sent` is when the acknowledged request left, in seconds of `now`."""

    lock: dict[str, Any]
    sent: float

    @property
    def ttl_s(self) -> float:
        """What the leader granted."""
        return float(self.lock["ttlMs"]) / 1000

    @property
    def ends_at(self) -> float:
        """From then on it may be somebody else's."""
        return self.sent + self.ttl_s * (1 - CLOCK_MARGIN)

    @property
    def renew_at(self) -> float:
        """When it is time for the next renewal."""
        return self.sent + self.ttl_s / RENEWALS

    @property
    def pause_s(self) -> float:
        """How long to wait after a renewal that failed."""
        return self.ttl_s / RENEWALS**2


def acquire(client: Client, resource: str, owner: str, request_id: str, ttl_s: float | None, wait_s: float) -> Lease:
    """Take a lock, or wait for it. Raises `ClusterRefused` when it is not granted, any other `ClientError`.

    A wait for the grant counts against the lease: renew it before anything relies on it.
    """
    body: dict[str, Any] = {"owner": owner, "requestId": request_id, "wait": wait_s}
    if ttl_s is not None:
        body["ttl"] = ttl_s
    sent = now()
    return Lease(client.post(path(resource, "acquire"), body, wait_s=wait_s, repeatable=True).data, sent)


def renew(client: Client, lease: Lease) -> Lease:
    """Start the lease anew. Raises any `ClientError`."""
    body = {"owner": lease.lock["owner"], "fencingToken": lease.lock["fencingToken"], "ttl": lease.ttl_s}
    sent = now()
    return Lease(client.post(path(lease.lock["resource"], "renew"), body, repeatable=True).data, sent)


def take_back(client: Client, resource: str, owner: str, request_id: str) -> None:
    """Release what a request may have been granted unheard, without long patience: it ends with its lease anyway."""
    quick = Client(client.nodes, ANSWER_TIMEOUT_S, ANSWER_TIMEOUT_S)
    with contextlib.suppress(ClientError):
        quick.post(path(resource, "release"), {"owner": owner, "requestId": request_id}, repeatable=True)


def renewing(nodes: Sequence[str], lease: Lease) -> Client:
    """A client that gives up early enough for another try."""
    patience_s = min(ANSWER_TIMEOUT_S, lease.ttl_s / RENEWALS / 2)
    return Client(nodes, patience_s, patience_s)


def path(resource: str, verb: str) -> str:
    """Where a lock is asked for."""
    return f"distributed/locks/{segment(resource)}/{verb}"
