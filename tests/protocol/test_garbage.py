"""Promise 7: whatever a member sends, well-formed but senseless, the core goes on: it may answer, never raise."""

import random
import typing
from typing import Any

import msgspec
import msgspec.inspect
import pytest

from node.protocol.core import Core
from node.protocol.effects import Now, Persist, Persisted, Received, Tick
from node.protocol.events import RESERVED_TYPES, Event
from node.protocol.messages import ControlAppend, ControlReset, Message, Push
from node.protocol.records import ControlState, Durable, Floor
from node.protocol.settings import Member, Settings

MEMBERS = tuple(Member(name, f"http://{name}:3000/api/v1") for name in ("instance-A", "instance-B", "instance-C"))
FIELDS = [
    *("kind", "version", "hash", "label", "voters", "required", "deadlineHlc", "digest", "leaderTerm", "base"),
    *("vote", "votes", "reason", "round", "proposal", "slots", "leader", "term", "slot", "winner", "key", "state"),
]
UNREADABLE = {
    "keeps a number": b"\x81\xa4kept\x05",
    "keeps nonsense": msgspec.msgpack.encode({"kept": [["nonsense"]]}),
    "a list": b"\x90",
    "nothing": b"\xc0",
    "no UTF-8": b"\x81\xa7highest\xa1\xff",
    "nested too deep": b"\x81\xa1x" + b"\x91" * 10_000 + b"\x01",
}
"""States of floors that are no checkpoints."""


class Garbage:
    """Draws values that fit the types of messages and make no sense."""

    def __init__(self, seed: int, journals: list[str]) -> None:
        self._rng = random.Random(seed)
        self._journals = journals
        self._seqs: dict[str, int] = {}

    def message(self) -> Message:
        kind = self._rng.choice(typing.get_args(Message))
        message: Message = self._value(msgspec.inspect.type_info(kind))
        return message

    def _value(self, of: msgspec.inspect.Type) -> Any:
        rng = self._rng
        match of:
            case msgspec.inspect.IntType():
                return rng.choice([0, 1, 2, 3, -1, 5, 100, 2**31, 2**53, 2**62])
            case msgspec.inspect.FloatType():
                return rng.choice([0.0, -1.0, 1.5, 1e12])
            case msgspec.inspect.BoolType():
                return rng.random() < 0.5
            case msgspec.inspect.StrType():
                return rng.choice(["instance-A", "instance-B", "x", "", "version:1.0.0", "1.0.0", *self._journals])
            case msgspec.inspect.NoneType():
                return None
            case msgspec.inspect.AnyType():
                return rng.choice([None, 1, "a", [], {}, "accept", ["instance-A", 0, "accept"]])
            case msgspec.inspect.RawType():
                return msgspec.Raw(rng.choice([*UNREADABLE.values(), b"\x80"]))
            case msgspec.inspect.VarTupleType(item_type=item):
                return tuple(self._value(item) for _ in range(rng.choice([0, 1, 1, 2])))
            case msgspec.inspect.TupleType(item_types=items):
                return tuple(self._value(item) for item in items)
            case msgspec.inspect.DictType(value_type=msgspec.inspect.AnyType() as value):
                return {name: self._value(value) for name in rng.sample(FIELDS, rng.choice([0, 3, 8, 15]))}
            case msgspec.inspect.DictType(key_type=key, value_type=value):
                return {self._value(key): self._value(value) for _ in range(rng.choice([0, 1, 2]))}
            case msgspec.inspect.UnionType(types=types):
                return self._value(rng.choice(types))
            case msgspec.inspect.StructType(cls=cls) if cls is Event:
                return self._event()
            case msgspec.inspect.StructType(cls=cls, fields=fields):
                return cls(**{field.name: self._value(field.type) for field in fields})
        raise AssertionError(f"no garbage for {of}")

    def _event(self) -> Event:
        rng = self._rng
        journal = rng.choice(self._journals)
        seq = self._seqs[journal] = self._seqs.get(journal, 0) + 1
        payload = self._value(msgspec.inspect.type_info(dict[str, Any]))
        kind = rng.choice([*sorted(RESERVED_TYPES), "X"])
        origin, hlc = rng.choice(["instance-B", "instance-A", "z"]), rng.choice([5, 2**60, 0])
        return Event(f"e{rng.random()}", origin, journal, seq, kind, 1_700_000_000_000, hlc, "t", payload)


def talk(seed: int, count: int) -> Core:
    now = Now(100.0, 1_700_000_000_000.0)
    cores = [
        Core(Settings(m.id, "c", MEMBERS), Durable(), random.Random(seed + at), now, f"boot-{at}", new_cluster=True)
        for at, m in enumerate(MEMBERS[:2])
    ]
    victim, sender = cores
    garbage = Garbage(seed, [sender.journal_id, victim.journal_id, "other"])
    for number in range(count):
        now = Now(now.mono + 0.05, now.wall_ms + 50)
        envelope = sender.envelope(victim.parts.settings.id, (garbage.message(),))
        for given in (Received(envelope), Tick()):
            for effect in victim.step(now, given):
                if isinstance(effect, Persist):
                    victim.step(now, Persisted(effect.number))
        if number % 50 == 0:
            victim.view_status(now)
    return victim


@pytest.mark.parametrize("seed", range(12))
def test_senseless_messages_do_not_stop_a_node(seed: int) -> None:
    victim = talk(seed, 600)
    assert victim.view_status(Now(1e6, 1.8e12)).id == "instance-A"


@pytest.mark.parametrize("state", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("at_once", [True, False], ids=["reset", "append"])
def test_a_floor_that_does_not_read_as_one_is_not_taken(state: bytes, at_once: bool) -> None:
    """Committed, it would be put in place, and there is no way to do that (C1)."""
    now = Now(100.0, 1_700_000_000_000.0)
    victim, sender = (
        Core(Settings(m.id, "c", MEMBERS), Durable(), random.Random(at), now, f"boot-{at}", new_cluster=True)
        for at, m in enumerate(MEMBERS[:2])
    )
    floor = Floor({sender.journal_id: 3}, msgspec.Raw(state))
    reset = ControlReset(7, 1, ControlState(floor=floor if at_once else None), 1)
    messages = (reset,) if at_once else (reset, ControlAppend(7, 2, (floor,), 2))
    victim.step(now, Received(sender.envelope("instance-A", messages)))
    assert victim.parts.control.state.floor is None
    assert victim.vector == {}
    assert victim.counters["distributed_sync_errors_total", (("type", "bad_floor"),)] == 1


def test_an_empty_push_that_asks_for_confirmation_is_harmless() -> None:
    now = Now(100.0, 1_700_000_000_000.0)
    cores = [
        Core(Settings(m.id, "c", MEMBERS), Durable(), random.Random(at), now, f"boot-{at}", new_cluster=True)
        for at, m in enumerate(MEMBERS[:2])
    ]
    effects = cores[0].step(now, Received(cores[1].envelope("instance-A", (Push((), confirm=True),))))
    assert all(not isinstance(effect, Persist) or effect.records for effect in effects)
