"""The demo as a person meets it: a real terminal, real nodes, keys pressed and the screen read."""

import operator
import random
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.demo.terminal import Terminal, alive, descendants, until_gone

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
DEMO = ("iwdc_console.cli.main", "demo")
ENTER, TAB, ESC, CTRL_S, DOWN, END = "\r", "\t", "\x1b", "\x13", "\x1b[B", "\x1b[F"
HASH = "9f2c3e1f00aa"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(DEMO, tmp_path) as terminal:
        terminal.see("All well: 3 of 3 healthy")
        yield terminal


def nodes(demo: Terminal) -> list[int]:
    found = [pid for pid, line in descendants(demo.process.pid).items() if "iwdc_console.demo" in line]
    assert len(found) == 4, "a host and three nodes"
    return found


def shades(demo: Terminal, field: str) -> set[str]:
    """The backgrounds on the line of a form's field: the one that takes keys has one of its own."""
    y = next((y for y, line in enumerate(demo.lines) if field in line), None)
    return set() if y is None else {demo.screen.buffer[y][x].bg for x in range(demo.screen.columns)}


def leader(screen: str) -> str:
    found = re.search(r"★ (instance-[A-G])", screen.split("\n")[0])
    return found[1] if found else ""


def test_propose_kill_the_leader_and_see_another_take_over(demo: Terminal) -> None:
    demo.see(" v1.0.0")
    processes = nodes(demo)
    old = leader(demo.until("a leader", leader))
    demo.press("4", "p")
    demo.until("the form takes keys", lambda screen: shades(demo, "Folder") - shades(demo, "Hash"))
    demo.press(TAB)
    demo.until("the next field takes keys", lambda screen: shades(demo, "Hash") - shades(demo, "Folder"))
    demo.press(*HASH)
    demo.see("it would be accepted")
    demo.press(CTRL_S)
    demo.until("it is accepted", lambda screen: re.search(r"snapshot 1\.0\.1 +accepted", screen))
    demo.press(ESC)  # with the next key at once it would be that key with alt
    demo.until("the form is gone", lambda screen: "Propose a snapshot" not in screen)
    demo.until("it stands in the list", lambda screen: re.search(rf"✓ +snapshot 1\.0\.1 .*{HASH[:8]}", screen))

    demo.press("X")
    demo.see("In force")
    demo.press(*[DOWN] * (ord(old[-1]) - ord("A")), ENTER)
    demo.see(f"Kill {old} (kill -9)")
    demo.press(ENTER)
    demo.see(f"{old} down")
    demo.until("what happened", lambda screen: re.search(r"happened.*instance-[A-C] leads", screen, re.DOTALL))
    demo.until("another leads", lambda screen: leader(screen) not in ("", old))
    demo.until("the old one is gone", lambda screen: re.search(rf"○ +{old} +down .* unreachable", screen))

    demo.press("3", "t")
    screen = demo.see("as of ")
    while leader(screen) != old:
        demo.press(",")
        screen = demo.until("an earlier moment", partial(operator.ne, screen))
    demo.see(f"{old} leads in term")
    demo.press("t", "X")
    demo.until("the present", lambda screen: "live" in screen and leader(screen) not in ("", old))

    demo.press(ENTER)
    demo.see("Heal everything")
    demo.press(END, ENTER)
    demo.see("nothing: all runs as it should")
    demo.see("All well: 3 of 3 healthy")
    demo.press("q")
    assert demo.wait() == 0
    assert not any(alive(pid) for pid in processes)


def test_what_is_typed_at_once_reaches_what_each_key_opens(demo: Terminal) -> None:
    """One write to the terminal is what a paste or a script gives it."""
    demo.press(":events\r/nowhere\r")
    demo.until("the filter", lambda screen: re.search(r"Events 0 of \d+  /nowhere", screen))
    demo.press(ESC)
    demo.press(":locks\ra" + "shelf-9" + "\r\r")
    demo.until("it is held here", lambda screen: re.search(r"◆ +shelf-9 ", screen))
    demo.press("4p" + "queue")
    demo.until("the form's field", lambda screen: re.search(r"Folder +queue", screen))
    demo.press(ESC)
    demo.until("the form is gone", lambda screen: "Folder" not in screen)
    demo.press("5R\rq")
    assert demo.wait() == 0


@pytest.mark.parametrize("how", ["hang-up", "TERM", "KILL"])
def test_however_it_ends_nothing_is_left(demo: Terminal, how: str) -> None:
    processes = nodes(demo)
    if how == "hang-up":
        demo.hang_up()
    else:
        demo.process.send_signal(signal.SIGTERM if how == "TERM" else signal.SIGKILL)
    demo.wait()
    until_gone(processes)
    if how == "TERM":
        assert demo.process.returncode == 128 + signal.SIGTERM


def test_a_storm_of_sizes_is_survived(demo: Terminal) -> None:
    sizes = random.Random(4)
    for _ in range(200):
        demo.resize(sizes.randint(1, 300), sizes.randint(1, 100))
        demo.read(0.005)
    demo.resize(120, 40)
    demo.see("All well: 3 of 3 healthy")
    demo.press("X")
    demo.see("In force")
    demo.press("q")
    assert demo.wait() == 0
