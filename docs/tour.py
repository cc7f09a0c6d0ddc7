"""The tour: the console on a demo of real nodes, driven by keys, as pictures and as a recording.

`python -m docs.tour` writes `docs/pictures/*.svg` and `docs/tour.cast` (for `asciinema play`) anew.
"""

import io
import json
import re
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pyte.screens
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.demo.terminal import Terminal

FOLDER = Path(__file__).parent
COLUMNS, LINES = 120, 36
LONGEST_PAUSE_S = 1.2
"""Waiting is shortened to this in the recording."""
LOOK_S = 2.0
"""How long a screen stands before the next key."""
DEMO = ("iwdc_console.cli.main", "demo")
TAB, ESC, CTRL_S = "\t", "\x1b", "\x13"
HASH, EVENT_BEFORE, STEPS_BACK = "9f2c3e1f00aa", ",", 12
ENTER, DOWN, END = "\r", "\x1b[B", "\x1b[F"
DARK = {"default": None, "brown": "yellow"}
FONTS = '"DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace'
LOOKS = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", FONTS
)
"""No font is fetched from anywhere: the reader's own monospaced one will do."""


class Recorded(Terminal):
    """A terminal that keeps what it shows, as asciinema records it."""

    def __init__(self, arguments: Sequence[str], home: Path) -> None:
        self._frames: list[tuple[float, str]] = []
        self._at_s = 0.0
        self._last_s = time.monotonic()
        super().__init__(arguments, home, COLUMNS, LINES)

    def feed(self, data: bytes) -> None:
        """Show and keep."""
        now_s = time.monotonic()
        self._at_s += min(LONGEST_PAUSE_S, now_s - self._last_s)
        self._last_s = now_s
        self._frames.append((self._at_s, data.decode("utf-8", "replace")))
        super().feed(data)

    def look(self, seconds: float = LOOK_S) -> None:
        """Let a person read."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.read(0.1)

    def picture(self, name: str) -> None:
        """The screen as it stands, as an SVG."""
        console = Console(record=True, width=COLUMNS, height=LINES, file=io.StringIO(), color_system="truecolor")
        for row in range(LINES):
            cells = [self.screen.buffer[row][column] for column in range(COLUMNS)]
            runs = groupby(cells, key=lambda cell: cell._replace(data=""))
            line = Text.assemble(*(("".join(cell.data for cell in run), style_of(looks)) for looks, run in runs))
            console.print(line, no_wrap=True, overflow="crop", highlight=False)
        svg = console.export_svg(title="iwdc-console", code_format=LOOKS)
        (FOLDER / "pictures" / f"{name}.svg").write_text(svg, encoding="utf-8")

    def save(self, file: Path) -> None:
        """Write what was shown."""
        head = {"version": 2, "width": COLUMNS, "height": LINES, "title": "iwdc-console on a demo"}
        lines = [json.dumps(head), *(json.dumps([round(at_s, 3), "o", words]) for at_s, words in self._frames)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def style_of(cell: pyte.screens.Char) -> Style:
    """A cell's looks."""
    return Style(
        color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold, italic=cell.italics,
        underline=cell.underscore, reverse=cell.reverse,
    )  # fmt: skip


def _colour(name: str) -> str | None:
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return DARK[name] if name in DARK else name.replace("bright", "bright_")


def leader(screen: str) -> str:
    """Who leads, as the header says."""
    found = re.search(r"★ (instance-[A-G])", screen.split("\n")[0])
    return found[1] if found else ""


def walk(demo: Recorded) -> None:
    """Through the console, breaking the demo on the way."""
    demo.see("All well: 3 of 3 healthy")
    demo.see("1.0.0")
    demo.look(8)
    demo.picture("overview")
    propose(demo)
    old = leader(demo.until("a leader", leader))
    kill(demo, old)
    travel(demo, old)

    demo.press("X", ENTER)
    demo.see("Heal everything")
    demo.press(END, ENTER)
    demo.see("All well: 3 of 3 healthy")
    demo.look()
    demo.press("q")
    demo.wait()


def propose(demo: Recorded) -> None:
    """Put a version to the vote in the form: tried dry, then for good."""
    demo.press("4")
    demo.see("ef58e306")
    demo.look()
    demo.press("p")
    demo.see("type it, or choose")
    demo.look(1)
    demo.press(TAB)
    demo.look(1)
    demo.press(*HASH)
    demo.see("it would be accepted")
    demo.look()
    demo.picture("propose")
    demo.press(CTRL_S)
    demo.see("3 accept, 2 needed")
    demo.look()
    demo.press(ESC)
    demo.look()


def kill(demo: Recorded, victim: str) -> None:
    """The leader, with kill -9; another takes over."""
    demo.press("X")
    demo.see("In force")
    demo.look()
    demo.press(*[DOWN] * (ord(victim[-1]) - ord("A")), ENTER)
    demo.see(f"Kill {victim} (kill -9)")
    demo.look()
    demo.press(ENTER)
    demo.until("another leads", lambda screen: leader(screen) not in ("", victim))
    demo.look(3)
    demo.picture("chaos")
    demo.press("1")
    demo.see("gone")
    demo.look(3)
    demo.picture("one-gone")
    demo.press("w")
    demo.see("start it there")
    demo.look(3)
    demo.picture("doctor")
    demo.press(ESC)
    demo.look(1)
    demo.press("7")
    demo.see("LEADER_CHANGED")
    demo.look()
    demo.picture("events")
    demo.press("3")
    demo.see("would be next")
    demo.look()


def travel(demo: Recorded, former: str) -> None:
    """Back to when the one that is gone still led, and to the present again."""
    demo.press("1", "t")
    demo.see("to live")
    for _ in range(STEPS_BACK):
        demo.press(EVENT_BEFORE)
        demo.look(0.8)
        if leader(demo.text) == former:
            break
    demo.look()
    demo.picture("time-travel")
    demo.press("t")
    demo.until("the present", lambda screen: "live" in screen.split("\n")[0])
    demo.look()


def main() -> None:
    """Record the tour."""
    (FOLDER / "pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, Recorded(DEMO, Path(home)) as demo:
        walk(demo)
        demo.save(FOLDER / "tour.cast")


if __name__ == "__main__":
    main()
