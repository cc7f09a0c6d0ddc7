"""The listening API: its bounds fit the process and the cluster's timings."""

import resource
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.exchange import ApiLimits
from node.api.server import OWN_FILES, ApiServer
from node.protocol.settings import Timing
from node.runtime.given import is_deeper
from tests.api.stand_in import SETTINGS, StandIn, engine_of
from tests.api.wire import run


def test_a_taken_port_is_an_oserror_and_stop_is_safe_to_repeat() -> None:
    async def body() -> None:
        first = ApiServer(engine_of(StandIn()), "127.0.0.1", 0)
        await first.start()
        assert first.port > 0
        second = ApiServer(engine_of(StandIn()), "127.0.0.1", first.port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.stop()
        await first.stop()
        await first.stop()

    run(body)


def test_peers_that_beat_slowly_are_not_taken_for_idle() -> None:
    slow = StandIn()
    slow.settings = replace(SETTINGS, timing=Timing(heartbeat_interval=60.0, heartbeat_timeout=180.0))
    assert ApiServer(engine_of(slow), "127.0.0.1", 0).limits.idle_timeout_s > 180.0
    assert ApiServer(engine_of(StandIn()), "127.0.0.1", 0).limits.idle_timeout_s == ApiLimits().idle_timeout_s


def test_connections_leave_files_for_the_node_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    assert ApiServer(engine_of(StandIn()), "127.0.0.1", 0).limits.max_connections == 1024 - OWN_FILES


def depth(value: object) -> int:
    """The plain definition."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


NESTED = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(NESTED, st.integers(0, 6))
def test_depth_is_found_without_recursion(value: object, levels: int) -> None:
    assert is_deeper(value, levels) == (depth(value) > levels)
