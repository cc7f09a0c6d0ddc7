"""How late a busy machine wakes this process: by so much, all that is to be done by a time may be late here."""

import threading
import time
from types import TracebackType
from typing import Self

STEP_S = 0.005


class Lateness:
    """Watches while its block runs; `seconds` is the most that a thread which slept was late."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lateness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            due = time.monotonic() + STEP_S
            time.sleep(STEP_S)
            self.seconds = max(self.seconds, time.monotonic() - due)
