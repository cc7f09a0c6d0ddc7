"""The demo as a person meets it: a real terminal, real nodes, keys pressed and the screen read."""

import operator
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.demo.terminal import ENVIRONMENT, Terminal, alive, descendants

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
DEMO = ("iwdc_console.cli.main", "demo")
END_S = 5.0
ENTER, DOWN, END = "\r", "\x1b[B", "\x1b[F"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(DEMO, tmp_path) as terminal:
        terminal.see("All well: 3 of 3 healthy")
        yield terminal


def nodes(demo: Terminal) -> list[int]:
    found = [pid for pid, line in descendants(demo.process.pid).items() if "iwdc_console.demo" in line]
    assert len(found) == 4, "a host and three nodes"
    return found


def url(demo: Terminal) -> str:
    lines = descendants(demo.process.pid).values()
    return next(f"http://{found[1]}" for line in lines if (found := re.search(r"member instance-A (\S+)", line)))


def leader(screen: str) -> str:
    found = re.search(r"★ (instance-[A-G])", screen.split("\n")[0])
    return found[1] if found else ""


def test_propose_kill_the_leader_and_see_another_take_over(demo: Terminal) -> None:
    demo.see("1.0.0")
    command = [sys.executable, "-m", "iwdc_console.cli.main", "propose-snapshot", "--version=2.0.0", "--hash=abc123"]
    subprocess.run([*command, "--node", url(demo)], env=ENVIRONMENT, check=True, capture_output=True, timeout=30)
    demo.until("2.0.0 is accepted", lambda screen: re.search(r"snapshot 2\.0\.0 +accepted", screen))
    processes = nodes(demo)

    old = leader(demo.until("a leader", leader))
    demo.press("X")
    demo.see("In force")
    demo.press(*[DOWN] * (ord(old[-1]) - ord("A")), ENTER)
    demo.see(f"Kill {old} (kill -9)")
    demo.press(ENTER)
    demo.see(f"{old} down")
    demo.until("what happened", lambda screen: re.search(r"happened.*instance-[A-C] leads", screen, re.DOTALL))
    demo.until("another leads", lambda screen: leader(screen) not in ("", old))
    demo.until("the old one is gone", lambda screen: re.search(rf"○ +{old} +down .* unreachable", screen))

    demo.press("1", "t")
    screen = demo.see("as of ")
    while leader(screen) != old:
        demo.press(",")
        screen = demo.until("an earlier moment", partial(operator.ne, screen))
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


@pytest.mark.parametrize("how", ["hang-up", "TERM", "KILL"])
def test_however_it_ends_nothing_is_left_within_five_seconds(demo: Terminal, how: str) -> None:
    processes = nodes(demo)
    began = time.monotonic()
    if how == "hang-up":
        demo.hang_up()
    else:
        demo.process.send_signal(signal.SIGTERM if how == "TERM" else signal.SIGKILL)
    demo.wait(END_S)
    while any(alive(pid) for pid in processes):
        assert time.monotonic() < began + END_S
        time.sleep(0.05)
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
