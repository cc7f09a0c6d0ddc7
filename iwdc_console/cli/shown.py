"""An answer as it is shown: its table, whose view it is, and how old."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from iwdc_console.cli.text import ago
from iwdc_console.cli.views.screen import Screen

if TYPE_CHECKING:
    from iwdc_console.exchange import Answer

T = TypeVar("T")
Table = Callable[[Any, Screen], str]
Rows = Callable[[Any], Iterable[Sequence[object]]]


class View(NamedTuple):
    """How an answer's data looks as a table and as plain rows."""

    table: Table
    rows: Rows


def frame(answer: "Answer", view: View, screen: Screen, seen_by: str) -> str:
    """A table and, below it, whose view this is and how old: `seen by instance-A, 0.4 s ago`."""
    if answer.given_ms is not None:  # ages are told by the node's clock: the one here may be wrong
        screen = screen._replace(now_ms=answer.given_ms + answer.age_ms)
    body = checked(answer, lambda: view.table(answer.data, screen))
    return f"{body}\n\n{screen.note(f'seen by {seen_by}, {ago(answer.age_ms)}', tone='dim')}"


def checked(answer: "Answer", render: Callable[[], T]) -> T:
    """Render an answer. Raises `ServerFault` when its data is not of the shape this version knows."""
    try:
        return render()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        from iwdc_console.outcomes import ServerFault

        raise ServerFault(
            f"{answer.node} answered in a form this version does not know ({type(error).__name__}: {error}). "
            "Its data can be seen with -o json.",
            node=answer.node,
        ) from error
