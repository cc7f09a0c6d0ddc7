"""`--watch` and `--follow`: live on a terminal and in a pipe, and what they show when nodes go away."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iwdc_console.cli import follow, main, watch
from iwdc_console.cli.exits import Exit
from iwdc_console.cli.reading import READS
from iwdc_console.cli.views.screen import Screen
from iwdc_console.exchange import Answer
from tests.cli import samples
from tests.cli.fake import Asked, FakeNode, Raw, running

DEADLINE_S = 60.0
WITH_A_TERMINAL_OF_ITS_OWN = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    with running(samples.READS) as fake:
        monkeypatch.setenv("IWDC_NODE", fake.url)
        monkeypatch.setattr(watch, "INTERVAL_S", 0.001)
        monkeypatch.setattr(follow, "RETRY_S", 0.001)
        yield fake


def interrupting(node: FakeNode, route: str, after: int) -> None:
    """Ctrl-c once a route has been asked so often."""
    answer = node.routes[route]

    def count(asked: Asked) -> Any:
        if len(node.requests(route)) > after:
            os.kill(os.getpid(), 2)
        return answer

    node.routes[route] = count


def test_in_a_pipe_each_look_is_one_json_line_and_ctrl_c_is_a_good_end(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupting(node, "GET distributed/quorum", 3)
    assert main.run(["quorum", "--watch", "-o", "json"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert all(json.loads(line) == samples.QUORUM for line in lines)


def test_in_a_pipe_tables_are_appended_without_a_cursor_in_sight(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupting(node, "GET distributed/locks", 3)
    assert main.run(["locks", "--watch"]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.count("seen by instance-A") >= 2
    assert "\x1b" not in out


SCREEN = Screen(80, False, samples.NOW_MS)
VIEW = READS["quorum"].view()


def test_what_is_old_is_shown_as_old() -> None:
    answer = Answer(samples.QUORUM, "http://a:1", "", time.monotonic() - 12)
    lines = watch.picture(answer, "No node could be reached.", VIEW, SCREEN, "instance-A")
    text = "\n".join(lines)
    assert lines[0] == "No node could be reached."
    assert text.index("What was known then:") < text.index("Quorum sufficient")
    assert "seen by instance-A, 12 s ago" in text
    assert lines[-1] == "Trying again. q ends."


def test_with_nothing_known_yet_it_still_says_so_at_once() -> None:
    lines = watch.picture(None, "No node could be reached.", VIEW, SCREEN, "")
    assert lines == ["No node could be reached.", "", "Trying again. q ends."]


def test_each_line_of_a_picture_is_one_line() -> None:
    answer = Answer(samples.QUORUM, "http://a:1", "", time.monotonic())
    lines = watch.picture(answer, "No node could be reached. " * 3, VIEW, SCREEN._replace(width=30), "instance-A")
    assert [line for line in lines if "\n" in line or len(line) > 30] == []
    assert lines[:2] == ["No node could be reached. No", "node could be reached. No node"]


def test_redrawing_goes_over_what_stood_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert watch.draw(["one", "two"], 0, 24) == 2
    assert capsys.readouterr().out == "\x1b[Kone\n\x1b[Ktwo\n\x1b[J"
    assert watch.draw(["three"], 2, 24) == 1
    assert capsys.readouterr().out == "\x1b[2A\r\x1b[Kthree\n\x1b[J"
    assert watch.draw(["x"] * 50, 1, 10) == 9, "never more than the screen has, or going up would miss"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda child, terminal: os.write(terminal, b"q"), Exit.DONE),
        (lambda child, terminal: os.write(terminal, b"\x03"), Exit.DONE),
        (lambda child, terminal: child.terminate(), 128 + signal.SIGTERM),
    ],
    ids=["q", "ctrl-c", "TERM"],
)
def test_on_a_terminal_it_redraws_and_leaves_it_as_it_was(
    node: FakeNode, end: Callable[[Any, int], Any], code: int
) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    environment = os.environ | {"IWDC_NODE": node.url, "TERM": "xterm", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    program = [sys.executable, "-m", "iwdc_console.cli.main", "status", "--watch"]
    line = [sys.executable, "-c", WITH_A_TERMINAL_OF_ITS_OWN, *program]
    child = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    shown = b""
    try:
        deadline = time.monotonic() + DEADLINE_S
        while b"\x1b[J" not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 65536)
        end(child, ours)
        assert child.wait(DEADLINE_S) == code
        while select.select([ours], [], [], 0)[0]:
            shown += os.read(ours, 65536)
        assert termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)
    assert "★ instance-A".encode() in shown
    assert shown.rindex(watch.NO_WRAP.encode()) < shown.rindex(watch.WRAP.encode())
    assert shown.index(watch.HIDE_CURSOR.encode()) < shown.rindex(watch.SHOW_CURSOR.encode())


def test_another_width_is_drawn_on_a_clean_screen(node: FakeNode) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = os.environ | {"IWDC_NODE": node.url, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)
    program = [sys.executable, "-m", "iwdc_console.cli.main", "status", "--watch"]
    child = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    try:
        shown = _until(ours, watch.CLEAR_BELOW, b"")
        assert watch.CLEAR_ALL.encode() not in shown
        termios.tcsetwinsize(theirs, (24, 60))
        shown = _until(ours, watch.CLEAR_ALL, shown)
        anew = _until(ours, watch.CLEAR_BELOW, shown.partition(watch.CLEAR_ALL.encode())[2])
        assert not re.match(rb"\x1b\[\d+A", anew), "there is nothing to go up over"
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)


def _until(terminal: int, what: str, shown: bytes) -> bytes:
    """What is shown until `what` is."""
    deadline = time.monotonic() + DEADLINE_S
    while what.encode() not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536)
    return shown


def event(id_: str) -> dict[str, Any]:
    return samples.EVENTS[0] | {"id": id_}


def sent(*ids: str) -> Raw:
    text = "".join(f"id: c-{i}\nevent: SNAPSHOT_PROPOSAL\ndata: {json.dumps(event(i))}\n\n" for i in ids)
    return Raw(200, text.encode(), "text/event-stream")


def test_following_resumes_from_the_last_cursor_also_on_another_node(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    route = "GET distributed/events/stream"
    with running({}) as first:
        first.routes[route] = sent("e1", "e2")

        def then(asked: Asked) -> Any:
            if len(node.requests(route)) > 1:
                os.kill(os.getpid(), 2)
            first.routes[route] = Raw(502, b"gone")
            return sent("e3")

        node.routes[route] = then
        first_asked = first.asked
        line = ["events", "--follow", "--json", "--type", "SNAPSHOT_PROPOSAL", "--node", first.url, "--node", node.url]
        first.routes[route] = lambda asked: sent("e1", "e2") if len(first_asked) == 1 else Raw(502, b"gone")
        assert main.run(line) == Exit.DONE
    out, err = capsys.readouterr()
    assert [json.loads(one)["id"] for one in out.splitlines()][:3] == ["e1", "e2", "e3"]
    assert first.asked[0].query == "type=SNAPSHOT_PROPOSAL"
    assert node.asked[0].query == "since=c-e2&type=SNAPSHOT_PROPOSAL"
    assert "resuming" in err


def test_following_nobody_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["events", "--follow", "--node", "http://127.0.0.1:1"]) == Exit.UNREACHABLE


def test_one_event_is_one_line(node: FakeNode, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    interrupting(node, "GET distributed/quorum", 0)
    node.routes["GET distributed/events/stream"] = sent("e1")
    interrupting(node, "GET distributed/events/stream", 1)
    assert main.run(["events", "--follow"]) == Exit.DONE
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("instance-A      SNAPSHOT_PROPOSAL   version=1.2.0 hash=abc123")
    assert len(first) <= 80
