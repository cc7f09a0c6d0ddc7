"""Versions: which instance has which; what one consists of and what differs; publish, verify, roll back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.locale import text
from iwdc_console.tui import changes, jobs, orders
from iwdc_console.tui.hashing import Hashing, Stopped
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import differences, progress, publication, versions
from iwdc_console.tui.model import draft as drafts
from iwdc_console.tui.model.api import Job
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.versions import Line
from iwdc_console.tui.orders import Order, Outcome
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.confirm import Confirm
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.picker import Picker
from iwdc_console.tui.widgets.prompt import Prompt
from iwdc_console.tui.widgets.table import Table
from node.artifacts.errors import ContentError
from node.protocol.versions import BadVersion, parse


class Versions(View):
    """The matrix; beneath it the version under the cursor, or what differs between it and another one."""

    NAME = "versions"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"versions", "summary", "comparison", "proposals"})
    COMMAND = "snapshot list"
    DEFAULT_CSS = """
    Versions {
        #matrix { height: 1fr; }
        #detail { height: 10; }
        #changes { height: 2fr; display: none; }
        #job { display: none; }
        &.-changes #changes { display: block; }
        &.-changes #detail { display: none; }
        &.-job #job { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("versions.base", "mark_base"),
        bind("versions.changes", "compare"),
        bind("versions.changes_up", "scroll_changes(-5)"),
        bind("versions.changes_down", "scroll_changes(5)"),
        bind("versions.publish", "publish"),
        bind("versions.verify", "verify"),
        bind("versions.roll_back", "roll_back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._base = ""
        self._first = 0
        self._looked: tuple[object, ...] = ()
        self._job: Job | None = None

    def body(self) -> ComposeResult:
        """The matrix, one version or what differs, and a job while there is one."""
        yield Table(versions.BEFORE, "screen.versions", id="matrix", empty="versions.none")
        yield Lines("panel.version", self._detail, id="detail")
        yield Lines("panel.changes", self._changes, id="changes")
        yield Lines("panel.job", self._progress, id="job", most=4)

    def _detail(self, moment: Moment, width: int, most: int) -> list[Line]:
        return versions.detail_lines(moment, self._chosen, width, most)

    def _changes(self, moment: Moment, width: int, most: int) -> list[Line]:
        base = versions.other(moment, self._chosen, self._base)
        return differences.lines(moment, base, self._chosen, self._first, width, most)

    def _progress(self, moment: Moment, width: int, most: int) -> list[Line]:
        return [] if self._job is None else progress.lines(self._job, width, most)

    @property
    def _chosen(self) -> str:
        return self.query_one(Table).cursor

    def update(self, moment: Moment) -> None:
        """The matrix; the panels show themselves."""
        table = self.query_one(Table)
        table.show_columns(versions.columns(moment))
        table.show_rows(versions.rows(moment, self._base), self.console.clock.mono_s(), moment.missing("versions"))
        self._look(moment)

    def _look(self, moment: Moment) -> None:
        """Ask for the chosen version, and for what differs when that is shown; again when a content is another one."""
        chosen = self._chosen
        base = versions.other(moment, chosen, self._base) if self.has_class("-changes") else ""
        looked = (chosen, base, versions.contents(moment, chosen), versions.contents(moment, base))
        if chosen and looked != self._looked and not moment.past:
            self._looked = looked
            self.console.source.look_at_version(chosen, base)

    def select(self, key: str) -> None:
        """Put the cursor on a version."""
        self.query_one(Table).select(key)

    @on(Table.Moved)
    def _moved(self) -> None:
        self._first = 0
        moment = self.console.moment()
        self._look(moment)
        for panel in self.query(Lines):
            panel.show(moment)

    def _refresh(self) -> None:
        self.show(self.console.moment())

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_compare()

    # What differs

    def action_compare(self) -> None:
        """Show what differs between the chosen version and the marked one, or the current one; and leave it again."""
        self.toggle_class("-changes")
        self._first = 0
        self._refresh()

    def action_mark_base(self) -> None:
        """Compare others with this one; with the current one again when it is marked already."""
        self._base = "" if self._base == self._chosen else self._chosen
        self._refresh()

    def action_scroll_changes(self, by: int) -> None:
        """What differs, further up or down."""
        self._first = max(0, self._first + by)
        self._refresh()

    # Orders

    async def _follow(self, node: str, order: Order, heard: Callable[[Job], object] | None = None) -> Outcome:
        """Give an order that begins a job, show how far it is, and tell what came of it; `heard` hears of each step."""

        def told(job: Job) -> None:
            self._job = job
            if heard is not None:
                heard(job)
            self.add_class("-job")
            if self.is_attached:
                self._refresh()

        outcome = await jobs.follow(node, order, told)
        if outcome.kind != "done":
            self.notify(outcome.words, severity=orders.SEVERITY[outcome.kind], markup=False, timeout=15)
        self.console.source.retry()
        return outcome

    @work(exclusive=True, group="order")
    async def action_publish(self) -> None:
        """Choose a folder of this machine and the version it shall be."""
        if not self.console.may_change():
            return
        folder = await self.app.push_screen_wait(Picker("publication.folder", Path.cwd(), files=False))
        if folder is None:
            return

        current = versions.current(self.console.moment())
        suggested = drafts.next_version(current or None, None, datetime.now(UTC))
        hashing = Hashing(str(folder))

        def problem(version: str) -> str:
            return _problem(version, versions.current(self.console.moment()))

        def named(version: str) -> str:
            found = problem(version)
            if not found:
                self._publish(folder, version)
            return found

        def over() -> None:
            hashing.stop()
            self.workers.cancel_group(self, "suggest")

        question = text("publication.version", folder=folder.name)
        self.query_one(Prompt).ask(question, suggested, changed=problem, done=named, over=over)
        if current:
            self._suggest(hashing, current)

    @work(exclusive=True, group="suggest")
    async def _suggest(self, hashing: Hashing, current: str) -> None:
        """The version that follows from what the folder changes, while the question is open."""
        try:
            found = await asyncio.to_thread(hashing.tree)
        except (Stopped, ContentError):
            return  # what is wrong with the folder, the node says when it stores it
        change = await changes.since(self.console.nodes, current, found.files)
        self.query_one(Prompt).offer(drafts.next_version(current, change, datetime.now(UTC)))

    @work(exclusive=True, group="order")
    async def _publish(self, folder: Path, version: str) -> None:
        """Ask, and meanwhile store it and say what it is and what differs; only then is it brought to the voters and to
        the vote.
        """
        node = self.console.moment().observation.link.node
        title, act = text("publication.title", version=version), text("publication.act")
        ask = Confirm(title, text("progress.storing", version=version), self.console.source.context, act, ready=False)
        answer = self.app.push_screen(ask, wait_for_dismiss=True)

        def told(job: Job) -> None:
            if not job.ended:
                ask.tell(progress.said(job), ready=False)

        outcome = await self._follow(node, jobs.store(str(folder), version), told)
        if outcome.kind != "done" or self._job is None or self._job.stored is None:
            ask.tell(outcome.words, ready=False)
            return
        self.query_one(Table).select(version)
        moment = self.console.moment()
        now = versions.current(moment)
        compared = await orders.give((node,), jobs.compare(version, now)) if now else None
        differs = compared.data if compared is not None and compared.kind == "done" else None
        ask.tell(publication.follows(moment, self._job.stored, differs), ready=True)
        if await answer:
            await self._follow(node, jobs.publish(outcome.data["stored"]))

    @work(exclusive=True, group="order")
    async def action_verify(self) -> None:
        """Choose where and how much of the version's files is read and hashed."""
        if not self.console.may_change():
            return
        moment, version = self.console.moment(), self._chosen
        offered = publication.checks(moment, version)
        if not offered:
            self.notify(text("versions.nowhere", version=version))
        else:
            about = text("versions.verify.about")
            title = text("versions.verify.title", version=version)
            chosen = await self.app.push_screen_wait(Menu(title, [each.words for each in offered], lambda at: about))
            if chosen is not None:
                await self._follow(offered[chosen].node, jobs.verify(version, offered[chosen].sample))

    @work(exclusive=True, group="order")
    async def action_roll_back(self) -> None:
        """Go back to the chosen version, everywhere: a proposal that the voters decide."""
        if not self.console.may_change():
            return
        moment = self.console.moment()
        version, now = versions.find(moment, self._chosen), versions.current(moment)
        if version is None or version.state != "accepted" or not version.hash or not now:
            self.notify(text("versions.rollback.cannot", current=now or "–"), severity="warning")
            return
        title = text("versions.rollback.title", version=version.version, former=now)
        follows = versions.rollback_follows(moment, version)
        order = orders.roll_back(now, version.version, version.hash)
        await self.console.order(order, title, follows, text("versions.rollback.act"))

    def command_line(self) -> str:
        """The command that shows the same."""
        return f"snapshot show {self._chosen}" if self._chosen and not self.has_class("-changes") else self.COMMAND


def _problem(version: str, current: str) -> str:
    """Why a new version cannot have this name; empty when it can."""
    try:
        new = parse(version)
    except BadVersion:
        return text("publication.bad_version")
    return text("publication.not_newer", current=current) if current and new <= parse(current) else ""
