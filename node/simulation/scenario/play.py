"""Runs a script: first all lines are read, then the cluster is made and every command done in turn."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from node.protocol.core import Core
from node.simulation.ground import MakeCore
from node.simulation.scenario import looks
from node.simulation.scenario.calls import answered, calls
from node.simulation.scenario.deeds import deeds
from node.simulation.scenario.language import Call, Language, ScriptError, Unfit
from node.simulation.scenario.script import Line, Script
from node.simulation.scenario.setup import Setup
from node.simulation.scenario.setup import language as setups
from node.simulation.scenario.stage import Stage, Unmet
from node.simulation.violation import Violation

LANGUAGES: tuple[Language, ...] = (setups, deeds, calls)
assert looks.__name__  # its commands belong to `deeds`


class Failed(Exception):
    """A script came to an end before its last line: what it expected does not hold, or a promise was broken."""


class Play:
    """One run of a script. `printed` has, for every command done so far, the lines below it."""

    def __init__(self, script: Script, setup: Setup | None = None, make_core: MakeCore = Core) -> None:
        """Read everything. Raises `ScriptError` when a line cannot be taken."""
        setup = setup or Setup()
        self.printed: list[list[str]] = []
        self._acts: list[tuple[Line, Language, Call]] = []
        for line in script.lines:
            with _at(line):
                language, call = _read(line.text)
                if language is not setups:
                    self._acts.append((line, language, call))
                    continue
                if self._acts:
                    raise Unfit(f"{line.text!r} comes too late", "it before anything happens")
                call(setup)
                self.printed.append([])
        if self.printed:
            with _at(script.lines[len(self.printed) - 1]):
                setup.check()
        self.stage = Stage(setup, make_core)

    def run(
        self, before: Callable[[str], None] = lambda line: None,
        after: Callable[[Sequence[str]], None] = lambda lines: None,
    ) -> None:  # fmt: skip
        """Do everything; `before` is told each command, `after` what it says itself. Raises `ScriptError`, `Failed`."""
        self.stage.start()
        for line, language, call in self._acts:
            before(line.text)
            self.printed.append([])
            with _at(line):
                after(self._do(line, language, call))

    def _do(self, line: Line, language: Language, call: Call) -> list[str]:
        stage, told = self.stage, len(self.stage.chronicle.happenings)
        output: list[str] = []
        try:
            given = call(stage)
            if language is calls:
                answered(stage, given)
            else:
                output = given or []
        except (Unmet, Violation) as why:
            raise Failed(f"{line.where}: {line.text}: {why}") from why
        finally:
            news = [str(each).strip() for each in stage.chronicle.happenings[told:]]
            self.printed[-1] = [*news, *output]
        return output


def _read(text: str) -> tuple[Language, Call]:
    unfit: list[Unfit] = []
    for language in [each for each in LANGUAGES if each.knows(text)] or [_everything()]:
        try:
            return language, language.read(text)
        except Unfit as why:
            unfit.append(why)
    raise Unfit(unfit[0].found, " or ".join(each.expected for each in unfit))


def _everything() -> Language:
    """All that can be said, for a line that begins with no command."""
    everything = Language()
    everything.commands = [each for language in LANGUAGES for each in language.commands]
    return everything


@contextmanager
def _at(line: Line) -> Iterator[None]:
    """Turn what does not fit into an error that names the line."""
    try:
        yield
    except Unfit as unfit:
        raise ScriptError(line.where, unfit.found, unfit.expected) from unfit
