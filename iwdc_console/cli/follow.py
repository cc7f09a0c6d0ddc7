"""`events --follow`: the live stream, resumed by its cursor on whichever node answers (V3)."""

import contextlib
import time
from collections.abc import Mapping

from iwdc_console.cli import output, target
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import Where
from iwdc_console.cli.views.history import event_line, events_rows
from iwdc_console.cli.views.screen import current_screen
from iwdc_console.exchange import StreamEvent
from iwdc_console.outcomes import Unreachable

RETRY_S = 1.0
LAGGED = "lagged"


def follow_events(where: Where, query: Mapping[str, str | None]) -> None:
    """Print events as they come until ctrl-c. Raises `Unreachable` only when no node ever answered."""
    client = target.connect(where.nodes, where.context)
    others = {name: value for name, value in query.items() if name != "since"}
    cursor = query.get("since")
    connected = False
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                for event in client.follow(cursor, **others):
                    connected = True
                    cursor = event.cursor or cursor
                    if event.name != LAGGED:
                        output.write(line(event, where.output))
                output.say("The stream ended; resuming.")
            except Unreachable as error:
                if not connected:
                    raise
                tried = "; ".join(f"{node}: {why}" for node, why in error.tried)
                output.say(f"No node answers ({tried}); trying again.")
            time.sleep(RETRY_S)


def line(event: StreamEvent, fmt: Format) -> str:
    """One event in the format asked for; json is one document per line."""
    if fmt is Format.JSON:
        return output.json_text(event.data, indent=None)
    if fmt is Format.PLAIN:
        return output.plain_text(events_rows([event.data]))
    stamp = float(event.data.get("timestamp") or 0) / 1000
    return event_line(event.data, current_screen(), time.strftime("%H:%M:%S", time.localtime(stamp)))
