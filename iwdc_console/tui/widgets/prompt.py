"""One line for a question: a filter, a command, a file name. Hidden until something is asked."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Label

from iwdc_console.tui.keymap import bind


class Prompt(Horizontal):
    """`ask` shows it; Enter answers, Esc gives up. The focus goes back to where it was."""

    DEFAULT_CSS = """
    Prompt {
        dock: bottom; height: 1; margin-bottom: 1; padding: 0 1; background: $surface; display: none;
        & > Label { color: $primary; padding: 0 1 0 0; }
        & > #prompt-problem { color: $text-error; padding: 0; }
        & > Input { height: 1; border: none; padding: 0; background: $surface; width: 1fr; }
        & > Input:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("prompt.give_up", "give_up")]

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._before: Widget | None = None
        self._start = ""
        self._changed: Callable[[str], str] | None = None
        self._done: Callable[[str], str | None] | None = None
        self._over: Callable[[], object] | None = None

    def on_mount(self) -> None:
        """Made after the screen's first frame, which does not show it, and before anyone types."""
        self.call_after_refresh(self._prepare)

    def _prepare(self) -> None:
        """What is asked, the answer, and what is wrong with it."""
        if not self.query(Input):
            question, problem = (Label("", id=f"prompt-{name}", markup=False) for name in ("question", "problem"))
            self.mount(question, Input(select_on_focus=False), problem)

    def ask(
        self,
        question: str,
        start: str = "",
        *,
        changed: Callable[[str], str] | None = None,
        done: Callable[[str], str | None] | None = None,
        over: Callable[[], object] | None = None,
        words: Iterable[str] = (),
    ) -> None:
        """Ask. `changed` hears every change and says what is wrong with it; `done` hears the answer.

        An answer is taken when `done` returns nothing; a returned problem is shown and the question stays. `over` is
        called when the question is over, however it ended.
        """
        self._before = self.screen.focused
        self._start, self._changed, self._done, self._over = start, changed, done, over
        self._prepare()
        self.query_one("#prompt-question", Label).update(question)
        self._problem("")
        field = self.query_one(Input)
        field.suggester = SuggestFromList(tuple(words), case_sensitive=False)
        self._fill_in(start)
        self.display = True
        field.focus()

    def offer(self, start: str) -> None:
        """A better beginning for the question that is open, unless the person has changed the first one."""
        if self.query_one(Input).value == self._start:
            self._start = start
            self._fill_in(start)

    def _fill_in(self, start: str) -> None:
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = start
        field.cursor_position = len(start)

    def _problem(self, words: str) -> None:
        self.query_one("#prompt-problem", Label).update(words)

    @on(Input.Changed)
    def _on_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display and self._changed is not None:
            self._problem(self._changed(event.value))

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        problem = self._done(event.value) if self._done is not None else None
        if problem:
            self._problem(problem)
        else:
            self._close()

    def action_give_up(self) -> None:
        """Leave everything as it was before the question."""
        if self._changed is not None:
            self._changed(self._start)
        self._close()

    def _close(self) -> None:
        self.display = False
        if self._over is not None:
            self._over()
        if self._before is not None and self._before.is_attached:
            self._before.focus()
