"""A script's file: commands at the beginning of a line, and indented below each what was printed when it ran.

Lines that begin with `#`, and empty ones, are for people and stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.simulation.scenario.language import ScriptError

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Line:
    """A command. `where` is `file:line`; `printed` what stands below it in the file."""

    where: str
    text: str
    printed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Commands in order, and before each of them (and after the last) what is only for people."""

    lines: tuple[Line, ...]
    comments: tuple[tuple[str, ...], ...]

    def rewritten(self, printed: Sequence[Sequence[str]]) -> str:
        """The file again, with what each command prints now."""
        text: list[str] = []
        for comment, line, output in zip(self.comments, self.lines, printed, strict=False):
            text += [*comment, line.text, *(INDENT + each for each in output)]
        text += self.comments[-1]
        return "\n".join(text) + "\n"


def read_script(text: str, name: str) -> Script:
    """The script in a file's `text`. Raises `ScriptError` for output that no command stands before, and for none."""
    lines: list[Line] = []
    comments: list[tuple[str, ...]] = []
    comment: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        if not raw.strip() or raw.startswith("#"):
            comment.append(raw)
        elif not raw[0].isspace():
            comments.append(tuple(comment))
            comment = []
            lines.append(Line(where, raw.rstrip()))
        elif comment or not lines:
            raise ScriptError(where, "indented, but no command stands above", "a command at the beginning of the line")
        else:
            last = lines[-1]
            lines[-1] = Line(last.where, last.text, (*last.printed, raw.strip()))
    return _not_empty(Script(tuple(lines), (*comments, tuple(comment))), name)


def one_line(text: str, name: str) -> Script:
    """A script given on a command line: commands between semicolons."""
    parts = [part.strip() for part in text.split(";")]
    lines = tuple(Line(f"{name}, command {number}", part) for number, part in enumerate(parts, 1) if part)
    return _not_empty(Script(lines, ((),) * (len(lines) + 1)), name)


def _not_empty(script: Script, name: str) -> Script:
    if not script.lines:
        raise ScriptError(name, "no command in it", "at least one, such as `wait 20s`")
    return script
