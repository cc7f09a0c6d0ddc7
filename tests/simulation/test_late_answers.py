"""What a former boot asked is answered to nobody: numbers of one boot are not those of the next (T1)."""

import pytest

from node.protocol.messages import Message, TimeProbe
from tests.simulation.stage import Stage


def test_t1_a_late_answer_to_a_former_boot_s_probe_is_no_measure_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(3)
    leader = stage.elect()
    name = next(name for name in stage.world.hosts if name != leader)
    transport = stage[name].transport
    assert transport is not None
    probes: list[int] = []
    send = type(transport).send

    def sent(self: object, to: str, message: Message, lazy: bool) -> None:
        if isinstance(message, TimeProbe) and self is stage[name].transport:
            probes.append(message.number)
        send(self, to, message, lazy)  # type: ignore[arg-type]

    monkeypatch.setattr(type(transport), "send", sent)
    stage.until(lambda: len(probes) >= 3, 120)
    stage[name].stop("is killed")
    former = set(probes)
    probes.clear()
    stage[name].start()
    stage.until(lambda: len(probes) >= 3, 240)
    assert not former & set(probes)
