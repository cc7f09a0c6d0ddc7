"""Members change one at a time (M3): the next change only when all run the last, and a leader of theirs was elected.

Two member lists that differ by one voter share a member in any two of their strict majorities; lists that differ by
more need not, and then two leaders, or two accepted hashes, could exist side by side. A leader that a list has elected
brings all that was acknowledged under the one before to a strict majority of its own: until then what members who left
held may be on too few disks for the next list.
"""

from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.membership import Membership
from node.protocol.records import Configured
from node.protocol.settings import Settings


class MembersRefused(Exception):
    """The configured members are too far from the ones this disk last ran with. The message says what to do."""


def described(settings: Settings) -> dict[str, str]:
    """The members as they are remembered: id -> what it is."""
    return {m.id: f"{m.url} protocol {m.protocol}" for m in settings.members}


def check_step(last: Configured | None, settings: Settings, *, force: bool) -> None:
    """Raise `MembersRefused` unless `settings` is at most one member away from `last`, and `last` was run by all."""
    if last is None or force or last.digest == settings.digest:
        return
    now, then = described(settings), last.members
    steps = [f"+{name}" for name in sorted(now.keys() - then.keys())]
    steps += [f"-{name}" for name in sorted(then.keys() - now.keys())]
    both = sorted(now.keys() & then.keys())
    steps += [f"{name} to {_protocol(now[name])}" for name in both if _protocol(now[name]) != _protocol(then[name])]
    if not steps:
        return  # A new URL, rule or strategy changes no majority; differing digests keep votes apart meanwhile (M2).
    words = ", ".join(steps)
    risk = "--force-members overrides; two halves of the cluster could then decide differently"
    if len(steps) > 1:
        raise MembersRefused(
            f"instances.json changes {len(steps)} members at once ({words}); expected one at a time: "
            f"start every node with the first change, then make the next ({risk})"
        )
    if not last.settled:
        raise MembersRefused(
            f"instances.json changes {words} before all members were seen running the last change, with a leader; "
            f"start all with the last one first, and wait for a leader ({risk})"
        )


def _protocol(member: str) -> str:
    """Whether it votes hangs on this part of what is remembered of a member (M4)."""
    return member[member.rindex("protocol ") :]


class Reconfiguration:
    """Notes when all members run this node's member list, and have a leader."""

    def __init__(self, ctx: Context, members: Membership, control: Control) -> None:
        self._ctx = ctx
        self._members = members
        self._control = control
        self._settled = False

    def start(self, last: Configured | None) -> None:
        """Remember what this node runs from now on."""
        settings = self._ctx.settings
        if last is not None and last.digest == settings.digest:
            self._settled = last.settled
            return
        self._ctx.persist(Configured(settings.digest, described(settings), False))
        self.look()

    def look(self) -> None:
        """With every heartbeat that comes: do all voting members run our digest, and have they elected a leader?"""
        # What is known to be committed became so since this node started with this list, by a leader of this list (M2).
        if self._settled or not self._control.commit:
            return
        members = self._members
        if all(peer.digest == members.digest for peer in members.peers.values() if peer.member.votes):
            self._settled = True
            settings = self._ctx.settings
            self._ctx.persist(Configured(settings.digest, described(settings), True))
            self._ctx.observe("MEMBERS_SETTLED", digest=settings.digest)
