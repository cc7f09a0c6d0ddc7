"""Commands of clients: proposals, locks, events, orders. A command ends when its answer is there; `begin` goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from node.protocol.requests import (
    AcquireLock,
    Elect,
    GoOnWithout,
    Leave,
    Propose,
    Publish,
    ReleaseLock,
    RenewLock,
    Request,
    ResolveConflict,
    StepDown,
)
from node.protocol.shapes import ProposalKind
from node.simulation.scenario.deeds import deeds
from node.simulation.scenario.language import Call, Language, Unfit
from node.simulation.scenario.stage import LOOK_S, WITHIN_S, Stage, Unmet

calls = Language()
"""What may stand by itself or after `begin`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, whom to ask in turn, and for how long the client waits for each."""

    request: Request
    nodes: Sequence[str]
    patience_s: float = WITHIN_S


@deeds.add("begin CALL")
def _begin(stage: Stage, call: str) -> None:
    """Go on at once; the answer is told when it comes."""
    ask = read_call(call)(stage)
    stage.begin(ask.request, ask.nodes, ask.patience_s)


def read_call(text: str) -> Call:
    """A client's command. Raises `Unfit`."""
    return calls.read(text)


def answered(stage: Stage, ask: Ask) -> None:
    """Have a request answered, letting time pass. Raises `Unmet` if no answer comes at all."""
    done = stage.begin(ask.request, ask.nodes, ask.patience_s)
    until_s = stage.t_s + ask.patience_s * len(ask.nodes) + 1
    while not done():
        if stage.t_s > until_s:
            raise Unmet("no answer and no end of waiting")
        stage.world.run_for(LOOK_S)


def _proposal(stage: Stage, kind: ProposalKind, version: str, hash: str, base: str | None, opts: dict[str, Any]) -> Ask:
    wait = opts["duration"]
    wait_s = stage.world.plan.timing.proposal_timeout / 3 if wait is None else wait
    key = opts["key"] or stage.fresh("key")
    request = Propose(kind, version, hash, base, idempotency_key=key, wait_s=wait_s, trace=stage.fresh("trace"))
    return _ask(request, opts)


def _ask(request: Request, opts: dict[str, Any]) -> Ask:
    patience = opts.get("patience")
    return Ask(request, opts["nodes"], WITHIN_S if patience is None else patience)


_TAIL = "via NODES [for DURATION] [key KEY] [patience PATIENCE]"


@calls.add(f"propose VERSION HASH {_TAIL}")
def _propose(stage: Stage, version: str, hash: str, **opts: Any) -> Ask:
    return _proposal(stage, "snapshot", version, hash, None, opts)


@calls.add(f"propose diff|rollback BASE VERSION HASH {_TAIL}")
def _propose_change(
    stage: Stage, choice: Literal["diff", "rollback"], base: str, version: str, hash: str, **opts: Any
) -> Ask:
    return _proposal(stage, choice, version, hash, base, opts)


@calls.add("publish TYPE via NODES [id ID] [patience PATIENCE]")
def _publish(stage: Stage, type: str, id: str | None, **opts: Any) -> Ask:
    return _ask(Publish(type, {}, id), opts)


@deeds.add("publish TYPE COUNT times via NODE")
def _publish_many(stage: Stage, type: str, count: int, node: str) -> list[str]:
    """Many events, told in a line."""
    told = len(stage.chronicle.happenings)
    for _ in range(count):
        answered(stage, Ask(Publish(type, {}), [node]))
    stage.chronicle.happenings[told:] = [each for each in stage.chronicle.happenings[told:] if "client" not in each.who]
    return [f"{count} events were published"]


@calls.add("publish TYPE to a quorum via NODES [id ID] [patience PATIENCE]")
def _publish_quorum(stage: Stage, type: str, id: str | None, **opts: Any) -> Ask:
    return _ask(Publish(type, {}, id, quorum=True), opts)


@calls.add("lock RESOURCE by OWNER via NODES [ttl TTL] [for DURATION] [request REQUEST] [patience PATIENCE]")
def _lock(
    stage: Stage, resource: str, owner: str, ttl: float | None, duration: float | None, request: str | None, **opts: Any
) -> Ask:
    ttl_s = stage.world.plan.timing.lock_ttl if ttl is None else ttl
    return _ask(AcquireLock(resource, owner, request or f"{owner}/{resource}", ttl_s, duration or 0.0), opts)


@calls.add("renew RESOURCE by OWNER with TOKEN via NODES [patience PATIENCE]")
def _renew(stage: Stage, resource: str, owner: str, token: int, **opts: Any) -> Ask:
    return _ask(RenewLock(resource, owner, token), opts)


@calls.add("release RESOURCE by OWNER with TOKEN via NODES [patience PATIENCE]")
def _release(stage: Stage, resource: str, owner: str, token: int, **opts: Any) -> Ask:
    return _ask(ReleaseLock(resource, owner, token), opts)


@calls.add("force release RESOURCE via NODES")
def _force(stage: Stage, resource: str, **opts: Any) -> Ask:
    return _ask(ReleaseLock(resource, "admin", force=True), opts)


@calls.add("step down NODES [for OTHER]")
def _step_down(stage: Stage, other: str | None, **opts: Any) -> Ask:
    return _ask(StepDown(other), opts)


@calls.add("leave NODES")
def _leave(stage: Stage, **opts: Any) -> Ask:
    return _ask(Leave(), opts)


@calls.add("elect via NODES")
def _elect(stage: Stage, **opts: Any) -> Ask:
    return _ask(Elect(), opts)


@calls.add("resolve VERSION with HASH via NODES")
def _resolve(stage: Stage, version: str, hash: str, **opts: Any) -> Ask:
    process = stage.running(opts["nodes"][0])
    for conflict in process.running.view_conflicts(process.now):
        for candidate in conflict.candidates:
            if version in (candidate.version, candidate.to) and candidate.hash == hash:
                return _ask(ResolveConflict(conflict.slot, candidate.key), opts)
    raise Unfit(f"no conflict over {version} with a candidate {hash}", "one that `show conflicts` lists")


@calls.add("recover NODES without OTHERS")
def _recover(stage: Stage, others: Sequence[str], **opts: Any) -> Ask:
    return _ask(GoOnWithout(tuple(others)), opts)
