"""Recordings: what is replayed is what was recorded, whatever cut the file short; memory stays bounded."""

import gzip
import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwdc_console.tui.model.api import Event, Leader, Status
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.milestones import Milestone
from iwdc_console.tui.model.observation import Link, Observation, Part
from iwdc_console.tui.recording.file import RecordingError, Writer, load
from iwdc_console.tui.recording.lines import Frame, decode, encode, frame
from iwdc_console.tui.recording.ring import Ring
from iwdc_console.tui.recording.tape import FRAMES_PER_BLOCK, Tape
from iwdc_console.tui.source import answers
from tests.tui import prod_eu
from tests.tui.prod_eu import observation, watched

START_MS = 1_700_000_000_000


def frames(count: int) -> list[Frame]:
    """A life of `count` seconds in which everything changes now and then."""
    seen = watched(60)
    found = []
    for second in range(count):
        told = tuple(
            Event(f"e{number}", "A", number, "NOTE", START_MS + number, number << 16, "", {"n": number, "x": None})
            for number in range(max(0, second - 20), second)
        )
        now = seen[second % len(seen)]
        metrics = f"# HELP\na {second}\nb 1\n" + ("c 2\n" if second % 7 > 3 else "")
        at_s, at_ms = 100.0 + second, START_MS + second * 1000
        found.append(Frame(
            msgspec.structs.replace(
                now, events=Part(told, "n", at_s, at_ms) if second else None, metrics=Part(metrics, "n", at_s, at_ms),
                link=Link("n", rtt_ms=second / 7, answered_s=at_s), troubles={"locks": "no"} if second % 5 == 0 else {},
                locks=None if second % 11 == 0 else now.locks,
            ), at_s, at_ms,
        ))  # fmt: skip
    return found


def record(file: Path, lived: list[Frame]) -> Writer:
    writer = Writer(file, "prod-eu", START_MS)
    for one in lived:
        writer.add(*one)
    return writer


def all_of(tape: Tape) -> list[Frame]:
    return [tape.frame(index) for index in range(len(tape))]


def test_replayed_is_what_was_recorded(tmp_path: Path) -> None:
    lived = frames(3 * FRAMES_PER_BLOCK + 7)
    record(tmp_path / "r", lived).close()
    found = load(tmp_path / "r")
    assert (found.heading.context, found.heading.started_ms, found.damage) == ("prod-eu", START_MS, None)
    assert all_of(found.tape) == lived
    assert [found.tape.frame(index) for index in (180, 3, 119, 120, 0)] == [lived[i] for i in (180, 3, 119, 120, 0)]
    assert (found.tape.first_ms, found.tape.last_ms) == (lived[0].at_ms, lived[-1].at_ms)


def test_a_file_is_json_lines_that_anyone_can_read(tmp_path: Path) -> None:
    record(tmp_path / "r", frames(5)).close()
    heading, *lines = map(json.loads, gzip.decompress((tmp_path / "r").read_bytes()).splitlines())
    assert heading["format"] == "iwdc-console-recording"
    assert len(lines) == 5


def test_between_full_frames_only_changes_are_written(tmp_path: Path) -> None:
    one = observation()
    whole = encode(Frame(one, 1.0, 1), None, begins=True)
    same = encode(Frame(one, 2.0, 2), one, begins=False)
    assert len(whole) > 2_000
    assert len(same) < 60


LIVED = frames(FRAMES_PER_BLOCK + 20)


@pytest.fixture(scope="module")
def unclosed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file that is still being written: as after a kill."""
    file = tmp_path_factory.mktemp("unclosed") / "r"
    writer = record(file, LIVED)
    content = file.read_bytes()
    writer.close()
    return content


def test_what_is_written_is_in_the_file_at_once(tmp_path: Path, unclosed: bytes) -> None:
    (tmp_path / "r").write_bytes(unclosed)
    assert all_of(load(tmp_path / "r").tape) == LIVED


@settings(max_examples=30)
@given(cut=st.integers(1, 3_000))
def test_cut_short_anywhere_all_whole_lines_are_there(
    tmp_path_factory: pytest.TempPathFactory, unclosed: bytes, cut: int
) -> None:
    file = tmp_path_factory.mktemp("cut") / "r"
    file.write_bytes(unclosed[:-cut])
    found = load(file)
    assert all_of(found.tape) == LIVED[: len(found.tape)]
    assert len(found.tape) >= len(LIVED) - cut, "at most a frame is lost for each byte"
    assert found.damage is not None
    assert found.damage.how == "cut"


def test_damage_in_the_middle_keeps_what_is_before(tmp_path: Path) -> None:
    lived = frames(3 * FRAMES_PER_BLOCK)
    record(tmp_path / "r", lived).close()
    content = bytearray((tmp_path / "r").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    (tmp_path / "r").write_bytes(content)
    found = load(tmp_path / "r")
    assert FRAMES_PER_BLOCK <= len(found.tape) < len(lived)
    assert all_of(found.tape) == lived[: len(found.tape)]
    assert found.damage is not None
    assert found.damage.how == "damaged"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no recording of a console"),
        (b"hello", "is no recording of a console"),
        (gzip.compress(b'{"a": 1}\n', mtime=0), "is no recording of a console"),
        (gzip.compress(b'{"format": "\xff"}\n', mtime=0), "is no recording of a console"),
        (gzip.compress(b'{"a": ' + b"[" * 100_000 + b"\n", mtime=0), "is no recording of a console"),
        (
            gzip.compress(b'{"format":"iwdc-console-recording","version":7}\n', mtime=0),
            "is written in format 7 of recordings",
        ),
        (gzip.compress(b'{"format":"iwdc-console-recording","version":1}\n', mtime=0), "holds no observation"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(RecordingError, match=told):
        load(tmp_path / "r")


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    for file, told in ((tmp_path / "there", "exists already"), (tmp_path / "no" / "r", "No such file")):
        with pytest.raises(RecordingError, match=told):
            Writer(file, "", 0)
    os.mkfifo(tmp_path / "pipe")
    for name, told in (("none", "No such file"), ("pipe", "a pipe, not a file")):
        with pytest.raises(RecordingError, match=told):
            load(tmp_path / name)


def test_the_ring_tells_what_it_was_given() -> None:
    lived = frames(2 * FRAMES_PER_BLOCK + 5)
    ring = Ring()
    for one in lived:
        ring.add(*one)
    tape = ring.tape()
    ring.add(lived[0].observation, 9_999.0, START_MS + 9_999_000)
    assert all_of(tape) == lived, "what comes later does not change it"
    assert tape.index(lived[70].at_ms + 400) == 70
    assert tape.index(START_MS - 1) == -1


def test_the_ring_is_bounded_and_keeps_the_newest() -> None:
    lived = frames(20 * FRAMES_PER_BLOCK)
    ring = Ring(most=20_000)
    for one in lived:
        ring.add(*one)
    tape = ring.tape()
    assert ring.size < 20_000 + 512 * 1024
    assert FRAMES_PER_BLOCK <= len(tape) < len(lived)
    assert all_of(tape) == lived[-len(tape) :]


def test_observations_too_close_to_one_another_are_left_out() -> None:
    ring = Ring()
    for tenth in range(10):
        ring.add(observation(), 1.0 + tenth / 10, START_MS + tenth * 100)
    assert len(ring.tape()) == 2


def test_a_history_is_what_watching_would_have_made() -> None:
    lived = [one for one in frames(FRAMES_PER_BLOCK + 30) if one.observation.status is not None]
    ring = Ring()
    for one in lived:
        ring.add(*one)
    told = list(ring.tape().statuses(75, 40))
    assert [part.at_ms for part in told] == [
        one.observation.status.at_ms for one in lived[36:76] if one.observation.status
    ]
    assert History.of(Observation(status=part) for part in told).samples("instance-A")


def test_instances_that_see_the_same_share_it_wherever_a_status_comes_from() -> None:
    """Of a hundred instances they would be a megabyte of each."""
    ring = Ring()
    ring.add(observation(), 1.0, START_MS)
    recorded = ring.tape().frame(0).observation.status
    assert recorded is not None
    answered = answers.decode("status", b'{"success": true, "data": %b}' % msgspec.json.encode(prod_eu.status()))
    for status in (recorded.value, *(part.value for part in ring.tape().statuses(0, 1)), answered):
        a, b, *_, e = status.instances
        assert a.sees == prod_eu.status().instances[0].sees
        assert a.sees is b.sees
        assert a.sees != e.sees


def test_milestones_are_found_also_where_a_block_begins() -> None:
    ring = Ring()
    leaders = ["A"] * FRAMES_PER_BLOCK + ["B"] * 3
    for second, leader in enumerate(leaders):
        told = Part(Status(leader=Leader(leader, 1)), "n", float(second), START_MS + second)
        ring.add(Observation(status=told), float(second), START_MS + second)
    assert ring.tape().milestones == (Milestone(START_MS + FRAMES_PER_BLOCK, "leader", "B"),)


def test_unknown_parts_of_a_line_are_left_out() -> None:
    line = decode(b'{"at_ms":1,"at_s":1.0,"parts":{"context":"x","later":{"a":1}},"more":2}')
    assert frame([line], 0) == Frame(Observation(context="x"), 1.0, 1)


@pytest.mark.parametrize("where", ["memory", "file"])
def test_what_a_mark_tells_of_is_seen_where_it_stands(where: str, tmp_path: Path) -> None:
    """An observation is kept a moment after its answer came: a mark at the answer's time showed what was before."""

    def led(term: int) -> Observation:
        part = Part(Status(id="A", leader=Leader("B", term)), "n", 100.0 + term, START_MS + term * 1000)
        return msgspec.structs.replace(observation(), status=part)

    lived = [Frame(led(1), 101.0, START_MS + 1_100), Frame(led(2), 102.3, START_MS + 2_300)]
    if where == "memory":
        ring = Ring()
        for one in lived:
            ring.add(*one)
        tape = ring.tape()
    else:
        record(tmp_path / "r", lived).close()
        tape = load(tmp_path / "r").tape
    (mark,) = tape.milestones
    shown = tape.frame(tape.index(mark.at_ms)).observation.status
    assert shown is not None
    assert (mark.kind, shown.value.leader.term) == ("leader", 2)
