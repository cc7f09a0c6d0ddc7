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
    # By exact type: `isinstance` of msgspec's classes, and so `match`, costs five times as much where it does not hold.
    if type(entry) is Grant:
        lock = entry.lock
        state.token = lock.token
        state.locks[lock.resource] = lock
    elif type(entry) is Release:
        resource, token = entry.resource, entry.token
        held = state.locks.get(resource)
        if held is not None and held.token == token:
            del state.locks[resource]
            state.marks[held.request_id] = (resource, token)
        elif token == 0 and entry.request_id:
            state.marks[entry.request_id] = (resource, 0)
    elif type(entry) is Renew:
        resource, token = entry.resource, entry.token
        held = state.locks.get(resource)
        if held is not None and held.token == token:
            renewed = LockRecord(resource, held.owner, held.instance, token, entry.ttl_ms, held.request_id)
            state.locks[resource] = renewed
    elif type(entry) is Forget:
        for request_id in entry.request_ids:
            state.marks.pop(request_id, None)
    elif type(entry) is Floor:
        state.floor = entry
