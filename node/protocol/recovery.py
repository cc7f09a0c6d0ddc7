"""Disk loss and rolled-back disks (D1, D2): a new disk first learns what its instance may have promised.

A journal id is made with the disk. Before a node with a new one votes, promises or acks, every other voting member has
durably noted the new id (refusing the old one from then on) and returned its term, control log and version vector; the
highest term counts as promised, and the logs must be here. A cluster is new when nobody knew a former journal.

A disk that is not new may still be an older image of itself. Others quote what they have seen of it with every
delivery; so a node that starts first listens: it neither votes nor writes until every other voter was heard, or
refuses connections, or `heartbeat_timeout` has passed.
"""

from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.control_state import copy_state
from node.protocol.election import Election
from node.protocol.membership import Membership
from node.protocol.messages import Recover, RecoverAnswer
from node.protocol.peer import Peer
from node.protocol.records import Floor, Identity, PeerJournal
from node.protocol.replication import Replication
from node.protocol.shapes import Alarm

JOURNAL_ID_CHARS = 12
HEX = "0123456789abcdef"
RECOVERING = "recovering"
LISTENING = "listening"


def new_journal_id(random: float, again: float) -> str:
    """A journal id from two random numbers in [0, 1)."""
    half = JOURNAL_ID_CHARS // 2
    return "".join(HEX[int(part * 16 ** (i + 1)) % 16] for part in (random, again) for i in range(half))


class Recovery:
    """Whether this node's disk may be trusted with a vote, and the way there."""

    def __init__(
        self, ctx: Context, members: Membership, election: Election, control: Control, replication: Replication
    ) -> None:
        self._ctx = ctx
        self._members = members
        self._election = election
        self._control = control
        self._replication = replication
        self.ready = False
        self.starts = 0
        self.noted: dict[str, PeerJournal] = {}
        self.floor: Floor | None = None
        self._replaced: set[str] = set()
        """Journals that were replaced since this node started: whoever still speaks of one is late."""
        self._began = 0.0
        self._noted_at: dict[str, float] = {}
        self._told_since: float | None = None
        """Since when a member says that it has taken another disk for this one's replacement."""
        self._answers: dict[str, RecoverAnswer] = {}
        self._without: set[str] = set()
        self._next_ask = 0.0
        self._ask_all = 0.0
        self._unheard: set[str] = set()
        self._listen_until = 0.0

    @property
    def taking_part(self) -> bool:
        """Whether this node may vote, promise and ack, as far as its disk's past goes."""
        return self.ready and not self._unheard

    def start(self, identity: Identity, noted: dict[str, PeerJournal], *, fresh: bool) -> None:
        """Begin with what the disk says of itself and of the others' journals; `fresh`: it was made just now."""
        ctx = self._ctx
        self._began = ctx.mono
        self.ready = identity.ready
        self.starts = identity.starts
        self.noted = noted
        self._members.set_fault(RECOVERING, not self.ready)
        if self.ready and not fresh:
            self._unheard = self._others()
            self._listen_until = ctx.mono + ctx.settings.timing.heartbeat_timeout
            self._members.set_fault(LISTENING, bool(self._unheard))
            ctx.wake(self._listen_until)
        self._settle()
        self.tick()

    def begin_anew(self, why: str) -> None:
        """This disk was rolled back: go on under a new journal id (D1)."""
        ctx = self._ctx
        former = self._replication.journal
        journal = new_journal_id(ctx.rng.random(), ctx.rng.random())
        self._replication.journal = journal
        self.ready = False
        self._told_since = None
        self._answers.clear()
        self._without.clear()
        self._unheard.clear()
        self._members.set_fault(LISTENING, False)
        ctx.persist(Identity(journal, False, self.starts))
        self._members.set_fault(RECOVERING, True)
        ctx.observe("JOURNAL_REPLACED", level="error", former=former, journal=journal, why=why)
        self._next_ask = ctx.mono
        ctx.wake(ctx.mono)

    def go_on_without(self, members: tuple[str, ...]) -> None:
        """An operator's word that these members' disks are lost (D1)."""
        self._without |= set(members)
        self._settle()

    def heard(self, name: str) -> None:
        """A delivery of `name` was taken, with what it quotes of this disk; or its host refuses connections."""
        if name in self._unheard:
            self._unheard.discard(name)
            self._members.set_fault(LISTENING, bool(self._unheard))

    def waiting_for(self) -> tuple[str, ...]:
        """The members whose answers are still missing."""
        return tuple(sorted(self._others() - self._answers.keys()))

    def alarm(self) -> Alarm | None:
        """Why this node may not vote yet; None when it may."""
        if self.taking_part:
            return None
        if self.ready:
            left_s = max(0.0, self._listen_until - self._ctx.mono)
            return Alarm("listening", tuple(sorted(self._unheard)), left_ms=int(left_s * 1000))
        waiting = self.waiting_for()
        if waiting:
            return Alarm("recovering_needs", waiting)
        also = [name for name, answer in self._answers.items() if name in self._others() and not answer.ready]
        return Alarm("recovering_alike", tuple(sorted(also))) if also else Alarm("recovering")

    def tick(self) -> None:
        """Ask those who have not answered; see whether it is enough."""
        ctx = self._ctx
        if self.ready:
            if self._unheard and ctx.mono >= self._listen_until:
                self._unheard.clear()
                self._members.set_fault(LISTENING, False)
            elif self._unheard:
                ctx.wake(self._listen_until)
            return
        if ctx.mono >= self._next_ask:
            self._next_ask = ctx.mono + min(max(ctx.settings.timing.heartbeat_interval / 2, 0.05), 1.0)
            blank = not any(answer.known for answer in self._answers.values()) and not self._without
            # All have answered, and what they hold is not here yet: a floor may have dropped it since. They tell it.
            lacking = ctx.mono >= self._ask_all and self._others() <= self._answers.keys()
            if lacking:
                self._ask_all = ctx.mono + ctx.settings.timing.heartbeat_timeout
            for name in sorted(self._others()):
                answer = self._answers.get(name)
                if answer is not None and (answer.ready or blank) and not lacking:
                    continue  # While all are blank it does not matter whether they are ready: the cluster is new.
                ctx.send(name, Recover(self._replication.journal), ctx.persist_number)
        ctx.wake(self._next_ask)
        self._settle()

    def accepts(self, peer: Peer, journal: str, boot: str) -> bool:
        """Whether direct messages under `journal` may be taken from `peer`; notes the first one known (D1).

        A disk that was rolled back may have noted a journal that was replaced since. So until it is whole again it
        takes, like an empty one, the journal that it hears, if it hears the noted one no more.
        """
        name = peer.member.id
        noted = self.noted.get(name)
        if noted is not None and noted.journal == journal and boot not in peer.old_boots:
            return True
        silent = peer.heard is None or self._ctx.mono - peer.heard > self._ctx.settings.timing.heartbeat_timeout
        if noted is None or (noted.journal != journal and silent and not self.ready):
            self._note(PeerJournal(name, journal, replaced=noted is not None))
            return True
        if noted.journal != journal:
            return False
        # Two boots can count as the same start, when the first ended before it was noted: silence shows which is which.
        return silent

    def is_late(self, peer: Peer, journal: str, start: int) -> bool:
        """Whether this comes from a former boot: a later start on that disk was heard within `heartbeat_timeout`.

        A start that stays the lower one is a disk that was rolled back by no more than that.
        """
        known, latest = peer.start
        if journal != known or start >= latest or peer.heard is None:
            return False
        return self._ctx.mono - peer.heard <= self._ctx.settings.timing.heartbeat_timeout

    def on_recover(self, peer: Peer, ask: Recover, boot: str) -> None:
        """A peer's disk is new: note it, unless its old one is still heard (D2), and tell what we know."""
        name = peer.member.id
        noted = self.noted.get(name)
        if ask.journal in self._replaced:
            return
        refusal = ""
        if noted is None:
            self._note(PeerJournal(name, ask.journal))
        elif noted.journal != ask.journal:
            if self._still_heard(peer, boot):
                refusal = f"journal {noted.journal} of {name} is still heard: two nodes with one id, or wait a moment"
            else:
                self._note(PeerJournal(name, ask.journal, replaced=True))
                peer.heard = None
        self._answer(name, ask.journal, refusal=refusal)

    def on_replaced(self, peer: Peer, journal: str) -> None:
        """A peer speaks from a disk that another was taken for the replacement of (D2).

        If that one is heard no more, it may have been a second process that others refused, and never became ready.
        Whether it did, only the peer can tell: by whether others still take what it says.
        """
        noted = self.noted[peer.member.id]
        since = max(self._noted_at.get(noted.instance, self._began), peer.heard or float("-inf"))
        gone = self._ctx.mono - since > self._ctx.settings.timing.heartbeat_timeout
        if self.ready and noted.replaced and gone:
            self._answer(peer.member.id, journal, replaced_by=noted.journal)

    def is_replaced(self, peer: Peer, answer: RecoverAnswer) -> bool:
        """Whether to go on under a new journal id: `peer` has taken another disk for this one's replacement (D2).

        Some member must note this disk still: then that other one has never been ready, which takes everybody's note.
        And all must be able to answer. Of several such disks the one of the lowest id goes first: two that recover
        would wait for one another.
        """
        own, members, mono = self._replication.journal, self._members, self._ctx.mono
        if not self.ready or answer.journal != own or not answer.replaced_by:
            return False
        timing = self._ctx.settings.timing
        others = [members.peers[name] for name in self._others()]
        recent = mono - timing.heartbeat_timeout
        still_noted = any(p.quoted == own and p.heard is not None and p.heard > recent for p in others)
        # Of a disk that this node has replaced in the same way it only knows that somebody speaks from it.
        away = [p for p in others if not p.alive and (p.stranger_at is None or p.stranger_at < recent)]
        if not still_noted or away:
            self._told_since = None
            return False
        if self._told_since is None:
            self._told_since = mono
        turn = 1 + sorted(members.voters).index(self._ctx.settings.id)
        return mono - self._told_since >= turn * timing.heartbeat_interval

    def _answer(self, name: str, journal: str, *, refusal: str = "", replaced_by: str = "") -> None:
        ctx, control = self._ctx, self._control
        known = name in self.noted and self.noted[name].replaced
        answer = RecoverAnswer(
            journal=journal,
            ready=self.ready,
            known=known or bool(refusal),
            term=self._election.term,
            stamp=control.stamp,
            index=control.index,
            state=copy_state(control.state),
            vector=dict(self._replication.vector),
            floor=self.floor,
            refusal=refusal,
            replaced_by=replaced_by,
        )
        ctx.send(name, answer, ctx.persist_number)

    def on_answer(self, peer: Peer, answer: RecoverAnswer) -> None:
        """A member noted our new journal and told what it knows."""
        ctx = self._ctx
        if self.ready or answer.journal != self._replication.journal:
            return
        if answer.refusal:
            ctx.observe("RECOVERY_REFUSED", level="error", instance=peer.member.id, why=answer.refusal)
            return
        if not self._others() <= self._answers.keys():
            self._ask_all = ctx.mono + ctx.settings.timing.heartbeat_timeout
        self._answers[peer.member.id] = answer
        self._election.promise(answer.term)
        if (answer.stamp, answer.index) > self._control.position:
            self._control.adopt(answer.stamp, answer.index, answer.state)
        if answer.floor is not None:
            self._control.on_floor(answer.floor)
        peer.vector = dict(answer.vector)
        self._replication.on_vector(peer)
        self._settle()

    def _others(self) -> set[str]:
        own = self._ctx.settings.id
        return {name for name in self._members.voters if name != own} - self._without

    def _note(self, record: PeerJournal) -> None:
        former = self.noted.get(record.instance)
        if former is not None:
            self._replaced.add(former.journal)
            self._replaced.discard(record.journal)
            # What was on the former disk is not to be quoted of this one.
            self._members.peers[record.instance].mark = None
        self.noted[record.instance] = record
        self._noted_at[record.instance] = self._ctx.mono
        self._ctx.persist(record)

    def _still_heard(self, peer: Peer, boot: str) -> bool:
        """Whether another process may be speaking under this id right now (D2)."""
        if peer.heard is None or peer.boot == boot or peer.refused:
            return False
        return self._ctx.mono - peer.heard < self._ctx.settings.timing.heartbeat_timeout

    def _settle(self) -> None:
        """Become ready when everything needed is here."""
        ctx = self._ctx
        others = self._others()
        if self.ready or not others <= self._answers.keys():
            return
        answers = [self._answers[name] for name in others]
        new_cluster = not any(answer.known for answer in answers) and not self._without
        if not new_cluster and not all(answer.ready for answer in answers):
            return
        vector = self._replication.vector
        for answer in answers:
            if any(vector.get(journal, 0) < seq for journal, seq in answer.vector.items()):
                return
        self.ready = True
        ctx.persist(Identity(self._replication.journal, True, self.starts))
        self._members.set_fault(RECOVERING, False)
        ctx.observe("RECOVERED", journal=self._replication.journal, new_cluster=new_cluster)
