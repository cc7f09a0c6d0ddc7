"""What an operator may order of a node: hand over, look for a better leader, recover without a lost member."""

from node.protocol.alarms import in_words, no_writing
from node.protocol.parts import Parts
from node.protocol.requests import Accepted, Refusal


def step_down(parts: Parts, to: str | None) -> Accepted | Refusal:
    """Hand over leadership in good order (E6), to the next by rank unless `to` names somebody."""
    election, members = parts.election, parts.members
    if not election.leads:
        return _not_leader(parts)
    if election.handover.to is not None:
        return Refusal("stepping_down", f"already handing over to {election.handover.to}")
    able = [name for name, peer in members.peers.items() if name in members.voters and peer.alive]
    if to is not None and to not in able:
        could = ", ".join(able) or "none"
        return Refusal("no_candidate", f"{to} is not a voter that is alive here; could be: {could}")
    to = to or election.handover.heir()
    if to is None:
        return Refusal("no_candidate", "no other voter is alive here")
    election.hand_over(to)
    return Accepted(f"handing over to {to}", "hands_over", to)


def elect(parts: Parts) -> Accepted | Refusal:
    """Review the ranking now instead of at the next election interval (E6)."""
    if not parts.election.leads:
        return _not_leader(parts)
    candidate = parts.election.review()
    if candidate is None:
        own = parts.settings.id
        return Accepted(f"{own} stays: nobody healthy for a whole election interval outranks it", "stays", own)
    return Accepted(f"handing over to {candidate}", "hands_over", candidate)


def go_on_without(parts: Parts, names: tuple[str, ...]) -> Accepted | Refusal:
    """Recover without the answers of members whose disks are lost (D1)."""
    unknown = [name for name in names if name not in parts.members.peers]
    if unknown:
        return Refusal("bad_request", f"not a member: {', '.join(unknown)}", field="without")
    if parts.recovery.ready:
        return Refusal("bad_request", "this node is not recovering", field="without")
    parts.recovery.go_on_without(names)
    hindrance = parts.recovery.alarm()
    state = "ready" if parts.recovery.ready or hindrance is None else in_words(hindrance, parts.members.own)
    return Accepted(f"recovering without {', '.join(names)}: {state}")


def cannot(parts: Parts) -> Refusal:
    """Why this node takes no requests now (H2)."""
    hindrance = parts.recovery.alarm()
    if hindrance is not None:
        return Refusal("recovering", in_words(hindrance, parts.members.own))
    return Refusal("cannot_vote", f"{no_writing(parts.members)}; ask another")


def _not_leader(parts: Parts) -> Refusal:
    return Refusal("not_leader", f"the leader is {parts.election.leader or 'unknown'}; ask it")
