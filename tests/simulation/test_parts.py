"""The parts of the world by themselves: clocks, disks, network, trace."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.protocol.events import Event
from node.protocol.records import (
    Appended,
    Configured,
    ControlAppended,
    ControlReplaced,
    ControlState,
    Floor,
    FloorReached,
    Grant,
    Identity,
    LockRecord,
    PeerJournal,
    Record,
    Vote,
)
from node.protocol.settings import Limits
from node.simulation.campaign import FAULTS
from node.simulation.clocks import EPOCH_MS, Clocks
from node.simulation.disk import Disk, fold
from node.simulation.network import Network, Weather
from node.simulation.plan import AIMED, FAMILIES, draw
from node.simulation.schedule import Schedule, Trace


def event(journal: str, seq: int) -> Event:
    return Event(f"{journal}-{seq}", "A", journal, seq, "SNAPSHOT_CREATED", 0, 0, "", {"n": seq})


def test_every_family_has_its_fault() -> None:
    assert sorted(FAULTS) == sorted(FAMILIES + AIMED)


# Clocks.


@given(rate=st.floats(0.5, 2.0), origin=st.floats(0, 1e6), t=st.floats(0, 1e5), ahead=st.floats(0, 1e4))
def test_the_world_knows_when_a_clock_will_show_a_time(rate: float, origin: float, t: float, ahead: float) -> None:
    clocks = Clocks(mono_origin_s=origin, rate=rate)
    wanted = clocks.mono(t) + ahead
    assert clocks.mono(clocks.true_time_of(wanted, t)) == pytest.approx(wanted, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from([0.0, 0.5, 1.0, 2.0])), max_size=20))
def test_a_monotonic_clock_never_goes_back(changes: list[tuple[float, float]]) -> None:
    clocks, t, last = Clocks(mono_origin_s=5.0), 0.0, 5.0
    for wait, rate in changes:
        t += wait
        assert clocks.mono(t) >= last
        last = clocks.mono(t)
        clocks.set_rate(t, rate)
        assert clocks.mono(t) == pytest.approx(last)


def test_a_frozen_clock_never_reaches_a_later_time() -> None:
    clocks = Clocks(rate=0.0)
    assert clocks.true_time_of(1.0, 0.0) == float("inf")
    assert clocks.true_time_of(0.0, 7.0) == 7.0


def test_a_step_moves_the_wall_clock_alone() -> None:
    clocks = Clocks(mono_origin_s=3.0)
    clocks.step_wall(10.0, -3600.0)
    assert clocks.now(10.0).mono == 13.0
    assert clocks.now(10.0).wall_ms == EPOCH_MS + (10.0 - 3600.0) * 1000
    clocks.set_right(20.0)
    assert clocks.wall_offset_s(30.0) == 0.0


# Disks.


def test_a_disk_keeps_what_was_written_and_shares_nothing_with_the_writer() -> None:
    disk, state = Disk(), ControlState(token=1)
    disk.write((Vote(3, "B"), ControlReplaced(3, 1, state)))
    state.token = 99
    disk.write((ControlAppended(3, 2, Grant(LockRecord("r", "o", "A", 2, 30_000, "q"))), Appended(event("j", 1))))
    image = disk.image()
    assert (image.hard, image.stamp, image.index, image.control.token) == (Vote(3, "B"), 3, 2, 2)
    assert [e.id for e in image.events] == ["j-1"]
    image.control.token = 50
    assert disk.image().control.token == disk.now.control.token == 2


@given(st.lists(st.integers(0, 5), max_size=30))
def test_an_image_is_what_all_writes_add_up_to(kinds: list[int]) -> None:
    """Promise 3: a process that starts finds what was written, in the order in which events arrived."""
    disk, writes = Disk(), list[bytes]()
    seqs = {"j": 0, "k": 0}
    for number, kind in enumerate(kinds):
        journal = "jk"[number % 2]
        seqs[journal] += kind < 2
        records: tuple[Record, ...] = (
            (Appended(event(journal, seqs[journal])),),
            (Appended(event(journal, seqs[journal])), Vote(number, None)),
            (ControlAppended(1, number, Grant(LockRecord(f"r{number}", "o", "A", number, 30_000, "q"))),),
            (ControlReplaced(2, number, ControlState(token=number)), Identity(f"journal-{number}", True)),
            (PeerJournal("B", f"b-{number}"), Configured("digest", {"A": "a"}, True)),
            (FloorReached(Floor({"j": seqs["j"], "k": max(0, seqs["k"] - 1)}, msgspec.Raw(b"\x80"))),),
        )[kind]
        disk.write(records)
        writes.append(msgspec.msgpack.encode(records))
    found, (wanted, events) = disk.image(), fold(writes)
    wanted.events = events
    assert vars(found) == vars(wanted)


def test_a_disk_rolled_back_forgets_the_last_persists_and_a_wiped_one_everything() -> None:
    disk = Disk()
    for seq in (1, 2, 3):
        disk.write((Appended(event("j", seq)), Vote(seq, None)))
    disk.roll_back(2)
    assert (disk.vector, disk.image().hard.term) == ({"j": 2}, 2)
    disk.wipe()
    assert (disk.vector, disk.image().hard.term, disk.writes) == ({}, 0, 0)


def test_a_disk_serves_what_lies_beyond_a_vector_in_portions() -> None:
    disk = Disk()
    for seq in range(1, 6):
        disk.write((Appended(event("j", seq)), Appended(event("k", seq))))
    events, more = disk.read({"j": 3, "k": 0, "unknown": 0}, 4)
    assert [(e.journal, e.seq) for e in events] == [("j", 4), ("j", 5), ("k", 1), ("k", 2)]
    assert more
    assert disk.read({"j": 5}, 4) == ((), False)


def test_a_gap_in_a_log_is_noted() -> None:
    disk = Disk()
    disk.write((Appended(event("j", 1)), Appended(event("j", 3))))
    assert disk.gaps == [("j", 2, 3)]


# The network.


def test_cuts_are_one_way_and_counted() -> None:
    network = Network(Random(1), Weather())
    network.cut([("A", "B")])
    network.cut([("A", "B")])
    network.mend([("A", "B")])
    assert not network.open("A", "B")
    assert network.open("B", "A")
    assert network.delays("A", "B") == ()
    network.mend([("A", "B")])
    assert len(network.delays("A", "B")) == 1


@given(st.integers(0, 1000))
def test_packets_are_lost_doubled_and_late_as_the_weather_says(seed: int) -> None:
    network = Network(Random(seed), Weather(delay_s=0.1, jitter_s=0.1, duplicate=1.0, straggle=1.0, straggle_s=5.0))
    copies = network.delays("A", "B")
    assert len(copies) == 2
    assert all(0.1 <= delay <= 10.2 for delay in copies)
    lossy = Network(Random(seed), Weather(loss=1.0))
    assert lossy.delays("A", "B") == ()


# Time, trace and plan.


def test_things_happen_in_order_of_time_then_of_asking() -> None:
    schedule, seen = Schedule(), list[str]()
    schedule.after(2.0, seen.append, "late")
    schedule.after(1.0, seen.append, "first")
    schedule.after(1.0, seen.append, "second")
    schedule.run(1.5)
    assert (seen, schedule.t) == (["first", "second"], 1.5)
    schedule.run(3.0)
    assert seen == ["first", "second", "late"]


def test_a_trace_hashes_every_line_in_order() -> None:
    one, two, other = Trace(), Trace(), Trace()
    for n in range(1500):
        one.note(n, "A", "x")
        two.note(n, "A", "x")
        other.note(n, "A", "y" if n == 700 else "x")
    assert one.digest() == two.digest() != other.digest()


def test_a_seed_is_a_plan() -> None:
    assert draw("7") == draw("7") != draw("8")
    plans = [draw(str(seed)) for seed in range(200)]
    assert {p.nodes for p in plans} == set(range(1, 10))
    assert {p.rule for p in plans} == {"half", "majority"}
    assert len({p.strategy for p in plans}) == 3
    assert {family for p in plans for family in p.families} == set(FAMILIES)
    assert any(p.clocks_agree for p in plans)
    assert not all(p.clocks_agree for p in plans)
    crowded = [p for p in plans if p.limits.max_skipped_kept < Limits().max_skipped_kept]
    assert 20 <= len(crowded) <= 60
    assert {p.clients for p in crowded} == {4, 8, 12}
