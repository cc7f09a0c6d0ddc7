"""Whom to ask first: where a few answers decide, only as many peers need to be in a hurry.

An entry of the control log counts once a strict majority holds it, a proposal is decided once `required` voters accept
it. So those that were lately prompt are sent it at once, and the others a moment later, together with what else there
is for them: they need not wake for each. Nothing rests on the choice. Where one that was asked first is slow or gone,
the answers of others decide a moment later, and who decided is asked first from then on.
"""

from collections.abc import Collection

from node.protocol.membership import Membership


class Promptness:
    """The voters among the peers, those first whose answers lately decided."""

    def __init__(self, members: Membership) -> None:
        self._members = members
        self._order = [name for name in members.voters if name in members.peers]

    def decided(self, name: str) -> None:
        """The answer of `name` was the one that was waited for."""
        order = self._order
        if order and order[0] != name and name in order:
            order.remove(name)
            order.insert(0, name)

    def first(self, count: int, preferred: Collection[str] = ()) -> frozenset[str]:
        """The `count` peers to ask at once, `preferred` ones before others; all peers where fewer can be asked."""
        members = self._members
        able = [name for name in self._order if members.peers[name].alive and members.same_digest(name)]
        if len(able) < count:
            return frozenset(members.peers)
        if preferred:
            able.sort(key=lambda name: name not in preferred)
        return frozenset(able[:count])
