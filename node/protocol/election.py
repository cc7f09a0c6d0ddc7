"""Who leads (E1, E3-E5, E7): Raft's election, the best by rank first (`ranking`). Handing over is in `handover`.

A node campaigns only for itself, the best-ranked first. It asks before it raises the term (pre-vote); a voter says no
while it hears a live leader, unless the asker carries that leader's permit. Votes are durable before they leave.
Nothing here rests on clocks for safety: the lease and refused connections only decide when to try.
"""

from collections.abc import Callable

from node.protocol import quorum
from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.control_state import copy_state
from node.protocol.handover import Handover
from node.protocol.membership import Membership
from node.protocol.messages import Heartbeat, Permit, PreVote, PreVoteAnswer, VoteAnswer, VoteRequest
from node.protocol.peer import Peer
from node.protocol.ranking import ranking
from node.protocol.records import ControlState, Vote

FOLLOWER, ASKING, CANDIDATE, LEADER = "follower", "asking", "candidate", "leader"
START, REFUSED, SILENT, HANDED_OVER = "start", "refused", "silent", "handed_over"
"""Why a leader was elected: nobody led yet, the last one refused connections or was silent, it handed over in order."""
RESIGNED, HIGHER_TERM = "resigned", "higher_term"
"""... the elected one itself had given up meanwhile, or somebody had asked for votes without winning (E7)."""


class Election:
    """One node's part in choosing a leader."""

    def __init__(self, ctx: Context, members: Membership, control: Control) -> None:
        self._ctx = ctx
        self._members = members
        self._control = control
        self.term = 0
        self.voted_for: str | None = None
        self.role = FOLLOWER
        self.leader: str | None = None
        self.elected_ms: int | None = None
        self._elected: tuple[int, str, int] | None = None
        """Term and leader last followed, and since when (wall, ms): who finds it again has not elected it anew."""
        self.serving = False
        self.handover = Handover(ctx, members, control)
        self.on_serving: Callable[[str | None, str], None] = lambda former, reason: None
        self.on_resigned: Callable[[], None] = lambda: None
        self.on_leader: Callable[[], None] = lambda: None
        self._last_leader: str | None = None
        self._reason = START
        """Why there is to be another leader, as this node knows it."""
        self._leader_heard = 0.0
        self._listen_until = 0.0
        self._campaign_at: float | None = None
        self._campaign_started = 0.0
        self._permit: int | None = None
        self._yes: set[str] = set()
        self._best: tuple[int, int, ControlState] | None = None
        self._rounds = 0
        self._late = 0
        """Votes and promises of one that came after this node had given up its round."""
        self._review_at = 0.0
        timing = ctx.settings.timing
        self._rank_delay_s = min(max(timing.heartbeat_interval / 10, 0.02), 0.2)
        self._answer_timeout_s = min(max(timing.heartbeat_interval, 0.2), 2.0)

    @property
    def leads(self) -> bool:
        """Whether this node leads and may serve (E4, E5)."""
        return self.role == LEADER and self.serving

    @property
    def coming(self) -> bool:
        """Whether this node has won its term, and serves as soon as a strict majority holds it (E4)."""
        return self.role == LEADER and not self.serving

    @property
    def granting(self) -> bool:
        """Whether this node gives locks now: it leads and is not handing over (E6)."""
        return self.role == LEADER and self.serving and self.handover.to is None

    def restore(self, vote: Vote) -> None:
        """Take in what the disk holds. A restarted leader does not resume its term (E1)."""
        self.term, self.voted_for = vote.term, vote.voted_for

    def start(self) -> None:
        """Begin to take part."""
        self._leader_heard = self._ctx.mono
        self._listen()
        self._ctx.wake(self._listen_until)

    def see_term(self, term: int) -> None:
        """A higher term was seen: take it, and lead no longer (E1, E7)."""
        if term <= self.term:
            return
        self._ctx.persist(Vote(term, None))
        self.term, self.voted_for = term, None
        self._follow(None, HIGHER_TERM)

    def promise(self, term: int) -> None:
        """Count `term` as already voted in: what a lost disk may have promised (D1)."""
        if term > self.term:
            self._ctx.persist(Vote(term, self._ctx.settings.id))
            self.term, self.voted_for = term, self._ctx.settings.id

    def hears_leader(self) -> bool:
        """Whether a live leader is heard here (E3)."""
        if self.leader is None:
            return False
        if self.leader == self._ctx.settings.id:
            return self.role == LEADER
        if self._members.peers[self.leader].refused:
            return False
        return self._ctx.mono - self._leader_heard < self._ctx.settings.timing.heartbeat_timeout

    def lease_remaining_s(self) -> float:
        """How long this leader may go on serving without hearing from a strict majority (E5)."""
        if not self.leads:
            return 0.0
        return max(0.0, self._majority_heard() + self._ctx.settings.timing.heartbeat_timeout - self._ctx.mono)

    def tick(self) -> None:
        """Do what is due: campaign, give up the lease, review the ranking."""
        ctx = self._ctx
        if self.role == LEADER:
            self._tick_leader()
            return
        if not self._may_campaign():
            self._campaign_at = None
            self._listen()
            return
        if ctx.mono < self._listen_until:
            ctx.wake(self._listen_until)
            return
        if self.role != FOLLOWER and ctx.mono - self._campaign_started > self._patience_s:
            self.role = FOLLOWER
            self._campaign_at = None
        if self.role != FOLLOWER:
            ctx.wake(self._campaign_started + self._patience_s + 0.001)
            return
        if self.hears_leader() and self._permit is None:
            self._campaign_at = None
            ctx.wake(self._leader_heard + ctx.settings.timing.heartbeat_timeout + 0.001)
            return
        if self.leader is not None and not self.hears_leader():
            self._lose_leader()
        if self._campaign_at is None:
            self._schedule(0.0)
        elif ctx.mono >= self._campaign_at:
            self._ask()
        else:
            ctx.wake(self._campaign_at)

    def suspect(self, name: str) -> None:
        """`name`'s host refuses connections: if it leads and a majority sees the same, elect at once (H2)."""
        if name == self.leader and self._members.refused_by_majority(name):
            self._lose_leader()
            self._campaign_at = None
            self._schedule(0.0)

    # Messages

    def on_heartbeat(self, peer: Peer, beat: Heartbeat) -> None:
        """A beat carries the sender's term, and whom it follows."""
        self.see_term(beat.term)
        if beat.leader == peer.member.id and beat.term == self.term:
            self.accept_leader(peer.member.id)
            self._control.learn_commit(beat.term, beat.commit)
        for name in beat.refused:
            if name in self._members.peers:
                self.suspect(name)

    def accept_leader(self, name: str) -> None:
        """`name` leads our term."""
        ctx = self._ctx
        self._leader_heard = ctx.mono
        if self.leader == name:
            return
        self.role = FOLLOWER
        self.leader = name
        self._late = 0
        self._campaign_at, self._permit = None, None
        if self._elected is None or self._elected[:2] != (self.term, name):
            self._elected = (self.term, name, int(ctx.wall_ms))
        self.elected_ms = self._elected[2]
        self._note_change(name)
        ctx.wake(ctx.mono + ctx.settings.timing.heartbeat_timeout)
        self.on_leader()

    def on_prevote(self, peer: Peer, ask: PreVote) -> None:
        """Would we vote for `peer`? (E3)"""
        permitted = ask.permit is not None and ask.permit == self.term
        granted = self._members.can_vote and ask.term > self.term and (permitted or not self.hears_leader())
        self._ctx.send(peer.member.id, PreVoteAnswer(ask.term, granted, self.term), self._ctx.persist_number)

    def on_prevote_answer(self, peer: Peer, answer: PreVoteAnswer) -> None:
        """Enough would vote for us: ask them to."""
        if answer.current > self.term:
            self.see_term(answer.current)
            return
        if self.role != ASKING or answer.term != self.term + 1 or not answer.granted:
            self._late += answer.granted and self.role == FOLLOWER and self.leader is None
            return
        self._yes.add(peer.member.id)
        if self._enough():
            self._campaign()

    def on_vote_request(self, peer: Peer, ask: VoteRequest) -> None:
        """Vote, at most once a term, durably (E1)."""
        ctx, control = self._ctx, self._control
        if not self._members.can_vote:
            return
        self.see_term(ask.term)
        name = peer.member.id
        granted = ask.term == self.term and self.voted_for in (None, name)
        if granted and self.voted_for is None:
            self.voted_for = name
            ctx.persist(Vote(self.term, name))
        state = control.state if granted and control.position > (ask.stamp, ask.index) else None
        if granted:
            self._leader_heard = ctx.mono
            self._schedule(self._patience_s)
        copied = None if state is None else copy_state(state)
        ctx.send(name, VoteAnswer(self.term, granted, *control.position, copied), ctx.persist_number)

    def on_vote(self, peer: Peer, answer: VoteAnswer) -> None:
        """A vote came in; with a strict majority of them we lead (E4)."""
        if answer.term > self.term:
            self.see_term(answer.term)
            return
        if self.role != CANDIDATE or answer.term != self.term or not answer.granted:
            self._late += answer.granted and self.leader is None
            return
        self._yes.add(peer.member.id)
        self._keep_greatest(answer)
        if self._enough():
            self._win()

    def on_permit(self, peer: Peer, permit: Permit) -> None:
        """The leader hands over to us (E6)."""
        if permit.term == self.term and self.leader == peer.member.id and self._may_campaign():
            self._permit = permit.term
            self._reason = HANDED_OVER
            self.role = FOLLOWER
            self._ask()

    # Leading

    def stamped(self) -> None:
        """A strict majority holds the log under our term: serve (E4)."""
        ctx = self._ctx
        if self.role != LEADER or self.serving:
            return
        self.serving = True
        self.elected_ms = int(ctx.wall_ms)
        self._review_at = ctx.mono + ctx.settings.timing.election_interval
        ctx.wake(self._review_at)
        ctx.observe("LEADER_ELECTION", started=self._campaign_started, term=self.term, leader=ctx.settings.id)
        former = self._last_leader
        self._note_change(ctx.settings.id)
        self.on_serving(former, self._reason)
        self._members.beat_now()

    def review(self) -> str | None:
        """Hand over to the best when somebody clearly outranks this leader (E6); gives the candidate."""
        best = self.handover.candidate()
        if best is not None:
            self.hand_over(best)
        return best

    def hand_over(self, name: str) -> None:
        """Stop granting, and hand over to `name` (E6)."""
        self.handover.begin(name, self.term)

    # Within

    def _tick_leader(self) -> None:
        ctx = self._ctx
        timing = ctx.settings.timing
        heard = self._majority_heard()
        if ctx.mono - heard >= timing.heartbeat_timeout:
            self._follow(None, "lost_majority")
            self._schedule(timing.heartbeat_interval)
            return
        ctx.wake(heard + timing.heartbeat_timeout)
        if not self._members.can_vote:
            self._follow(None, "cannot_vote")
            return
        if not self.serving:
            return
        if self.handover.to is not None:
            if not self.handover.goes_on(self.term):
                self.on_leader()
        elif ctx.mono >= self._review_at:
            self._review_at = ctx.mono + timing.election_interval
            self.review()
        ctx.wake(self._review_at)

    def _majority_heard(self) -> float:
        """Since when, at the latest, a strict majority was heard (this node counts as now)."""
        members = self._members
        heard = [
            self._ctx.mono if name == self._ctx.settings.id else self._last_answer(name) for name in members.voters
        ]
        return quorum.kth_highest(heard, quorum.strict_majority(len(members.voters)))

    def _last_answer(self, name: str) -> float:
        peer = self._members.peers[name]
        answered = peer.answered if peer.answered is not None else float("-inf")
        return max(answered, self._campaign_started)

    def _listen(self) -> None:
        """Hear the others' uptimes before ranking oneself; a leader that is there already is safe by the pre-vote."""
        self._listen_until = self._ctx.mono + min(self._ctx.settings.timing.heartbeat_interval / 2, 1.0)

    @property
    def _patience_s(self) -> float:
        """How long answers are waited for: longer for each that came too late, up to `heartbeat_timeout` (E3)."""
        longest_s = max(self._answer_timeout_s, self._ctx.settings.timing.heartbeat_timeout)
        return min(self._answer_timeout_s * (1 + self._late), longest_s)

    def _may_campaign(self) -> bool:
        members = self._members
        return members.can_vote and not members.leaving and self._ctx.settings.id in members.voters

    def _schedule(self, delay_s: float) -> None:
        """Campaign after `delay_s` plus our rank's delay, with jitter (E3)."""
        ctx = self._ctx
        order = ranking(self._members.uptimes(), ctx.settings.timing.uptime_tolerance)
        own = ctx.settings.id
        rank = order.index(own) if own in order else len(order)
        # Those who fail to agree wait longer, so that one of them gets through, even where answers take long.
        spread = max(self._rank_delay_s * min(1 + self._rounds, 8) / 2, self._patience_s - self._answer_timeout_s)
        self._campaign_at = ctx.mono + delay_s + rank * self._rank_delay_s + ctx.rng.random() * spread
        ctx.wake(self._campaign_at)

    def _ask(self) -> None:
        ctx = self._ctx
        self.role = ASKING
        self._campaign_started = ctx.mono
        self._campaign_at = None
        self._rounds += 1
        self._yes = {ctx.settings.id}
        ctx.wake(ctx.mono + self._patience_s + 0.001)
        for name in self._members.voters:
            if name in self._members.peers:
                ctx.send(name, PreVote(self.term + 1, self._permit))
        if self._enough():
            self._campaign()

    def _campaign(self) -> None:
        ctx = self._ctx
        self.role = CANDIDATE
        self._permit = None
        if self.leader is not None:
            self.leader = None
            self.on_leader()
        self.term += 1
        self.voted_for = ctx.settings.id
        number = ctx.persist(Vote(self.term, self.voted_for))
        self._yes = {ctx.settings.id}
        self._best = None
        for name in self._members.voters:
            if name in self._members.peers:
                ctx.send(name, VoteRequest(self.term, *self._control.position), number)
        if self._enough():
            self._win()

    def _enough(self) -> bool:
        return len(self._yes) >= quorum.strict_majority(len(self._members.voters))

    def _keep_greatest(self, answer: VoteAnswer) -> None:
        if answer.state is None or (answer.stamp, answer.index) <= self._control.position:
            return
        if self._best is None or (answer.stamp, answer.index) > self._best[:2]:
            self._best = (answer.stamp, answer.index, answer.state)

    def _win(self) -> None:
        ctx = self._ctx
        self.role = LEADER
        self.leader = ctx.settings.id
        self.serving = False
        self.handover.reign()
        self._rounds = self._late = 0
        if self._best is not None:
            self._control.adopt(*self._best)
            self._best = None
        self._control.lead(self.term, self.stamped)
        self._members.beat_now()
        ctx.wake(ctx.mono + ctx.settings.timing.heartbeat_timeout)
        self.on_leader()

    def _lose_leader(self) -> None:
        """The leader is no longer heard."""
        peer = self._members.peers.get(self.leader) if self.leader else None
        self._reason = REFUSED if peer is not None and peer.refused else SILENT
        self._ctx.observe("LEADER_LOST", level="warn", leader=self.leader, term=self.term)
        self.leader = None
        self.elected_ms = None
        self.on_leader()

    def _follow(self, leader: str | None, why: str) -> None:
        was_leader = self.role == LEADER
        self.role = FOLLOWER
        self.serving = False
        self.handover.end()
        if was_leader:
            self._reason = RESIGNED
            self._ctx.observe("LEADER_RESIGNED", level="warn", term=self.term, why=why)
            self._control.resign()
            self.on_resigned()
        elif self.leader is not None:
            self._reason = why
        if self.leader != leader or was_leader:
            self.leader = leader
            self.elected_ms = None
            self.on_leader()
        if leader is None:
            self._schedule(0.0)

    def _note_change(self, name: str) -> None:
        if self._last_leader != name:
            self._last_leader = name
            self._ctx.count("distributed_leader_changes_total")
