"""Locks: any node takes the request, only the leader grants (L)."""

from node.api import checks
from node.api.answers import bad_request
from node.api.bodies import AcquireBody, ForceReleaseBody, ReleaseBody, RenewBody
from node.api.call import Asked, BodyT, Call, QueryT, expect
from node.protocol.requests import AcquireLock, Answer, LockGranted, LockReleased, ReleaseLock, RenewLock
from node.protocol.shapes import LockView


def acquire(call: Call[None, AcquireBody]) -> Asked[LockView]:
    """Take a lock, or wait for it."""
    body = call.body
    wait = checks.wait_s(call, body.wait)
    ttl = call.engine.settings.timing.lock_ttl if body.ttl is None else checks.ttl_s(call, body.ttl)
    # Without an id of the client's the trace names the request: a repeat is then another one (L2).
    request_id = call.trace if body.request_id is None else checks.name(call, "requestId", body.request_id)
    request = AcquireLock(resource(call), owner(call, body.owner), request_id, ttl, wait, call.trace)
    return call.ask(request, _lock, wait)


def renew(call: Call[None, RenewBody]) -> Asked[LockView]:
    """Start a held lock's lease anew."""
    body = call.body
    ttl = None if body.ttl is None else checks.ttl_s(call, body.ttl)
    request = RenewLock(resource(call), owner(call, body.owner), body.fencing_token, ttl, call.trace)
    return call.ask(request, _lock)


def release(call: Call[None, ReleaseBody]) -> Asked[LockReleased]:
    """Give a lock back."""
    body = call.body
    if body.fencing_token is None and body.request_id is None:
        raise bad_request("fencingToken: expected it, or the requestId of the acquire", "fencingToken")
    request_id = None if body.request_id is None else checks.name(call, "requestId", body.request_id)
    request = ReleaseLock(resource(call), owner(call, body.owner), body.fencing_token, request_id, trace=call.trace)
    return call.ask(request, _released)


def force_release(call: Call[None, ForceReleaseBody]) -> Asked[LockReleased]:
    """Take a lock from whoever holds it: an admin's act."""
    body = call.body
    who = owner(call, body.owner)
    request = ReleaseLock(resource(call), who, body.fencing_token, force=True, trace=call.trace)
    return call.ask(request, _released)


def resource(call: Call[QueryT, BodyT]) -> str:
    """The resource in the path."""
    return checks.name(call, "resource", call.path[0])


def owner(call: Call[QueryT, BodyT], given: str) -> str:
    """Who asks."""
    return checks.name(call, "owner", given)


def _lock(answer: Answer) -> LockView:
    return expect(answer, LockGranted).lock


def _released(answer: Answer) -> LockReleased:
    return expect(answer, LockReleased)
