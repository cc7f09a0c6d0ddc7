"""Who is no member, and what makes no sense: neither may change anything (promise 7).

A stranger speaks the language and knows the names; a member's bytes may come cut short; a client may ask for nonsense.
"""

from random import Random

import msgspec

from node.protocol.effects import Received, Tick
from node.protocol.events import SNAPSHOT_CREATED, SNAPSHOT_PROPOSAL, Event
from node.protocol.messages import ControlReset, Envelope, Message, Push, Recover, VoteRequest
from node.protocol.records import ControlState
from node.protocol.requests import Propose, Publish, Request, ResolveConflict
from node.simulation.process import Process
from node.simulation.transport import decode, encode
from node.simulation.violation import Violation

FAR_TERM = 1_000_000
FORGED = Event("forged", "A", "no-journal", 1, SNAPSHOT_PROPOSAL, 0, 0, "", {})


def accost(process: Process, member: Process, rng: Random) -> str:
    """Say to `process` what only members may say, under a wrong name; gives what it was. Raises `Violation`."""
    message: Message = rng.choice(
        (
            VoteRequest(FAR_TERM, FAR_TERM, FAR_TERM),
            ControlReset(FAR_TERM, 0, ControlState(), 0),
            Push((FORGED,)),
            Recover("no-journal"),
        )
    )
    genuine = member.running.envelope(process.id, (message,))
    data = encode(genuine)
    _is_no_envelope(process, data[: rng.randrange(len(data))])
    wrong: Envelope = rng.choice(
        (
            msgspec.structs.replace(genuine, cluster="elsewhere"),
            msgspec.structs.replace(genuine, sender="stranger"),
            msgspec.structs.replace(genuine, to="somebody-else"),
        )
    )
    # A vote that a verdict of the last step asks for is written with the next one: that is not the stranger's doing.
    while process.up and process.step(Tick()):
        continue
    if not process.up:
        return type(message).__name__
    before = _state(process)
    written = process.step(Received(decode(encode(wrong))))
    if written or (process.up and _state(process) != before):
        raise Violation("promise 7", process.name, f"was changed by a {type(message).__name__} of no member of its own")
    return type(message).__name__


def nonsense(rng: Random, name: str) -> Request:
    """A client's request under its own id `name`, which every node must refuse."""
    return rng.choice(
        (
            Propose("snapshot", "1.0.0+build", "a", idempotency_key=name),
            Propose("snapshot", "no version", "a", idempotency_key=name),
            Propose("snapshot", "1" * 1_000, "a", idempotency_key=name),
            Propose("snapshot", "1.0.0", "", idempotency_key=name),
            Propose("diff", "1.0.0", "a", "2.0.0", idempotency_key=name),
            Publish(SNAPSHOT_PROPOSAL, {}, name),
            Publish("", {}, name),
            Publish(SNAPSHOT_CREATED, {"much": "x" * 300_000}, name),
            ResolveConflict("version:no-such", name),
        )
    )


def _is_no_envelope(process: Process, data: bytes) -> None:
    try:
        decode(data)
    except msgspec.DecodeError:
        return
    raise Violation("promise 7", process.name, f"takes {len(data)} bytes of an envelope for a whole one")


def _state(process: Process) -> tuple[object, ...]:
    core = process.running
    status = core.view_status(process.now)
    return status.leader.term, status.state_digest, dict(core.vector), *core.parts.control.position
