"""The event log carries trace ids, and neither blocks nor dies (seed 12)."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.observability.log import Entry, EventLog, json_line, text_line
from node.protocol.effects import Observe

TRACE = "0af7651916cd43dd8448eb211c80319c"


def _objects(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def test_text_is_short_and_human() -> None:
    entry = Entry(1_735_689_600_123, "info", "QUORUM_DECISION", TRACE, "instance-A", {"version": "1.2.0", "votes": 2})
    assert text_line(entry).decode() == (
        "2025-01-01T00:00:00.123Z info  instance-A QUORUM_DECISION version=1.2.0 votes=2 trace=" + TRACE
    )


def test_json_is_one_object_a_line() -> None:
    entry = Entry(1_735_689_600_000, "warn", "drift", "", "instance-A", {"ms": 1204.5, "why": "каталог"})
    assert json.loads(json_line(entry)) == {
        "time": "2025-01-01T00:00:00.000Z",
        "level": "warn",
        "event": "drift",
        "traceId": "",
        "instance": "instance-A",
        "fields": {"ms": 1204.5, "why": "каталог"},
    }


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.just(Path("x")),
            lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_any_fields_make_one_line(fields: dict[str, object]) -> None:
    entry = Entry(0, "info", "event", TRACE, "instance-A", fields)
    text = text_line(entry).decode()
    assert text.isprintable()
    assert b"\n" not in json_line(entry)
    assert json.loads(json_line(entry))["traceId"] == TRACE


def test_lone_surrogates_and_terminal_controls_are_escaped() -> None:
    entry = Entry(0, "info", "event", "", "instance-A", {"name": "a\x1b[2J\ud800"})
    assert text_line(entry).endswith(rb"name=a\x1b[2J\ud800")
    assert json.loads(json_line(entry))["fields"]["name"] == "a\x1b[2J\ud800"


def test_entries_below_the_level_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    events = EventLog("instance-A", "warn", "json", path)
    events.debug("a")
    events.info("b")
    events.warn("c", TRACE, version="1.2.0")
    events.error("d")
    assert "info" not in events.levels
    assert "error" in events.levels
    events.close()
    assert [(entry["level"], entry["event"], entry["traceId"]) for entry in _objects(path)] == [
        ("warn", "c", TRACE),
        ("error", "d", ""),
    ]


def test_what_the_core_observed_is_a_line_with_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    events = EventLog("instance-A", "info", "json", path)
    events.observe(Observe("LOCK_ACQUIRE", "info", "", 1.0, {"resource": "catalogue"}), TRACE)
    events.close()
    (entry,) = _objects(path)
    assert (entry["event"], entry["traceId"], entry["fields"]) == ("LOCK_ACQUIRE", TRACE, {"resource": "catalogue"})


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    events = EventLog("instance-A", "info", "json", path)
    events.info("before")
    _until(lambda: path.stat().st_size > 0)
    path.rename(tmp_path / "node.log.1")
    events.info("after")
    events.close()
    assert [entry["event"] for entry in _objects(path)] == ["after"]
    assert [entry["event"] for entry in _objects(tmp_path / "node.log.1")] == ["before"]


def test_a_log_file_that_cannot_be_opened_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        EventLog("instance-A", path=tmp_path / "missing" / "node.log")


def test_lost_entries_are_counted_and_reported_once_writing_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: writes fail midway, then work again."""
    path = tmp_path / "node.log"
    events = EventLog("instance-A", "info", "json", path)
    write, full = os.write, threading.Event()
    full.set()

    def torn(file: int, data: bytes) -> int:
        if not full.is_set():
            return write(file, data)
        if data.startswith(b'{"tim'):
            return write(file, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", torn)
    events.info("lost")
    _until(lambda: events.lost == 1)
    full.clear()
    events.info("kept")
    events.close()
    lines = path.read_text().splitlines()
    assert lines[0] == '{"tim'
    kept, loss = (json.loads(line) for line in lines[1:])
    assert kept["event"] == "kept"
    assert (loss["event"], loss["fields"]) == ("log_entries_lost", {"count": 1})


def test_a_stalled_reader_costs_entries_not_time() -> None:
    """stderr is a pipe nobody reads: the process goes on, counts what it dropped, and ends."""
    code = (
        "from node.observability.log import EventLog, QUEUE_CAPACITY\n"
        "events = EventLog('instance-A')\n"
        "for n in range(3 * QUEUE_CAPACITY): events.info('event', text='x' * 100)\n"
        "assert events.lost > 0\n"
        "events.close(0.1)\n"
        "print('ended')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"ended\n"
        assert process.wait(30) == 0


def test_a_closed_stderr_ends_nothing() -> None:
    code = (
        "import os\n"
        "from node.observability.log import EventLog\n"
        "os.close(2)\n"
        "events = EventLog('instance-A')\n"
        "events.info('event')\n"
        "events.close()\n"
        "assert events.lost == 1\n"
        "print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"ended\n")


def test_the_standard_librarys_loggers_can_be_brought_in(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    events = EventLog("instance-A", "info", "json", path)
    source = logging.Logger("asyncio")
    source.addHandler(events.handler())
    try:
        raise ValueError("broken")
    except ValueError:
        source.exception("Task failed: %s", "beat")
    source.critical("worse")
    source.debug("unseen")
    events.close()
    first, second = _objects(path)
    fields = first["fields"]
    assert isinstance(fields, dict)
    assert (first["level"], first["event"], fields["message"]) == ("error", "asyncio", "Task failed: beat")
    assert "ValueError: broken" in fields["traceback"]
    assert second["level"] == "error"


def _until(condition: Callable[[], bool]) -> None:
    deadline = threading.Event()
    timer = threading.Timer(10.0, deadline.set)
    timer.start()
    while not condition():
        assert not deadline.wait(0.005), "nothing was written in time"
    timer.cancel()
