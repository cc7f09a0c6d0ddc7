"""Locks: who holds what, for how long yet, who waits; take one and hold it, give it back, take it away."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from iwdc_console.caller import default_owner
from iwdc_console.locale import text
from iwdc_console.tui import orders
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model import locks
from iwdc_console.tui.model.api import Lock
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.screens.acquire import Acquire
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.table import Table

TICK_S = 0.25
"""How often the leases are counted on."""


class Locks(View):
    """Leases run on between two answers of the cluster."""

    NAME = "locks"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"locks"})
    COMMAND = "locks"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("locks.acquire", "acquire"),
        bind("locks.release", "release"),
        bind("locks.force_release", "force_release"),
    ]

    def body(self) -> ComposeResult:
        """The locks."""
        yield Table(locks.COLUMNS, "screen.locks", id="locks", empty="locks.none")

    def on_mount(self) -> None:
        """Count on while this screen is in front."""
        self.set_interval(TICK_S, self._tick)

    def _tick(self) -> None:
        if self.is_current:
            self.update(self.console.moment())

    def update(self, moment: Moment) -> None:
        """The locks as they are at this moment."""
        held = frozenset() if moment.past else frozenset(self.console.holdings.held)
        self.query_one(Table).show_rows(locks.rows(moment, held), self.console.clock.mono_s(), moment.missing("locks"))

    def select(self, key: str) -> None:
        """One lock."""
        self.query_one(Table).select(key)

    def _chosen(self) -> Lock | None:
        lock = locks.find(self.console.moment(), self.query_one(Table).cursor)
        if lock is None:
            self.notify(text("locks.none_chosen"))
        return lock

    def action_acquire(self) -> None:
        """Open the form."""
        if self.console.may_change():
            self.app.push_screen(Acquire())

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_release()

    @work(exclusive=True, group="order")
    async def action_release(self) -> None:
        """Give back a lock that is held here, or under the same name."""
        if not self.console.may_change():
            return
        lock = self._chosen()
        if lock is None:
            return
        here = lock.resource in self.console.holdings.held
        if not here and lock.owner != default_owner():
            self.notify(text("locks.not_yours", owner=lock.owner), severity="warning", markup=False)
            return
        title, about = text("locks.release.title", resource=lock.resource), text("locks.release.follows")
        act = text("locks.release.act")
        if await self.app.push_screen_wait(Menu(title, [act], lambda at: about)) is None:
            return
        if here and lock.resource in self.console.holdings.held:
            self.console.tell(await self.console.holdings.release(lock.resource))
        else:
            await self.console.give(orders.release(lock.resource, lock.owner, lock.fencing_token))

    @work(exclusive=True, group="order")
    async def action_force_release(self) -> None:
        """Take a lock from whoever holds it."""
        if not self.console.may_change():
            return
        lock = self._chosen()
        if lock is None:
            return
        title = text("locks.force.title", resource=lock.resource, owner=lock.owner)
        follows = text("locks.force.follows", owner=lock.owner, token=lock.fencing_token)
        order = orders.force_release(lock.resource, lock.fencing_token)
        await self.console.order(order, title, follows, text("locks.force.act"))
