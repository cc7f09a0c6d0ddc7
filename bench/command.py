"""How a bench runs from the command line: bounded, cleaning up whatever ends it, with a message instead of a trace."""

import signal
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from bench.etcd import Missing


def run(measure: Coroutine[Any, Any, None]) -> None:
    """Run a bench to its end. Exits with 1 when it could not measure, or was stopped."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        uvloop.run(measure)
    except (Missing, TimeoutError, RuntimeError, ConnectionError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped before the end")
