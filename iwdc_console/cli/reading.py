"""Read commands: ask, show, and with `--watch` ask and show again.

`READS` is the one list of what can be read without further arguments. Two ways lead to it: the typer commands in
`reads.py`, and `main`, which answers the plain forms (`quorum -o json`) without loading typer at all.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from iwdc_console.cli import output
from iwdc_console.cli.output import Format
from iwdc_console.cli.shown import View, checked, frame
from iwdc_console.cli.views.screen import current_screen

if TYPE_CHECKING:
    from iwdc_console.client import Client
    from iwdc_console.exchange import Answer


class Where(NamedTuple):
    """Which nodes to ask and how to show what they say: the options every read command has."""

    nodes: tuple[str, ...] = ()
    context: str | None = None
    output: Format = Format.TABLE
    watch: bool = False


class Read(NamedTuple):
    """A read without arguments: where it is asked, and the view, by module and name (loaded when used)."""

    path: str
    module: str
    name: str

    def view(self) -> View:
        """Load the view."""
        module = import_module(f"iwdc_console.cli.views.{self.module}")
        return View(getattr(module, f"{self.name}_table"), getattr(module, f"{self.name}_rows"))


READS = {
    "quorum": Read("distributed/quorum", "cluster", "quorum"),
    "status": Read("distributed/status", "cluster", "status"),
    "leader": Read("distributed/leader", "cluster", "leader"),
    "instances": Read("distributed/instances", "cluster", "instances"),
    "drift": Read("distributed/drift", "cluster", "drift"),
    "locks": Read("distributed/locks", "decisions", "locks"),
    "proposals": Read("distributed/proposals", "decisions", "proposals"),
    "conflicts": Read("distributed/conflicts", "decisions", "conflicts"),
    "traces": Read("distributed/traces", "history", "traces"),
}


def read(name: str, where: Where) -> None:
    """Run one of `READS`."""
    entry = READS[name]
    run(lambda client: client.get(entry.path), entry.view(), where)


def run(ask: "Callable[[Client], Answer]", view: View, where: Where) -> None:
    """Ask and show once, or again and again with `--watch`. Raises `ClientError`, `Failure`, `ReaderGone`."""
    from iwdc_console.cli import target

    client = target.connect(where.nodes, where.context)
    if where.watch:
        from iwdc_console.cli.watch import watch

        watch(lambda: ask(client), view, where.output, client.name_of)
        return
    answer = ask(client)
    output.show(
        answer.data,
        where.output,
        lambda: frame(answer, view, current_screen(), client.name_of(answer.node)),
        lambda: checked(answer, lambda: view.rows(answer.data)),
    )
