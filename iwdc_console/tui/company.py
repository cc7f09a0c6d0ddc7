"""What runs beside the console and ends with it: the cluster of a demo, or a node of its own."""

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from iwdc_console.locale import text
from iwdc_console.tui.model.moment import Beside

if TYPE_CHECKING:
    from textual.app import App

    from iwdc_console.demo.cluster import Cluster
    from iwdc_console.embedded import EmbeddedNode

LEAVE_S = 2.0
"""A console that a signal has not ended by then is ended without ceremony."""


class Company(NamedTuple):
    """`trouble` is why the node could not be started at all; the console opens all the same."""

    demo: "Cluster | None" = None
    node: "EmbeddedNode | None" = None
    trouble: str = ""

    def beside(self) -> Beside | None:
        """The node beside the console, for the header."""
        return None if self.node is None else Beside(self.node.id, self.node.runs)

    def complaint(self) -> str:
        """Why the node beside the console does not run; empty while it does."""
        if self.trouble:
            return text("company.cannot_start", problem=self.trouble)
        if self.node is None or self.node.runs:
            return ""
        return text("company.node_ended", id=self.node.id, words=self.node.last_words(), log=self.node.log)


def leave_on_signals(app: "App[Any]", company: Company) -> None:
    """TERM and a closed terminal (HUP) end the console in good order, or in any case; a demo ends meanwhile."""

    def leave(number: int) -> None:
        if company.demo is not None:
            company.demo.let_go()
        last = threading.Timer(LEAVE_S, os._exit, (128 + number,))
        last.daemon = True
        last.start()
        app.exit(return_code=128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, leave, number)
