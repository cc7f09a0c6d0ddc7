"""Orders to the node: leadership, conflicts, recovery, and events of a client's own (E6, S1, D1, V4)."""

from node.api import checks
from node.api.bodies import GoOnBody, PublishBody, PublishQuery, ResolveBody, StepDownBody
from node.api.call import Asked, Call, expect
from node.protocol.requests import Accepted, Answer, Elect, GoOnWithout, Publish, Published, ResolveConflict, StepDown


def step_down(call: Call[None, StepDownBody]) -> Asked[Accepted]:
    """The leader hands over in good order."""
    return call.ask(StepDown(call.body.to), _accepted)


def elect(call: Call[None, None]) -> Asked[Accepted]:
    """Look at once for a leader that outranks the present one."""
    return call.ask(Elect(), _accepted)


def resolve(call: Call[None, ResolveBody]) -> Asked[Accepted]:
    """Settle a conflict."""
    return call.ask(ResolveConflict(call.path[0], call.body.key, call.trace), _accepted)


def go_on(call: Call[None, GoOnBody]) -> Asked[Accepted]:
    """Recover without members whose disks are lost."""
    return call.ask(GoOnWithout(call.body.without), _accepted)


def publish(call: Call[PublishQuery, PublishBody]) -> Asked[Published]:
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
    return call.ask(request, _published)


def _accepted(answer: Answer) -> Accepted:
    return expect(answer, Accepted)


def _published(answer: Answer) -> Published:
    return expect(answer, Published)
