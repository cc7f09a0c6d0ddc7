"""What a script can wait for or expect. A condition answers with what is missing, or with nothing."""

from collections.abc import Iterator, Sequence

from node.simulation.scenario.language import Language
from node.simulation.scenario.stage import Stage
from node.simulation.settle import stall

conditions = Language()


@conditions.add("leader NODE [on NODES]")
def _leader(stage: Stage, node: str, nodes: Sequence[str] | None) -> str:
    stage.node(node)
    for name in stage.chosen(nodes):
        known = stage.status(name).leader.id
        if known != node:
            return f"{name} follows {known or 'nobody'}"
    return "" if _serves(stage, node) else f"{node} does not serve"


@conditions.add("a leader [on NODES]")
def _a_leader(stage: Stage, nodes: Sequence[str] | None) -> str:
    names = stage.chosen(nodes)
    leader = stage.status(names[0]).leader.id if names else None
    return str(_leader(stage, leader, names)) if leader else "nobody leads"


@conditions.add("no leader [on NODES]")
def _no_leader(stage: Stage, nodes: Sequence[str] | None) -> str:
    for name in stage.chosen(nodes):
        leader = stage.status(name).leader
        if leader.id:
            return f"{name} follows {leader.id} in term {leader.term}"
    return ""


@conditions.add("NODE leads")
def _leads(stage: Stage, node: str) -> str:
    return "" if _serves(stage, node) else f"{node} does not lead"


@conditions.add("NODE does not lead")
def _does_not_lead(stage: Stage, node: str) -> str:
    return f"{node} leads" if _serves(stage, node) else ""


@conditions.add("quorum [on NODES]")
def _quorum(stage: Stage, nodes: Sequence[str] | None) -> str:
    return _first(f"{name} has none" for name in stage.chosen(nodes) if not stage.status(name).quorum.sufficient)


@conditions.add("no quorum [on NODES]")
def _no_quorum(stage: Stage, nodes: Sequence[str] | None) -> str:
    return _first(f"{name} has quorum" for name in stage.chosen(nodes) if stage.status(name).quorum.sufficient)


@conditions.add("NODE sees OTHER STATUS [for REASON]")
def _sees(stage: Stage, node: str, other: str, status: str, reason: str | None) -> str:
    stage.node(other)
    seen = next(each for each in stage.status(node).instances if each.id == other)
    if seen.status != status or (reason and not any(each.startswith(reason) for each in seen.reasons)):
        return f"{node} sees {other} {seen.status} {', '.join(seen.reasons)}".rstrip()
    return ""


@conditions.add("NODE is STATUS [for REASON]")
def _is(stage: Stage, node: str, status: str, reason: str | None) -> str:
    return str(_sees(stage, node, node, status, reason))


@conditions.add("NODE may vote")
def _may_vote(stage: Stage, node: str) -> str:
    return "" if _votes(stage, node) else f"{node} may not vote"


@conditions.add("NODE may not vote")
def _may_not_vote(stage: Stage, node: str) -> str:
    return f"{node} may vote" if _votes(stage, node) else ""


@conditions.add("version VERSION [of HASH] [on NODES]")
def _version(stage: Stage, version: str, hash: str | None, nodes: Sequence[str] | None) -> str:
    wanted = None if version == "none" else version
    for name in stage.chosen(nodes):
        status = stage.status(name)
        if status.current_version != wanted or (hash and status.current_hash != hash):
            return f"{name} is at version {status.current_version or 'none'} ({status.current_hash})"
    return ""


@conditions.add("VERSION of HASH is accepted|rejected|pending|expired [on NODES]")
def _proposal(stage: Stage, version: str, hash: str, choice: str, nodes: Sequence[str] | None) -> str:
    for name in stage.chosen(nodes):
        process = stage.node(name)
        found = [
            shown.state
            for shown in process.running.view_proposals(process.now)
            if (shown.version or shown.to) == version and shown.hash == hash
        ]
        if choice not in found:
            return f"{version} ({hash}) is {' and '.join(found) or 'unknown'} on {name}"
    return ""


@conditions.add("nothing open [on NODES]")
def _nothing_open(stage: Stage, nodes: Sequence[str] | None) -> str:
    for name in stage.chosen(nodes):
        status = stage.status(name)
        if status.open_proposals:
            return f"{name} has {status.open_proposals} open proposals"
    return ""


@conditions.add("lock RESOURCE held by OWNER [with TOKEN] [on NODES]")
def _held(stage: Stage, resource: str, owner: str, token: int | None, nodes: Sequence[str] | None) -> str:
    for name in stage.chosen(nodes):
        process = stage.node(name)
        lock = next((k for k in process.running.view_locks(process.now) if k.resource == resource), None)
        if lock is None or lock.owner != owner or (token and lock.fencing_token != token):
            return f"{name} has {resource} " + (f"held by {lock.owner} #{lock.fencing_token}" if lock else "free")
    return ""


@conditions.add("lock RESOURCE free [on NODES]")
def _free(stage: Stage, resource: str, nodes: Sequence[str] | None) -> str:
    for name in stage.chosen(nodes):
        process = stage.node(name)
        if any(lock.resource == resource for lock in process.running.view_locks(process.now)):
            return f"{resource} is held, says {name}"
    return ""


@conditions.add("rest")
def _rest(stage: Stage) -> str:
    held_up = stall(stage.world)
    return "" if held_up is None else " ".join(held_up)


def _first(missing: Iterator[str]) -> str:
    return next(missing, "")


def _serves(stage: Stage, name: str) -> bool:
    return stage.node(name).up and stage.status(name).leader.lease_remaining_ms > 0


def _votes(stage: Stage, name: str) -> bool:
    return stage.status(name).status != "unreachable"
