"""Chaos, in a demo only: break the cluster, read what should follow, and see whether it does."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal

from iwdc_console.demo.cluster import Cluster, DemoError
from iwdc_console.demo.faults import Look, Order, State
from iwdc_console.locale import text
from iwdc_console.tui.model.chaos import COLUMNS, Line, force_lines, link_lines, node_rows, outcome_lines
from iwdc_console.tui.model.matrix import Blind, broken_links
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.model.rehearsal import Choice, Rehearsal, expected
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.lines import Lines
from iwdc_console.tui.widgets.menu import Menu
from iwdc_console.tui.widgets.table import Table

LOOK_S = 1.0
ROOM_ROWS = 17
"""Rows of a terminal, beside two for each node, that leave room for what follows. On less the table of links gives its
own: what is in force names every link that is broken."""


class Chaos(View):
    """Enter on a node opens the menu of faults; Enter there acts at once, for this is only a demo."""

    NAME = "chaos"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"events"})
    COMMAND = "instances"
    DEFAULT_CSS = """
    Chaos {
        #middle { height: auto; }
        #links { width: 3fr; height: auto; }
        #force { width: 2fr; height: 100%; min-height: 4; }
        #nodes { height: auto; }
        #outcome { height: 1fr; }
        &.-low #links { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rehearsal: Rehearsal | None = None
        self._problem = ""
        self._blind: dict[Blind, int] = {}
        """Links that are seen to be broken, since unix ms."""

    def body(self) -> ComposeResult:
        """Nodes; links beside what is in force; what came of the last fault."""
        yield Table(COLUMNS, "panel.nodes", id="nodes")
        with Horizontal(id="middle"):
            yield Lines("chaos.links", self._links, id="links")
            yield Lines("chaos.in_force", self._force, id="force")
        yield Lines("chaos.what_follows", self._outcome, id="outcome")

    def on_mount(self) -> None:
        """As high as the cluster is large. The host is asked how things stand while this screen is there."""
        self.query_one("#links").styles.min_height = len(self.state.members) + 3
        self._make_room()
        self.set_interval(LOOK_S, self._look)

    def on_resize(self) -> None:
        """Another size, other room."""
        self._make_room()

    def _make_room(self) -> None:
        self.set_class(self.app.size.height < ROOM_ROWS + 2 * len(self.state.members), "-low")

    @property
    def cluster(self) -> Cluster:
        """The demo's cluster: without one there is no way to this screen."""
        assert self.console.company.demo is not None
        return self.console.company.demo

    @property
    def state(self) -> State:
        """What was done to the cluster, as its host said last."""
        return self.cluster.state

    def update(self, moment: Moment) -> None:
        """The nodes as they are now."""
        status = moment.observation.status
        links = broken_links(status.value) if status is not None else []
        self._blind = {link: self._blind.get(link, moment.now_ms) for link in links}
        nodes = [] if moment.past else node_rows(self.state, moment)
        self.query_one(Table).show_rows(nodes, self.console.clock.mono_s(), moment.unknown if moment.past else "")

    def _links(self, moment: Moment, width: int, most: int) -> list[Line]:
        return not_recorded(moment) or link_lines(self.state, width, most)

    def _force(self, moment: Moment, width: int, most: int) -> list[Line]:
        return not_recorded(moment) or force_lines(self.state, moment, width, most)

    def _outcome(self, moment: Moment, width: int, most: int) -> list[Line]:
        return not_recorded(moment) or outcome_lines(self._rehearsal, self._problem, self._blind, moment, width, most)

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        if self.is_current:
            # A look that goes well takes back no refusal of what was ordered before it.
            self._tell(await self._ordered([Look()]) or self._problem)

    @on(Table.Opened)
    def _opened(self, message: Table.Opened) -> None:
        if self.console.may_change():
            self._choose(message.key)

    @work(exclusive=True, group="act")
    async def _choose(self, node: str) -> None:
        status = self.console.moment().observation.status
        known = status.value if status else None
        now = Rehearsal(self.state, node, known, (), int(self.console.clock.wall_ms()))
        offered, title = now.menu, text("chaos.menu", node=node)
        while True:
            chosen = await self.app.push_screen_wait(
                Menu(title, _lines(offered), lambda at, offered=offered: "\n".join(expected(offered[at].orders, known)))  # type: ignore[misc]
            )
            if chosen is None:
                return
            choice = offered[chosen]
            now = now._replace(picked=(*now.picked, chosen))
            if not choice.further:
                break
            offered, title = choice.further, choice.words
        self._rehearsal = now._replace(at_ms=int(self.console.clock.wall_ms()))
        self._tell(await self._ordered(choice.orders))

    async def _ordered(self, orders: Sequence[Order]) -> str:
        """Why they could not be carried out; "" if they were. In a thread: a node that stops takes its time."""
        try:
            for order in orders:
                await asyncio.to_thread(self.cluster.order, order)
        except DemoError as problem:
            return str(problem)
        return ""

    def _tell(self, problem: str) -> None:
        self._problem = problem
        if self.is_mounted:
            self.show(self.console.moment())


def not_recorded(moment: Moment) -> list[Line]:
    """What was done to the nodes is known of the present alone."""
    return [[(text(moment.unknown), "text-muted")]] if moment.past else []


def _lines(offered: Sequence[Choice]) -> list[str]:
    return [choice.words for choice in offered]
