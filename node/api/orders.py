"""Orders to the node: leadership, conflicts, recovery, and events of a client's own (E6, S1, D1, V4)."""

from node.api import checks
from node.api.bodies import GoOnBody, PublishBody, PublishQuery, ResolveBody, StepDownBody
from node.api.call import Call
from node.protocol.requests import Accepted, Elect, GoOnWithout, Publish, Published, ResolveConflict, StepDown


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
    event_id = None if body.id is None else checks.name(call, "id", body.id)
    quorum = call.query.durability == "quorum"
    request = Publish(
        checks.name(call, "type", body.type),
        checks.payload(call, "payload", body.payload),
        event_id,
        quorum,
        call.trace,
    )
    return await call.ask(request, Published)
