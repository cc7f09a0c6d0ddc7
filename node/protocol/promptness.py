"""Whom to ask first: where a few answers decide, only as many peers need to be in a hurry.

An entry of the control log counts once a strict majority holds it, a proposal is decided once `required` voters accept
it. So those that were lately prompt are sent it at once, and the others a moment later, together with what else there
is for them: they need not wake for each. Nothing rests on the choice. Where one that was asked first is slow or gone,
the answers of others decide a moment later, and who decided is asked first from then on.

That saves work, and work is what a decision waits for as long as answers come fast. Where they lately took longer than
`PROMPT_S`, disks or links are what it waits for, and the quickest of all is quicker than one: then all are asked.
"""

from collections.abc import Set

from node.protocol.context import Context
from node.protocol.membership import Membership

PROMPT_S = 0.004
RECENT_SHARE = 0.1
"""What the last decision counts in how long one takes lately."""
WORST_S = 0.05
"""One that took longer, such as a proposal whose content had to come first, tells no more than this."""


class Promptness:
    """The voters among the peers, those first whose answers lately decided."""

    def __init__(self, ctx: Context, members: Membership) -> None:
        self._ctx = ctx
        self._members = members
        self._asked_at: float | None = None
        self._usual_s = 0.0
        self._order = [name for name in members.voters if name in members.peers]
        self._all = frozenset(members.peers)

    def decided(self, name: str) -> None:
        """The answer of `name`, or this node's own disk, was the one that was waited for."""
        if self._asked_at is not None:
            took_s = min(WORST_S, self._ctx.mono - self._asked_at)
            self._usual_s += RECENT_SHARE * (took_s - self._usual_s)
            self._asked_at = None
        order = self._order
        if order and order[0] != name and name in order:
            order.remove(name)
            order.insert(0, name)

    def first(self, count: int, preferred: Set[str] = frozenset()) -> frozenset[str]:
        """The `count` peers to ask at once, `preferred` ones before others; all peers where fewer can be asked."""
        if self._asked_at is None:
            self._asked_at = self._ctx.mono
        deciding = self._members.deciding()
        able = [name for name in self._order if name in deciding]
        if len(able) < count or self._usual_s > PROMPT_S:
            return self._all
        if preferred:
            able.sort(key=preferred.__contains__, reverse=True)
        return frozenset(able[:count])
