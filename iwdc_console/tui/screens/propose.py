"""The form for a proposal: checked while it is typed, tried dry, then put to the vote, with the votes as they come."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, cast

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from iwdc_console.locale import text
from iwdc_console.tui import changes, orders
from iwdc_console.tui.cockpit import Cockpit
from iwdc_console.tui.hashing import Hashed, Hashing, Stopped
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import codes, proposals
from iwdc_console.tui.model import draft as drafts
from iwdc_console.tui.model.api import Prediction
from iwdc_console.tui.model.ballots import PENDING
from iwdc_console.tui.model.draft import Draft, Kind, Line
from iwdc_console.tui.model.quantity import size
from iwdc_console.tui.widgets.field import Field
from iwdc_console.tui.widgets.picker import Picker
from iwdc_console.tui.widgets.words import content
from node.artifacts.errors import ContentError, reason_of

PAUSE_S = 0.4
"""After the last key, before a path is hashed or a draft is tried."""
FOLLOW_S = 0.25
WIDTH = 72


class Propose(ModalScreen[str]):
    """Enter in a field goes to the button; only the button, or ctrl+s, proposes. Gives the id of what was proposed."""

    AUTO_FOCUS = "#path Input"
    """The content is what is missing."""
    CSS = """
    Propose { align: center middle; background: $background 60%; }
    Propose > Vertical {
        width: 84; max-width: 98%; height: auto; max-height: 96%;
        background: $surface; border: round $primary; padding: 0 2;
    }
    Propose #title { text-style: bold; height: 2; }
    Propose #form { height: auto; }
    Propose VerticalScroll { height: auto; max-height: 14; }
    Propose #result { height: auto; min-height: 4; }
    Propose #buttons { height: 3; align-horizontal: right; }
    Propose Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("propose.leave", "leave"),
        bind("propose.send", "send"),
        bind("propose.pick", "pick"),
    ]

    def __init__(self, kind: Kind, current: str | None) -> None:
        super().__init__()
        self._kind = kind
        self._current = current
        self._suggested = drafts.next_version(current, None, datetime.now(UTC))
        self._key = str(uuid.uuid4())
        self._hashing: Hashing | None = None
        self._hashed_path = self._hashed = ""
        """The path that was hashed last, and what came of it."""
        self._tried = Draft(kind, "", "")
        self._sending = False
        self._proposed = ""

    @property
    def console(self) -> Cockpit:
        """The app, as screens know it."""
        return cast(Cockpit, self.app)

    def compose(self) -> ComposeResult:
        """The fields, what the proposal would meet, the way out first."""
        is_diff = self._kind == "diff"
        with Vertical():
            yield Static(text(f"propose.title.{self._kind}"), id="title", markup=False)
            with Vertical(id="form"):
                if is_diff:
                    yield Field(text("propose.base"), self._current or "", id="base")
                yield Field(text("propose.version"), self._suggested, id="version")
                yield Field(text("propose.file" if is_diff else "propose.folder"), id="path")
                yield Field(text("propose.hash"), id="hash")
            with VerticalScroll(can_focus=False):
                yield Static(id="result")
            with Horizontal(id="buttons"):
                yield Button(text("propose.pick"), id="pick")
                yield Button(text("form.cancel"), id="leave")
                yield Button(text("propose.send", context=self.console.source.context), id="send", variant="primary")

    def on_mount(self) -> None:
        """What is known is filled in."""
        self.set_interval(FOLLOW_S, self._tick)
        self._check()

    # The form

    def _draft(self) -> Draft:
        base = self.query_one("#base", Field).value if self._kind == "diff" else ""
        return Draft(self._kind, self.query_one("#version", Field).value, self.query_one("#hash", Field).value, base)

    @on(Input.Changed, "#path Input")
    def _path_changed(self) -> None:
        if self._hashing is not None:
            self._hashing.stop()
        hash_ = self.query_one("#hash", Field)
        if self._hashed and hash_.value == self._hashed:
            hash_.value = ""  # of what stood here before
        self._hashed_path = self._hashed = ""
        self._check()
        self._hash()

    @on(Input.Changed, "#base Input, #version Input, #hash Input")
    def _field_changed(self) -> None:
        self._check()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#send").focus()

    def _check(self) -> None:
        """Say what is wrong; try a draft that is sound."""
        draft = self._draft()
        problems = drafts.problems(draft, self._current)
        for field in self.query(Field):
            if field.id != "path":
                field.say(problems.get(field.id or "", self._hint(field.id or "")), self._note_tone(field.id, problems))
        self.query_one("#send", Button).disabled = bool(problems) or self._sending or self._is_path_open()
        if draft != self._tried:
            self._tried = draft
            self._key = str(uuid.uuid4())
            if problems:
                self._say([])
            self._predict(draft if not problems else None)

    def _is_path_open(self) -> bool:
        """Whether a path stands there that was not hashed yet, or cannot be: the hash may be of something else."""
        path = self.query_one("#path", Field).value
        return bool(path) and path != self._hashed_path

    def _note_tone(self, id: str | None, problems: dict[str, str]) -> str:
        empty = not self.query_one(f"#{id}", Field).value
        return "text-error" if id in problems and not empty else "text-muted"

    def _hint(self, field: str) -> str:
        if field == "version" and self._current is not None:
            return text("propose.after", version=self._current)
        return ""

    @work(exclusive=True, group="predict")
    async def _predict(self, draft: Draft | None) -> None:
        if draft is None:
            return
        await asyncio.sleep(PAUSE_S)
        outcome = await orders.give(self.console.nodes, orders.predict(draft))
        if self._proposed or self._sending:
            return
        if outcome.kind != "done":
            self._say([[(outcome.words, "text-error")]])
            return
        try:
            found = msgspec.convert(outcome.data, Prediction)
        except msgspec.ValidationError as error:
            self._say([[(str(error), "text-error")]])
            return
        self._say(drafts.prediction_lines(found))

    # Content

    @work(exclusive=True, group="hash")
    async def _hash(self) -> None:
        await asyncio.sleep(PAUSE_S)
        field, hash_ = self.query_one("#path", Field), self.query_one("#hash", Field)
        if not field.value:
            field.say("")
            return
        path = field.value
        hashing = self._hashing = Hashing(path)
        try:
            found = await asyncio.to_thread(hashing.file if self._kind == "diff" else hashing.tree)
        except Stopped:
            field.say(text("propose.stopped"), "text-muted")
            return
        except ContentError as problem:
            field.say(self._wrong(hashing.path, problem))
            return
        finally:
            if self._hashing is hashing:
                self._hashing = None
        field.say(text("propose.hashed", count=found.file_count, size=size(found.size_bytes)), "text-success")
        self._hashed_path, self._hashed = path, found.hash
        hash_.value = found.hash
        self._check()
        if self._kind == "snapshot" and self._current is not None:
            await self._suggest(found, self._current)

    def _wrong(self, path: Path, problem: ContentError) -> str:
        """What keeps a path from being hashed: mostly that it is none."""
        kind, is_there = ("file", path.is_file()) if self._kind == "diff" else ("folder", path.is_dir())
        if not is_there:
            return text(f"propose.no_{kind}", path=path)
        return codes.content(reason_of(problem), str(problem))

    async def _suggest(self, found: Hashed, current: str) -> None:
        """The next version by what changed, if the content of the current one is to be had."""
        change = await changes.since(self.console.nodes, current, found.files)
        if change is None:
            return
        field = self.query_one("#version", Field)
        if field.value == self._suggested:
            self._suggested = drafts.next_version(current, change, datetime.now(UTC))
            field.value = self._suggested
        self.query_one("#path", Field).say(text("propose.changes", version=current, **change._asdict()), "text-success")

    @on(Button.Pressed, "#pick")
    @work(exclusive=True, group="pick")
    async def action_pick(self) -> None:
        """Choose the content from a tree."""
        if self._proposed:
            return
        field = self.query_one("#path", Field)
        title, files = ("propose.this_file", True) if self._kind == "diff" else ("propose.this_folder", False)
        chosen = await self.app.push_screen_wait(Picker(title, _start(field.value), files))
        if chosen is not None:
            field.value = str(chosen)

    # The vote

    @on(Button.Pressed, "#send")
    def action_send(self) -> None:
        """Put it to the vote; afterwards the same button closes."""
        if self._proposed:
            self.dismiss(self._proposed)
            return
        self._check()  # the last key may have been for a field that has not told of it yet
        if not self.query_one("#send", Button).disabled:
            # What a dry run says still would take the place of what became of the proposal.
            self.workers.cancel_group(self, "predict")
            self._send(self._draft())

    @work(exclusive=True, group="order")
    async def _send(self, draft: Draft) -> None:
        self._sending = True
        send = self.query_one("#send", Button)
        if self.focused is send:
            self.set_focus(None)  # disabled, it would give the focus to the way out, and a second enter would leave
        self._check()
        self._say([[(text("propose.sending"), "text-muted")]])
        outcome = await orders.give(self.console.nodes, orders.propose(draft, self._key))
        self._sending = False
        if outcome.kind == "done":
            self._follow(str(outcome.data["proposalId"]))
            return
        tone = "text-warning" if outcome.kind == "maybe" else "text-error"
        again = [[(text("propose.again"), "text-muted")]] if outcome.kind in ("maybe", "unreachable") else []
        self._check()
        if self.focused is None:
            self.set_focus(send)
        self._say([[(outcome.words, tone)], *again])

    def _follow(self, proposal: str) -> None:
        self._proposed = proposal
        close = self.query_one("#send", Button)
        close.disabled, close.label = False, Content(text("form.close"))
        self.set_focus(close)  # before what may have it is hidden
        for gone in ("#form", "#pick", "#leave"):
            self.query_one(gone).display = False
        self.console.source.retry()
        self._tick()

    def _tick(self) -> None:
        """Count files while a path is hashed; show the votes once it is proposed, until it is decided."""
        if self._hashing is not None:
            done = text("propose.hashing", count=self._hashing.done_files, size=size(self._hashing.done_bytes))
            self.query_one("#path", Field).say(done, "text-muted")
        if not self._proposed:
            return
        moment = self.console.moment()
        found = proposals.find(moment, self._proposed)
        status = moment.observation.status
        if found is None:
            self._say([[(text("propose.sent", id=self._proposed), "text-muted")]])
        else:
            self._say(proposals.vote_lines(found, status.value if status else None, moment.now_ms, WIDTH))
        if found is None or found.state == PENDING:
            self.console.source.retry()

    def _say(self, lines: list[Line]) -> None:
        self.query_one("#result", Static).update(Content("\n").join(content(*line) for line in lines))

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        """Stop hashing, or leave. What was proposed goes on without the form."""
        if self._hashing is not None:
            self._hashing.stop()
        else:
            self.dismiss(self._proposed)


def _start(typed: str) -> Path:
    """The folder that was typed, or else where the console was started."""
    folder = Path(typed or ".").expanduser()
    return folder if folder.is_dir() else Path.cwd()
