"""Handing over leadership in good order (E6): to whom, and how. One fault, one change of leader, one more to the best.

The leader looks for a candidate that clearly outranks it and that a strict majority has seen healthy for a whole
election interval. It brings the candidate's control log level and sends it a permit to campaign; if that comes to
nothing it goes on itself.
"""

from collections.abc import Container

from node.protocol import quorum
from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.membership import LEAVING, Membership
from node.protocol.messages import Permit
from node.protocol.peer import HEALTHY
from node.protocol.ranking import outranks, ranking


class Handover:
    """The leader's half of a change in good order."""

    def __init__(self, ctx: Context, members: Membership, control: Control) -> None:
        self._ctx = ctx
        self._members = members
        self._control = control
        self.to: str | None = None
        """Whom this leader hands over to now; it grants nothing meanwhile."""
        self._until = 0.0
        self._permit_sent = False
        self._liked_since: dict[str, float] = {}
        """Since when a strict majority has seen a voter healthy, in this reign."""

    def reign(self) -> None:
        """This node has just been elected."""
        self.to = None
        self._liked_since.clear()

    def end(self) -> None:
        """This node leads no longer."""
        self.to = None

    def candidate(self) -> str | None:
        """Whom to hand over to: the best, if somebody clearly outranks this leader."""
        ctx = self._ctx
        own, tolerance = ctx.settings.id, ctx.settings.timing.uptime_tolerance
        known = self._members.uptimes().items()
        uptimes = {name: up for name, up in known if name == own or self._members.sees.get(name) == HEALTHY}
        if not any(outranks(name, own, uptimes, tolerance) for name in uptimes):
            return None
        # Not to the one that outranks us, which the best may outrank in turn: one change, not two.
        best = ranking(uptimes, tolerance)[0]
        return best if best != own and self._well_regarded(best) else None

    def heir(self, but: Container[str] = ()) -> str | None:
        """The next by rank that can lead, a healthy one first and none of `but`: for a leader that is to go."""
        members, own = self._members, self._ctx.settings.id
        able = {name for name in members.deciding() - {own} if LEAVING not in members.peers[name].reasons}
        order = ranking(members.uptimes(), self._ctx.settings.timing.uptime_tolerance)
        heirs = [name for name in order if name in able and name not in but]
        return next((name for name in heirs if members.sees.get(name) == HEALTHY), heirs[0] if heirs else None)

    def begin(self, name: str, term: int) -> None:
        """Hand over to `name`: when its control log is level, it is permitted to campaign."""
        ctx = self._ctx
        self.to = name
        self._until = ctx.mono + ctx.settings.timing.heartbeat_timeout
        self._permit_sent = False
        ctx.observe("LEADER_HANDOVER", to=name, term=term)
        self._control.urge(name)
        ctx.wake(ctx.mono)

    def acked(self, name: str) -> None:
        """`name` holds more of the log: see at once whether it is level."""
        if name == self.to and not self._permit_sent:
            self._ctx.wake(self._ctx.mono)

    def goes_on(self, term: int) -> bool:
        """Do what is due of the one under way; False when it came to nothing."""
        ctx, name = self._ctx, self.to
        if name is None or ctx.mono >= self._until or not self._members.peers[name].alive:
            self.to = None
            ctx.observe("LEADER_HANDOVER_FAILED", level="warn", to=name, term=term)
            return False
        if not self._permit_sent and self._control.is_level(name):
            self._permit_sent = True
            ctx.send(name, Permit(term), ctx.persist_number)
        ctx.wake(min(self._until, ctx.mono + 0.05) if not self._permit_sent else self._until)
        return True

    def note_regard(self) -> None:
        """With every heartbeat: since when does a strict majority see each voter healthy?"""
        ctx, members = self._ctx, self._members
        need = quorum.strict_majority(len(members.voters))
        for name in members.voters:
            views = [members.sees.get(name)]
            views += [members.peers[voter].sees.get(name) for voter in members.voters if voter in members.peers]
            if sum(1 for view in views if view == HEALTHY) >= need:
                self._liked_since.setdefault(name, ctx.mono)
            else:
                self._liked_since.pop(name, None)

    def _well_regarded(self, name: str) -> bool:
        since = self._liked_since.get(name)
        return since is not None and self._ctx.mono - since >= self._ctx.settings.timing.election_interval
