"""What a disk must keep, and what its loss must cost, weakened (D1, D2, V1, V4)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from node.protocol import deliveries
from node.protocol import parts as parts_
from node.protocol import recovery as recovery_
from node.protocol.context import Context
from node.protocol.parts import Parts
from node.protocol.publishing import Publishing
from node.protocol.records import Appended, Identity, Vote
from node.protocol.recovery import Recovery
from node.protocol.replication import Replication
from tests.simulation.planted.bug import CRASHES, LOSSY, STORM, bug
from tests.simulation.planted.patches import around

Patch = pytest.MonkeyPatch
LOSSES = ("wipe", "partition", "isolate", "crash")


def unwritten(patch: Patch, kind: type) -> None:
    """Records of this kind never reach the disk."""

    def drain(original: Callable[..., list[Any]], self: Context) -> list[Any]:
        self._records = [r for r in self._records if not isinstance(r, kind)] or self._records[:1]
        return original(self)

    around(patch, Context, "drain", drain)


@bug("votes are not written", "E1", *CRASHES)
def unwritten_votes(patch: Patch) -> None:
    unwritten(patch, Vote)


@bug("a step's events are written without the last", "V1", *CRASHES)
def unwritten_event(patch: Patch) -> None:
    def drain(original: Callable[..., list[Any]], self: Context) -> list[Any]:
        events = [r for r in self._records if isinstance(r, Appended)]
        if len(events) > 1:
            self._records.remove(events[0])
        return original(self)

    around(patch, Context, "drain", drain)


@bug("events are taken over a gap", "V1", "flap", "one_way", weather=LOSSY)
def event_gap(patch: Patch) -> None:
    def push(original: Callable[..., bool], self: Replication, peer: Any, push: Any, journal: str) -> bool:
        for event in push.events:
            if event.journal != self.journal and event.seq > self.vector.get(event.journal, 0) + 1:
                self.vector[event.journal] = event.seq - 1
        return original(self, peer, push, journal)

    around(patch, Replication, "on_push", push)


@bug("an event with a known id is shown again", "V1", "slow_link", "one_way", "crash", weather=LOSSY, first=23)
def shown_again(patch: Patch) -> None:
    patch.setattr(Replication, "_remember_id", lambda self, event: True)


@bug("a publisher is answered before the event is on the disk", "V4", *CRASHES)
def published_early(patch: Patch) -> None:
    def publish(original: Callable[..., None], self: Publishing, call: int, ask: Any) -> None:
        made = len(self._ctx._out)
        original(self, call, ask)
        self._ctx._out[made:] = [
            msgspec.structs.replace(e, after=0) for e in self._ctx._out[made:] if hasattr(e, "after")
        ]

    around(patch, Publishing, "publish", publish)


@bug("a quorum of disks is one", "V4", "partition", "isolate")
def quorum_of_one(patch: Patch) -> None:
    def held(self: Replication, call: int, seq: int, needed: int, done: Callable[[], None]) -> None:
        done()

    patch.setattr(Replication, "when_held", held)


@bug("a lost disk recovers from a majority only", "D1", *LOSSES, weather=STORM, nodes=5, rare=True)
def majority_recovers(patch: Patch) -> None:
    def others(original: Callable[..., set[str]], self: Recovery) -> set[str]:
        names: set[str] = original(self)
        answered = names & self._answers.keys()
        return answered if len(answered) > len(names) // 2 else names

    around(patch, Recovery, "_others", others)


@bug("an empty disk votes at once", "D1", *LOSSES, weather=STORM, nodes=5, first=1)
def ready_at_once(patch: Patch) -> None:
    def begin(original: Callable[..., None], self: Recovery, identity: Identity, *args: Any, **kwargs: Any) -> None:
        original(self, Identity(identity.journal, True), *args, **kwargs)
        self._ctx.persist(Identity(identity.journal, True))

    around(patch, Recovery, "start", begin)


@bug("a new disk goes on under the old journal id", "D1", *LOSSES, first=6)
def journal_reused(patch: Patch) -> None:
    def same_again(original: Callable[..., None], self: Any, *args: Any, **kwargs: Any) -> None:
        settings = self._ctx.settings if isinstance(self, Recovery) else args[0]
        with pytest.MonkeyPatch.context() as inner:
            for module in (parts_, recovery_):
                inner.setattr(module, "new_journal_id", lambda random, again: f"journal-{settings.id}")
            original(self, *args, **kwargs)

    around(patch, Parts, "__init__", same_again)
    around(patch, Recovery, "begin_anew", same_again)


@bug("a disk that was rolled back is not found out", "D1", "roll_back", "crash", first=13)
def roll_back_unnoticed(patch: Patch) -> None:
    patch.setattr(deliveries, "rolled_back", lambda parts, quote: False)


@bug("a second process under one id is let in", "D2", "duplicate", "crash", first=33)
def let_in(patch: Patch) -> None:
    patch.setattr(Recovery, "_still_heard", lambda self, peer, boot: False)
