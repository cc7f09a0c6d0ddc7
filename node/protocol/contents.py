"""Content, as far as the protocol has a say in it: what must be held before a vote, what is current (P3, S2).

The bytes are the driver's matter. It is told what is wanted (`Fetch`), says how each stands (`ContentIs`), and is told
what stands for a version (`Install`) and what to switch to (`Apply`). Nothing of it is durable: after a restart the
core asks again, and what is on the disk is reported at once.
"""

from collections.abc import Iterable
from typing import Final, Literal

from node.protocol.ballot import ProposalState
from node.protocol.context import Context
from node.protocol.effects import Apply, Fetch, Install, Wanted
from node.protocol.membership import Membership
from node.protocol.proposal import Proposal
from node.protocol.state import Fold
from node.protocol.versions import parse

Standing = Literal["held", "bad", "missing"]

MAX_WANTED: Final = 64
"""Contents asked for at a time; the others come after them."""
MAX_KNOWN: Final = 10_000
"""Contents whose standing is remembered; of an older one the driver is asked again."""


class Contents:
    """What this node knows of contents, and what it wants of them."""

    def __init__(self, ctx: Context, members: Membership, fold: Fold) -> None:
        self._ctx = ctx
        self._members = members
        self._fold = fold
        self._known: dict[str, Standing] = {}
        self._open: dict[str, None] = {}
        """Proposals that content comes with: pending, or accepted and not installed yet."""
        self._changed = True
        self._asked: tuple[Wanted, ...] = ()
        self._applied: str | None = None

    def standing(self, proposal: Proposal) -> Standing | None:
        """How what a proposal needs stands here; None: it needs nothing but its hash."""
        wanted = self._needed(proposal, "")
        return None if wanted is None else self._known.get(wanted.content.key, "missing")

    def of(self, version: str) -> Wanted | None:
        """The content of a settled version, None where none came with it."""
        leading = self._fold.leading_to(version)
        return None if leading is None else _wanted(leading.payload, leading.trace)

    @property
    def current(self) -> tuple[Wanted, bool] | None:
        """The current version's content, and whether greater versions are known and not current (`Apply.back`)."""
        head = self._fold.head
        wanted = None if head is None else _wanted(head.payload, head.trace)
        # A disk that was lost learns of older versions first.
        if wanted is None or not self._members.can_vote:
            return None
        highest = self._fold.highest_accepted
        return wanted, highest is not None and parse(highest) > parse(wanted.version)

    def report(self, key: str, standing: Standing) -> None:
        """The driver tells how content stands."""
        if standing == "missing":
            self._known.pop(key, None)
            if self._applied == key:
                self._applied = None
        else:
            self._known[key] = standing
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]
        self._changed = True

    def note(self, states: Iterable[ProposalState]) -> None:
        """Proposals are new, or were decided."""
        for state in states:
            body = state.payload
            if body.carried is not None or body.kind == "rollback":
                self._open[state.key] = None
        self._changed = True

    def changed(self) -> None:
        """Look again at the end of this step: the fold may have gone elsewhere."""
        self._changed = True

    def flush(self) -> None:
        """End of a step: ask for what is wanted, install what is decided, apply what is current."""
        if not self._changed:
            return
        self._changed = False
        wanted = {**self._head(), **self._pending()}
        asked = tuple(wanted.values())[:MAX_WANTED]
        if asked != self._asked:
            self._asked = asked
            self._ctx.effect(Fetch(asked))

    def _head(self) -> dict[str, Wanted]:
        """Apply the current version, or want its content."""
        current = self.current
        if current is None:
            return {}
        wanted, back = current
        key = wanted.content.key
        standing = self._known.get(key)
        if standing == "held" and self._applied != key:
            self._applied = key
            self._ctx.effect(Apply(wanted, back, self._ctx.persist_number))
        return {key: wanted} if standing is None else {}

    def _pending(self) -> dict[str, Wanted]:
        """What proposals need and is not here; those that are decided and have it are done with."""
        lacking: dict[str, Wanted] = {}
        for key in list(self._open):
            state = self._fold.get(key)
            wanted = None if state is None else self._needed(state.payload, state.trace)
            if state is None or wanted is None or state.verdict == "rejected" or state.settled is False:
                del self._open[key]
            elif (standing := self._known.get(wanted.content.key)) is None:
                lacking[wanted.content.key] = wanted
            elif state.settled:
                del self._open[key]
                if standing == "held":
                    self._ctx.effect(Install(wanted, self._ctx.persist_number))
        return lacking

    def _needed(self, proposal: Proposal, trace: str) -> Wanted | None:
        """What must be held to accept a proposal: its own content, or that of the version a rollback goes back to."""
        if proposal.carried is None and proposal.kind != "rollback":
            return None
        return self.of(proposal.version) if proposal.kind == "rollback" else _wanted(proposal, trace)


def _wanted(proposal: Proposal, trace: str) -> Wanted | None:
    content = proposal.carried
    if content is None:
        return None
    return Wanted(proposal.kind, proposal.version, proposal.base, proposal.hash, content, trace)
