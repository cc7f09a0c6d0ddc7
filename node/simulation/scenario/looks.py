"""Commands that look: `show` prints what instances see, those that see the same together."""

from collections.abc import Callable, Sequence

from node.protocol.shapes import ProposalView, VoteView
from node.simulation.process import Process
from node.simulation.scenario.deeds import deeds
from node.simulation.scenario.stage import Stage

_WHAT = "leader|quorum|version|members|locks|proposals|conflicts|events|verdict"


@deeds.add(f"show {_WHAT} [on NODES]")
def _show(stage: Stage, choice: str, nodes: Sequence[str] | None) -> list[str]:
    look = _LOOKS[choice]
    seen: dict[tuple[str, ...], list[str]] = {}
    for name in stage.chosen(nodes):
        seen.setdefault(tuple(look(stage.node(name))), []).append(name)
    return [f"{', '.join(names)}: {line}" for lines, names in seen.items() for line in lines]


def _leader(process: Process) -> list[str]:
    leader = process.running.view_leader(process.now)
    if leader.id is None:
        return [f"no leader, term {leader.term}"]
    return [f"{leader.id} leads, term {leader.term}"]


def _quorum(process: Process) -> list[str]:
    sees = process.running.view_quorum(process.now)
    word = "sufficient" if sees.sufficient else "insufficient"
    return [f"{word}, {sees.healthy} of {sees.total} healthy, {sees.required} needed"]


def _version(process: Process) -> list[str]:
    status = process.running.view_status(process.now)
    return [f"{status.current_version} ({status.current_hash})" if status.current_version else "no version"]


def _members(process: Process) -> list[str]:
    seen = process.running.view_instances(process.now)
    return [f"{each.id} {' '.join((each.status, *each.reasons))}" for each in seen]


def _locks(process: Process) -> list[str]:
    held = process.running.view_locks(process.now)
    return [f"{lock.resource} is held by {lock.owner}, token {lock.fencing_token}" for lock in held] or ["no locks"]


def _proposals(process: Process) -> list[str]:
    shown = process.running.view_proposals(process.now)
    return [_proposal(each) for each in reversed(shown)] or ["no proposals"]


def _proposal(shown: ProposalView) -> str:
    votes = ", ".join(
        f"{voter} {vote.vote}{f' ({vote.reason})' if vote.reason else ''}"
        for voter, vote in sorted(shown.votes.items())
    )
    place = shown.version if shown.kind == "snapshot" else f"{shown.from_} -> {shown.to}"
    lost = ", lost its conflict" if shown.settled is False else ""
    round_ = f", round {shown.round}" if shown.round else ""
    return f"{shown.kind} {place} ({shown.hash}) is {shown.state}{lost}{round_}: {votes}"


def _vote(voter: str, vote: VoteView) -> str:
    return f"{voter} {vote.vote}" + (f" ({vote.reason})" if vote.reason else "")


def _conflicts(process: Process) -> list[str]:
    lines = []
    for conflict in process.running.view_conflicts(process.now):
        hashes = {each.key: each.hash for each in conflict.candidates}
        winner = f"{hashes[conflict.winner]} won by {conflict.strategy}" if conflict.winner else "open"
        lines.append(f"{conflict.slot}: {' or '.join(sorted(hashes.values()))}, {winner}")
    return lines or ["no conflicts"]


def _events(process: Process) -> list[str]:
    status = process.running.view_status(process.now)
    return [f"{status.events} events, {status.floor_events} of them below the floor"]


def _verdict(process: Process) -> list[str]:
    return [process.running.view_status(process.now).verdict]


_LOOKS: dict[str, Callable[[Process], list[str]]] = {
    "leader": _leader,
    "quorum": _quorum,
    "version": _version,
    "members": _members,
    "locks": _locks,
    "proposals": _proposals,
    "conflicts": _conflicts,
    "events": _events,
    "verdict": _verdict,
}
