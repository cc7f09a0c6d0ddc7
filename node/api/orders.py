"""Orders to the node: leadership, conflicts, recovery, and events of a client's own (E6, S1, D1, V4)."""

import msgspec

from node.api.answers import Refused, bad_request
from node.api.bodies import GoOnBody, PublishBody, PublishQuery, ResolveBody, StepDownBody
from node.api.call import BodyT, Call, QueryT
from node.api.nesting import is_deeper
from node.protocol.requests import (
    Accepted,
    Elect,
    GoOnWithout,
    Publish,
    Published,
    Refusal,
    ResolveConflict,
    StepDown,
)

TOO_LARGE = 413


async def step_down(call: Call[None, StepDownBody]) -> Accepted:
    """The leader hands over in good order."""
    return await call.ask(StepDown(call.body.to), Accepted)


async def elect(call: Call[None, None]) -> Accepted:
    """Look at once for a leader that outranks the present one."""
    return await call.ask(Elect(), Accepted)


async def resolve(call: Call[None, ResolveBody]) -> Accepted:
    """Settle a conflict."""
    return await call.ask(ResolveConflict(call.path[0], call.body.key, call.trace), Accepted)


async def go_on(call: Call[None, GoOnBody]) -> Accepted:
    """Recover without members whose disks are lost."""
    return await call.ask(GoOnWithout(call.body.without), Accepted)


async def publish(call: Call[PublishQuery, PublishBody]) -> Published:
    """Write an event of a client's own type into the log."""
    body = call.body
    check_payload(call, body.payload, "payload")
    quorum = call.query.durability == "quorum"
    return await call.ask(Publish(body.type, body.payload, body.id, quorum, call.trace), Published)


def check_payload(call: Call[QueryT, BodyT], payload: dict[str, object], field: str) -> None:
    """What the log takes: it can be encoded as msgpack, is not too large and not too deep. Raises `Refused`."""
    nesting, bound = call.limits.max_nesting, call.engine.settings.limits.max_payload_bytes
    if is_deeper(payload, nesting):
        raise bad_request(f"{field}: nested deeper than {nesting} levels", field)
    try:
        size = len(msgspec.msgpack.encode(payload))
    except OverflowError:
        raise bad_request(f"{field}: a number beyond 64 bits", field) from None
    if size > bound:
        raise Refused(Refusal("too_large", f"{field}: {size} bytes, at most {bound} are taken", field), TOO_LARGE)
