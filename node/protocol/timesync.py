"""Soft time sync (T1, seed 9): offset to the leader, its error bound, its rate. It measures and warns, nothing else.

A burst of exchanges every `drift_interval`; the one with the smallest round trip counts, with half of it as the error
(Cristian, "Probabilistic Clock Synchronization", 1989). Bounds widen with age, by what two clocks may drift apart.
"""

from collections import deque

from node.protocol.context import Context
from node.protocol.election import Election
from node.protocol.membership import Membership
from node.protocol.messages import TimeAnswer, TimeProbe
from node.protocol.peer import Peer
from node.protocol.shapes import DriftSample, DriftView

BURST = 5
HISTORY = 240
WIDEN_PPM = 200.0
"""How fast an old measurement loses worth: twice the drift of a poor quartz, in parts per million."""
MOST_PPM = 1_000.0
"""An offset that changes faster than this, beyond its error, was set: a system slews its clock by 500 at most."""
FIRST_AFTER_S = 1.0


class TimeSync:
    """This node's clock against the leader's."""

    def __init__(self, ctx: Context, members: Membership, election: Election) -> None:
        self._ctx = ctx
        self._members = members
        self._election = election
        self.history: deque[DriftSample] = deque(maxlen=HISTORY)
        self._reference: str | None = None
        self._measured_at = 0.0
        self._next = 0.0
        self._number = ctx.first_number
        self._left = 0
        self._sent: tuple[int, float, float] | None = None
        self._best: tuple[float, float] | None = None
        self._started = 0.0

    def leader_changed(self) -> None:
        """Another reference: measure against it soon."""
        if self._election.leader != self._reference:
            self._reference = self._election.leader
            self._sent, self._best, self._left = None, None, 0
            # What was measured held against another clock, and the leader itself measures no more.
            self._members.set_fault("drift", False)
            if self._reference is not None:
                self._next = self._ctx.mono + min(FIRST_AFTER_S, self._ctx.settings.timing.drift_interval)
                self._ctx.wake(self._next)

    def tick(self) -> None:
        """Begin a burst when it is due; go on when an exchange got lost."""
        ctx = self._ctx
        reference = self._reference
        if reference is None or reference == ctx.settings.id:
            return
        timeout_s = ctx.settings.timing.heartbeat_timeout
        if self._sent is not None:
            if ctx.mono - self._sent[1] < timeout_s:
                ctx.wake(self._sent[1] + timeout_s)
                return
            self._probe(reference)
        elif ctx.mono >= self._next:
            self._left, self._best, self._started = BURST, None, ctx.mono
            self._next = ctx.mono + ctx.settings.timing.drift_interval
            self._probe(reference)
        ctx.wake(self._next)

    def on_probe(self, peer: Peer, probe: TimeProbe) -> None:
        """Somebody asks for our wall clock."""
        self._ctx.send(peer.member.id, TimeAnswer(probe.number, self._ctx.wall_ms))

    def on_answer(self, peer: Peer, answer: TimeAnswer) -> None:
        """The reference's wall clock, as of about half a round trip ago."""
        ctx = self._ctx
        if self._sent is None or answer.number != self._sent[0] or peer.member.id != self._reference:
            return
        _, sent_mono, sent_wall_ms = self._sent
        rtt_ms = (ctx.mono - sent_mono) * 1000
        offset_ms = sent_wall_ms + rtt_ms / 2 - answer.wall_ms
        if self._best is None or rtt_ms < self._best[0]:
            self._best = (rtt_ms, offset_ms)
        self._sent = None
        self._probe(peer.member.id)

    def current(self) -> tuple[float | None, float | None]:
        """Offset and error bound in ms, the bound widened with age; (0, 0) for the reference itself."""
        if self._reference == self._ctx.settings.id:
            return 0.0, 0.0
        sample = self.history[-1] if self.history else None
        if sample is None or sample.reference != self._reference:
            return None, None
        age_s = self._ctx.mono - self._measured_at
        return sample.offset_ms, sample.error_ms + age_s * WIDEN_PPM / 1000

    def rate_ppm(self) -> float | None:
        """How fast the offset to the present reference grows, parts per million, since either clock was last set.

        None before two measurements.
        """
        same: list[DriftSample] = []
        for sample in reversed(self.history):
            if sample.reference != self._reference or (same and _set_between(sample, same[-1])):
                break
            same.append(sample)
        if len(same) < 2 or same[0].at <= same[-1].at:
            return None
        return (same[0].offset_ms - same[-1].offset_ms) / (same[0].at - same[-1].at) * 1_000_000

    def suspect(self) -> str | None:
        """Whose clock is wrong: the leader's, when the others agree among themselves and not with it."""
        warn_ms = self._ctx.settings.limits.drift_warn_ms
        offsets = [o for name, o in self._offsets().items() if o is not None and name != self._reference]
        own, error_ms = self.current()
        if len(offsets) >= 2 and min(abs(o) for o in offsets) > warn_ms and max(offsets) - min(offsets) < warn_ms / 2:
            return self._reference
        if own is not None and error_ms is not None and abs(own) - error_ms > warn_ms:
            return self._ctx.settings.id
        return None

    def view(self) -> DriftView:
        """All of it, for the API."""
        offset_ms, error_ms = self.current()
        measured = bool(self.history) and self.history[-1].reference == self._reference
        return DriftView(
            instance=self._ctx.settings.id,
            reference=self._reference,
            offset_ms=offset_ms,
            error_ms=error_ms,
            rate_ppm=self.rate_ppm(),
            age_ms=int((self._ctx.mono - self._measured_at) * 1000) if measured else None,
            suspect=self.suspect(),
            warn_ms=self._ctx.settings.limits.drift_warn_ms,
            peers=self._offsets(),
            history=tuple(self.history),
        )

    def _offsets(self) -> dict[str, float | None]:
        own = self._ctx.settings.id
        offsets = {name: peer.said.drift_ms if peer.said else None for name, peer in self._members.peers.items()}
        offsets[own] = self.current()[0]
        return offsets

    def _probe(self, reference: str) -> None:
        ctx = self._ctx
        if self._left == 0:
            self._finish(reference)
            return
        self._left -= 1
        self._number += 1
        self._sent = (self._number, ctx.mono, ctx.wall_ms)
        ctx.send(reference, TimeProbe(self._number))

    def _finish(self, reference: str) -> None:
        ctx = self._ctx
        self._sent = None
        if self._best is None:
            return
        rtt_ms, offset_ms = self._best
        self._measured_at = ctx.mono
        self.history.append(DriftSample(int(ctx.wall_ms), round(offset_ms, 3), round(rtt_ms / 2, 3), reference))
        warn = abs(offset_ms) - rtt_ms / 2 > ctx.settings.limits.drift_warn_ms
        self._members.set_fault("drift", warn and self.suspect() != reference)
        ctx.observe(
            "TIME_DRIFT_MEASURE", level="warn" if warn else "debug", started=self._started,
            offset_ms=offset_ms, error_ms=rtt_ms / 2, reference=reference, suspect=self.suspect(),
        )  # fmt: skip


def _set_between(earlier: DriftSample, later: DriftSample) -> bool:
    """Whether one of the two clocks was set in the meantime, rather than running fast or slow."""
    passed_ms = later.at - earlier.at
    moved_ms = abs(later.offset_ms - earlier.offset_ms) - earlier.error_ms - later.error_ms
    return passed_ms < 0 or moved_ms > passed_ms * MOST_PPM / 1_000_000
