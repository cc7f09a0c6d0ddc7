"""What an entry of the control log does to the state, for leader, follower and disk alike (L1)."""

from node.protocol.records import ControlEntry, ControlState, Floor, Forget, Grant, LockRecord, Release, Renew


def copy_state(state: ControlState) -> ControlState:
    """A state of its own: entries applied to one do not show in the other."""
    return ControlState(state.token, dict(state.locks), dict(state.marks), state.floor)


def apply_entry(state: ControlState, entry: ControlEntry) -> None:
    """Apply `entry` to `state`, in place.

    A renewal or release of a token that is no longer held changes nothing: the log may name a lock that ended before.
    A release leaves its lock's request id as a mark (L2); with token 0 it marks a request that holds nothing.
    """
    match entry:
        case Grant(lock=lock):
            state.token = lock.token
            state.locks[lock.resource] = lock
        case Renew(resource=resource, token=token, ttl_ms=ttl_ms):
            held = state.locks.get(resource)
            if held is not None and held.token == token:
                state.locks[resource] = LockRecord(resource, held.owner, held.instance, token, ttl_ms, held.request_id)
        case Release(resource=resource, token=token, request_id=request_id):
            held = state.locks.get(resource)
            if held is not None and held.token == token:
                del state.locks[resource]
                state.marks[held.request_id] = (resource, token)
            elif token == 0 and request_id:
                state.marks[request_id] = (resource, 0)
        case Forget(request_ids=request_ids):
            for request_id in request_ids:
                state.marks.pop(request_id, None)
        case Floor():
            state.floor = entry
