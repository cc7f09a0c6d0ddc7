"""`--watch`: the same answer again and again, redrawn in place on a terminal, appended elsewhere.

What is old is never shown as if it were new: while no node answers, the last answer stays with its age and the reason.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from types import FrameType

from iwdc_console.cli import output
from iwdc_console.cli.failures import failure_of
from iwdc_console.cli.output import Format
from iwdc_console.cli.shown import View, checked, frame
from iwdc_console.cli.views.screen import Screen, current_screen
from iwdc_console.exchange import Answer
from iwdc_console.outcomes import ClientError

INTERVAL_S = 1.0
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
"""A line that is too long is cut, so that going up goes up as many lines as were written."""
CLEAR_LINE, CLEAR_BELOW, CLEAR_ALL = "\x1b[K", "\x1b[J", "\x1b[H\x1b[2J"


def watch(ask: Callable[[], Answer], view: View, fmt: Format, name_of: Callable[[str], str]) -> None:
    """Until q or ctrl-c; both end it well. Raises `ReaderGone` when a pipe is closed."""
    with contextlib.suppress(KeyboardInterrupt):
        if fmt is Format.TABLE and output.is_terminal():
            with _ending_on_term(), _keys() as pressed_q:
                _redraw(ask, view, pressed_q, name_of)
        else:
            _append(ask, view, fmt, name_of)


def _append(ask: Callable[[], Answer], view: View, fmt: Format, name_of: Callable[[str], str]) -> None:
    while True:
        try:
            answer = ask()
        except ClientError as error:
            output.say(failure_of(error).message)
        else:
            output.write(_entry(answer, view, fmt, name_of(answer.node)))
        time.sleep(INTERVAL_S)


def _entry(answer: Answer, view: View, fmt: Format, seen_by: str) -> str:
    if fmt is Format.JSON:
        return output.json_text(answer.data, indent=None)
    if fmt is Format.PLAIN:
        return output.plain_text(checked(answer, lambda: view.rows(answer.data)))
    return frame(answer, view, current_screen(), seen_by) + "\n"


def _redraw(
    ask: Callable[[], Answer],
    view: View,
    pressed_q: Callable[[float], bool],
    name_of: Callable[[str], str],
) -> None:
    last: Answer | None = None
    seen_by = ""
    drawn, drawn_in = 0, 0
    sys.stdout.write(HIDE_CURSOR + NO_WRAP)
    try:
        while True:
            trouble = ""
            try:
                last = ask()
                seen_by = name_of(last.node)
            except ClientError as error:
                trouble = failure_of(error).message
            screen = current_screen()
            if drawn and screen.width != drawn_in:  # the terminal has laid out anew what stood there
                sys.stdout.write(CLEAR_ALL)
                drawn = 0
            drawn, drawn_in = draw(picture(last, trouble, view, screen, seen_by), drawn, _height()), screen.width
            if pressed_q(INTERVAL_S):
                return
    finally:
        sys.stdout.write(WRAP + SHOW_CURSOR)
        sys.stdout.flush()


def picture(last: Answer | None, trouble: str, view: View, screen: Screen, seen_by: str) -> list[str]:
    """The lines to show: the last answer, or what is known when there is none now."""
    if not trouble and last is not None:
        return frame(last, view, screen, seen_by).split("\n")
    parts = [*(screen.note(line, tone="bad") for line in trouble.split("\n")), ""]
    if last is not None:
        parts.append(screen.note("What was known then:", tone="warn"))
        parts.append(frame(last, view, screen._replace(colour=False), seen_by))
    parts.append(screen.note("Trying again. q ends.", tone="dim"))
    return "\n".join(parts).split("\n")


def draw(lines: list[str], above: int, height: int) -> int:
    """Write `lines` over the `above` lines drawn before, in one piece; returns how many stand now.

    Each is cleared before it is written: behind a full one that would take its last cell.
    """
    shown = lines[: max(1, height - 1)]
    up = f"\x1b[{above}A\r" if above else ""
    sys.stdout.write(up + "".join(f"{CLEAR_LINE}{line}\n" for line in shown) + CLEAR_BELOW)
    sys.stdout.flush()
    return len(shown)


def _height() -> int:
    try:
        return os.get_terminal_size(1).lines or 24
    except OSError:
        return 24


@contextlib.contextmanager
def _ending_on_term() -> Iterator[None]:
    """TERM ends the view in good order, so that the terminal gets its cursor and its keys back."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Waits for a time, and says whether q was pressed meanwhile. Single keys are read only from a terminal."""
    if not sys.stdin.isatty():
        yield _pause
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield lambda seconds: _pressed_q(fd, seconds)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _pressed_q(fd: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0] and os.read(fd, 64).lower() in (b"q", b"\x04", b""):
            return True
    return False
