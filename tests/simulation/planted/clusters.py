"""Members, statuses and time weakened (M1-M4, H1, H2, V2, T1)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from node.protocol import deliveries
from node.protocol import parts as parts_
from node.protocol.events import HybridClock
from node.protocol.membership import Membership
from node.protocol.messages import Envelope
from node.protocol.parts import Parts
from node.protocol.peer import HEALTHY, Peer
from node.protocol.timesync import TimeSync
from tests.simulation.planted.bug import CUTS, bug
from tests.simulation.planted.patches import around

Patch = pytest.MonkeyPatch


@bug("who is no member is heard", "M1", "stranger", "partition")
def strangers_heard(patch: Patch) -> None:
    def receive(original: Callable[..., None], parts: Parts, envelope: Envelope) -> None:
        name = next(iter(parts.members.peers)) if envelope.sender == "stranger" else envelope.sender
        original(parts, msgspec.structs.replace(envelope, sender=name, cluster=parts.settings.cluster))

    around(patch, deliveries, "receive", receive)


@bug("votes and appends pass between different configurations", "M2", "old_config", "isolate", "crash", nodes=4)
def any_configuration(patch: Patch) -> None:
    patch.setattr(deliveries, "NEEDS_EQUAL_CONFIG", ())


@bug("two members are changed at once", "M3", "members", nodes=5, rare=True)
def two_at_once(patch: Patch) -> None:
    patch.setattr(parts_, "check_step", lambda last, settings, force: None)


@bug("who is not heard stays healthy", "H1", *CUTS)
def always_healthy(patch: Patch) -> None:
    def assess(original: Callable[..., Any], self: Membership, peer: Peer) -> tuple[str, tuple[str, ...]]:
        status, reasons = original(self, peer)
        return (HEALTHY, ()) if peer.heard is not None else (status, reasons)

    around(patch, Membership, "_assess", assess)


@bug("who cannot vote does not say so", "H2", "wipe", "partition", "one_way", nodes=4)
def silent_about_it(patch: Patch) -> None:
    def assess(original: Callable[..., Any], self: Membership, peer: Peer) -> tuple[str, tuple[str, ...]]:
        status, reasons = original(self, peer)
        return (HEALTHY, ()) if "recovering" in reasons else (status, reasons)

    around(patch, Membership, "_assess", assess)


@bug("a remote timestamp far ahead moves the clock", "V2", "wall_step", "wall_drift")
def moved_clock(patch: Patch) -> None:
    patch.setattr(HybridClock, "is_ahead", lambda self, hlc, wall_ms: False)
    patch.setattr(HybridClock, "_usable", lambda self, wall_ms: self.last)


@bug("the offset counts the whole way, not half of it", "T1", "slow_link", "one_way")
def whole_way(patch: Patch) -> None:
    def answer(original: Callable[..., None], self: TimeSync, peer: Any, answer: Any) -> None:
        if self._sent is not None and answer.number == self._sent[0]:
            number, sent, wall_ms = self._sent
            self._sent = (number, sent, wall_ms + (self._ctx.mono - sent) * 1000)
        original(self, peer, answer)

    around(patch, TimeSync, "on_answer", answer)


@bug("a delivery is taken whatever disk it came from", "D1", "wipe", "duplicate", "crash", rare=True)
def any_journal(patch: Patch) -> None:
    def receive(original: Callable[..., None], parts: Parts, envelope: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(parts.recovery, "accepts", lambda peer, journal, boot: True)
            original(parts, envelope)

    around(patch, deliveries, "receive", receive)
