"""The control log: ordered by the leader, counted by strict majority (E4, E5, L1).

It is a `ControlState` plus entries, all written under one term, the *stamp*. Followers apply entries as they append
them; a new leader takes the greatest `(stamp, index)` a strict majority holds at its own term and writes it whole under
its own term. So a committed entry is in every later leader's state, and an uncommitted one is either kept or replaced
everywhere. An entry goes to the followers while the leader's own disk still writes: the leader counts itself only when
that write is done, and never resumes a term after a restart.
"""

from collections import deque
from collections.abc import Callable

from node.protocol import quorum
from node.protocol.context import Context
from node.protocol.control_state import apply_entry, copy_state
from node.protocol.membership import Membership
from node.protocol.messages import ControlAck, ControlAppend, ControlReset
from node.protocol.peer import Peer
from node.protocol.promptness import Promptness
from node.protocol.records import (
    ControlAppended,
    ControlEntry,
    ControlReplaced,
    ControlState,
    Floor,
    Forget,
    Release,
)
from node.protocol.release_marks import ReleaseMarks

RECENT_ENTRIES = 4_096
"""Entries kept to fill a follower's gap; one that lacks more gets the whole state."""


class Control:
    """One node's copy of the control log, and the leader's work on it."""

    def __init__(self, ctx: Context, members: Membership, prompt: Promptness) -> None:
        self._ctx = ctx
        self._members = members
        self._prompt = prompt
        self.stamp = 0
        self.index = 0
        self.commit = 0
        self.state = ControlState()
        self.marks = ReleaseMarks()
        self.term = 0
        self.leading = False
        self._majority = quorum.strict_majority(len(members.voters))
        self._followers = [name for name in members.voters if name in members.peers]
        self._floor_index = 0
        self._floor_waits = False
        """Whether the floor is not known to be committed yet."""
        self._recent: deque[tuple[int, ControlEntry]] = deque(maxlen=RECENT_ENTRIES)
        self._fresh: list[ControlEntry] = []
        self._asking: set[str] = set()
        """Peers whose clients wait for what is fresh."""
        self._unsynced: deque[tuple[int, int]] = deque()
        self._match: dict[str, int] = {}
        """Up to where each voter holds the log, this node included; the last round that it confirmed."""
        self._rounds: dict[str, int] = {}
        self._sent: dict[str, tuple[int, float]] = {}
        self._round = 0
        self._confirming: deque[tuple[int, int, Callable[[], None]]] = deque()
        self._committing: deque[tuple[int, Callable[[], None]]] = deque()
        self._ask_round = False
        self._untold: deque[str] = deque()
        """Who is to hear, one after another, that a floor is committed."""
        self.on_floor: Callable[[Floor], None] = lambda floor: None

    @property
    def position(self) -> tuple[int, int]:
        """Which log is greater is decided by (stamp, index) (E4)."""
        return self.stamp, self.index

    def restore(self, stamp: int, index: int, state: ControlState) -> None:
        """Take in what the disk holds, at start."""
        self.stamp, self.index, self.state = stamp, index, state
        self.marks.replace(state.marks, self._ctx.mono)
        self._note_floor()

    def adopt(self, stamp: int, index: int, state: ControlState) -> int:
        """Take another log in place of this one; gives the persist to wait for."""
        self.stamp, self.index, self.state = stamp, index, copy_state(state)
        self.marks.replace(state.marks, self._ctx.mono)
        self._recent.clear()
        self._note_floor()
        return self._ctx.persist(ControlReplaced(stamp, index, copy_state(state)))

    # The leader

    def lead(self, term: int, stamped: Callable[[], None]) -> None:
        """Re-stamp the log under `term` and send it whole to all voters; `stamped` when a majority holds it (E4)."""
        self.term, self.leading = term, True
        self._committing.clear()
        self.commit = 0
        number = self.adopt(term, self.index + 1, self.state)
        self._unsynced = deque([(number, self.index)])
        self._match = dict.fromkeys(self._members.voters, 0)
        self._rounds = dict.fromkeys(self._members.voters, 0)
        self._sent = {}
        self._round = 0
        self._send_state(*self._followers)
        self._committing.append((self.index, stamped))

    def resign(self) -> None:
        """Stop leading: what was not yet committed is for the next leader to keep or drop."""
        self.leading = False
        self._committing.clear()
        self._confirming.clear()
        self._unsynced.clear()
        self._fresh.clear()
        self._asking.clear()
        self._untold.clear()

    def append(self, entry: ControlEntry, done: Callable[[], None] | None = None, asked_by: str | None = None) -> None:
        """Write an entry for the instance `asked_by`; `done` is called when a strict majority holds it."""
        self.index += 1
        self._apply(entry)
        if type(entry) is Floor:
            # A floor is large. Who lacks more than what came since the last one gets the state, which has this one.
            while self._recent and self._recent[0][0] <= self._floor_index:
                self._recent.popleft()
            self._note_floor()
        self._recent.append((self.index, entry))
        self._fresh.append(entry)
        if asked_by is not None:
            self._asking.add(asked_by)
        self._ctx.persist(ControlAppended(self.term, self.index, entry))
        if done is not None:
            self._committing.append((self.index, done))

    def confirm(self, done: Callable[[], None]) -> None:
        """Call `done` once a strict majority has confirmed, from now on, that this node still leads (E5).

        By then it also holds everything written so far.
        """
        if not self._ask_round:
            self._round += 1
            self._rounds[self._ctx.settings.id] = self._round
            self._ask_round = True
        self._confirming.append((self._round, self.index, done))

    def flush(self) -> None:
        """End of a step: send what was appended in it, and ask for confirmation if somebody waits for one."""
        while self.leading and (self._fresh or self._ask_round):
            start = self.index - len(self._fresh) + 1
            append = ControlAppend(self.term, start, tuple(self._fresh), self.commit, self._round)
            if self._fresh:
                self._unsynced.append((self._ctx.persist_number, self.index))
            # Who asked is to be told the outcome: nobody else's ack takes as few deliveries.
            first = self._prompt.first(self._majority - 1, self._asking)
            self._fresh, self._ask_round = [], False
            self._asking.clear()
            for name in self._followers:
                self._ctx.send(name, append, lazy=name not in first)
            if self._confirming:
                self._advance()

    def synced(self, number: int) -> None:
        """The disk has caught up to persist `number`: the leader's own ack counts now."""
        unsynced, index = self._unsynced, 0
        while unsynced and unsynced[0][0] <= number:
            index = unsynced.popleft()[1]
        if index:
            own = self._ctx.settings.id
            self._match[own] = index
            self._advance(own)

    def on_ack(self, peer: Peer, ack: ControlAck) -> None:
        """A follower holds the log of our term up to an index, or lacks its beginning."""
        name = peer.member.id
        if not self.leading or ack.term != self.term or name not in self._match:
            return
        if ack.round > self._rounds[name]:
            self._rounds[name] = ack.round
        if ack.gap:
            sent = self._sent.get(name)
            if sent is None or self._ctx.mono - sent[1] > self._resend_s():
                self._send_state(name)
        elif ack.index > self._match[name]:
            self._match[name] = ack.index
        if self._untold and self._untold[0] == name:
            self._untold.popleft()
            self._tell_next()
        if ack.index > self.commit or self._confirming:
            self._advance(name)

    def catch_up(self) -> None:
        """Send again to those who have not acked all: messages get lost. Called with every heartbeat."""
        if not self.leading:
            return
        for name in self._followers:
            match = self._match[name]
            if match < self.index and self._members.peers[name].alive:
                if match and self._recent and self._recent[0][0] <= match + 1:
                    entries = tuple(entry for index, entry in self._recent if index > match)
                    self._ctx.send(name, ControlAppend(self.term, match + 1, entries, self.commit, self._round))
                else:
                    self._send_state(name)

    def is_level(self, name: str) -> bool:
        """Whether `name` holds everything this leader wrote (E6)."""
        return self._match.get(name, 0) >= self.index

    def urge(self, name: str) -> None:
        """Have `name` say now up to where it holds the log; what is on its way to it in no hurry goes along."""
        next_ = self.index + 1 - len(self._fresh)
        self._ctx.send(name, ControlAppend(self.term, next_, (), self.commit, self._round))

    def _resend_s(self) -> float:
        return min(self._ctx.settings.timing.heartbeat_interval, 1.0)

    def _send_state(self, *names: str) -> None:
        # It may be large, and clients wait: copied and encoded once for all.
        reset = ControlReset(self.term, self.index, copy_state(self.state), self.commit)
        for name in names:
            self._sent[name] = (self.index, self._ctx.mono)
            self._ctx.send(name, reset)

    def _advance(self, by: str | None = None) -> None:
        """Move `commit` to what a strict majority holds, and tell those who waited. `by` is who holds more now."""
        level = sorted(self._match.values())[-self._majority]
        if level > self.commit:
            floor_counts = self._floor_waits and level >= self._floor_index
            self.commit = level
            while self._committing and self._committing[0][0] <= level:
                self._committing.popleft()[1]()
            self._settle_floor()
            if floor_counts:
                self._untold = deque(self._followers)
                self._tell_next()
            if by is not None:
                self._prompt.decided(by)
        if self._confirming:
            confirmed = sorted(self._rounds.values())[-self._majority]
            while self._confirming and self._confirming[0][0] <= confirmed:
                if self._confirming[0][1] > self.commit:
                    break
                self._confirming.popleft()[2]()

    def _tell_next(self) -> None:
        """Say that the floor is committed to the next one who has to hear it.

        Told with the next heartbeat alone, it may be overtaken by the next floor. And a node that puts it in place
        stands still: while one does, the others go on. Who is away hears of it with the heartbeats.
        """
        peers = self._members.peers
        while self._untold and not (self._untold[0] in peers and peers[self._untold[0]].alive):
            self._untold.popleft()
        if self._untold:
            self.urge(self._untold[0])

    # The follower

    def on_reset(self, peer: Peer, reset: ControlReset, may_ack: bool) -> None:
        """The leader's whole state, under its term."""
        if reset.term > self.stamp or (reset.term == self.stamp and reset.index > self.index):
            self.commit = 0 if reset.term > self.stamp else self.commit
            self.adopt(reset.term, reset.index, reset.state)
        self._after_append(peer, reset.term, reset.commit, 0, may_ack)

    def on_append(self, peer: Peer, append: ControlAppend, may_ack: bool) -> None:
        """Entries of the leader of `append.term`, the next ones or a repetition."""
        ctx = self._ctx
        if self.stamp != append.term or append.first > self.index + 1:
            if may_ack:
                ctx.send(peer.member.id, ControlAck(append.term, 0, gap=True, round=append.round))
            return
        for index, entry in enumerate(append.entries, append.first):
            if index <= self.index:
                continue
            self.index = index
            self._apply(entry)
            if type(entry) is Floor:
                self._note_floor()
            ctx.persist(ControlAppended(self.stamp, index, entry))
        self._after_append(peer, append.term, append.commit, append.round, may_ack)

    def learn_commit(self, term: int, commit: int) -> None:
        """A heartbeat of the leader of `term` says how far a strict majority has come."""
        if not self.leading and term == self.stamp and commit > self.commit:
            self.commit = min(commit, self.index)
            self._settle_floor()

    def _after_append(self, peer: Peer, term: int, commit: int, round_: int, may_ack: bool) -> None:
        if may_ack:
            ack = ControlAck(term, self.index, round=round_)
            self._ctx.send(peer.member.id, ack, self._ctx.persist_number)
        self.learn_commit(term, commit)

    def _apply(self, entry: ControlEntry) -> None:
        apply_entry(self.state, entry)
        if type(entry) is Release:
            if entry.request_id in self.state.marks:
                self.marks.note(entry.request_id, self._ctx.mono)
        elif type(entry) is Forget:
            self.marks.forget(entry.request_ids)

    # Floors

    def _note_floor(self) -> None:
        """The log as it is now brings the floor, if there is one."""
        self._floor_index = self.index
        self._floor_waits = self.state.floor is not None

    def _settle_floor(self) -> None:
        floor = self.state.floor
        if floor is not None and self._floor_waits and self.commit >= self._floor_index:
            self._floor_waits = False
            self.on_floor(floor)
