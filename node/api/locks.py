"""Locks: any node takes the request, only the leader grants (L)."""

from node.api.answers import bad_request
from node.api.bodies import AcquireBody, ForceReleaseBody, ReleaseBody, RenewBody
from node.api.call import Call
from node.api.proposals import wait_s
from node.protocol.requests import (
    AcquireLock,
    LockGranted,
    LockReleased,
    LockView,
    ReleaseLock,
    RenewLock,
)


async def acquire(call: Call[None, AcquireBody]) -> LockView:
    """Take a lock, or wait for it."""
    body = call.body
    wait = wait_s(call, body.wait)
    ttl = body.ttl if body.ttl is not None else call.engine.settings.timing.lock_ttl
    # Without an id of the client's the trace names the request: a repeat is then another one (L2).
    request = AcquireLock(call.path[0], body.owner, body.request_id or call.trace, ttl, wait, call.trace)
    return (await call.ask(request, LockGranted, wait)).lock


async def renew(call: Call[None, RenewBody]) -> LockView:
    """Start a held lock's lease anew."""
    body = call.body
    request = RenewLock(call.path[0], body.owner, body.fencing_token, body.ttl, call.trace)
    return (await call.ask(request, LockGranted)).lock


async def release(call: Call[None, ReleaseBody]) -> LockReleased:
    """Give a lock back."""
    body = call.body
    if body.fencing_token is None and body.request_id is None:
        raise bad_request("fencingToken: expected it, or the requestId of the acquire", "fencingToken")
    request = ReleaseLock(call.path[0], body.owner, body.fencing_token, body.request_id, trace=call.trace)
    return await call.ask(request, LockReleased)


async def force_release(call: Call[None, ForceReleaseBody]) -> LockReleased:
    """Take a lock from whoever holds it: an admin's act."""
    request = ReleaseLock(call.path[0], call.body.owner, force=True, trace=call.trace)
    return await call.ask(request, LockReleased)
