"""The demo's failing network, on a thread of its own so that tests can break it while they wait."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from iwdc_console.demo.network import Network as Proxies


class Network:
    """`Proxies` for a cluster, called from the test's thread; each call has taken effect when it returns."""

    def __init__(self, targets: Mapping[str, int]) -> None:
        self._proxies = Proxies(targets)
        self.ports = self._proxies.ports
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxies.__aenter__(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._proxies.__aexit__(kind, error, trace), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._runner.close()

    def cut(self, source: str, target: str) -> None:
        """Nothing more arrives from `source` at `target`; the other direction works on."""
        self._do(lambda: self._proxies.cut(source, target))

    def split(self, one: Iterable[str], other: Iterable[str]) -> None:
        """Cut every direction between two groups."""
        groups = [list(one), list(other)]
        self._do(lambda: self._proxies.split(groups))

    def slow(self, source: str, target: str, seconds: float) -> None:
        """All that `source` sends to `target` takes that much longer."""
        self._do(lambda: self._proxies.delay(source, target, seconds))

    def heal(self) -> None:
        """Everything works again, at full speed."""
        self._do(self._proxies.heal)

    def _do(self, act: Callable[[], None]) -> None:
        async def acted() -> None:
            act()

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result()
