"""Two nodes that are well need one exchange per interval, not one each (H1)."""

from collections.abc import Callable

import pytest

from node.protocol.messages import Heartbeat, Message
from node.protocol.peer import HEALTHY
from node.simulation.process import Process
from tests.simulation.stage import Stage

SENT = "distributed_heartbeat_sent_total"
CALM_S = 100.0


def beats(stage: Stage, name: str) -> dict[str, int]:
    """How many heartbeats `name` has sent to each peer."""
    return {labels[0][1]: n for (kind, labels), n in stage[name].running.counters.items() if kind == SENT}


def unasked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on gathers who sent a beat that was no answer to one: each is a request of its own."""
    seen: list[str] = []

    def watch(process: Process, send: Callable[[str, Message, bool], None]) -> Callable[[str, Message, bool], None]:
        def sent(to: str, message: Message, lazy: bool) -> None:
            if isinstance(message, Heartbeat) and not message.in_answer:
                seen.append(process.id)
            send(to, message, lazy)

        return sent

    for process in stage.world.hosts.values():
        assert process.transport is not None
        monkeypatch.setattr(process.transport, "send", watch(process, process.transport.send))
    return seen


def test_h1_a_beat_is_answered_with_one_and_every_peer_still_gets_one_per_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(7)
    stage.kill(*stage.world.hosts)
    for process in stage.world.hosts.values():
        process.start()
        stage.world.run_for(0.7)  # Beats that cross are no answers to one another.
    stage.settle()
    intervals = CALM_S / stage["A"].settings.timing.heartbeat_interval
    before, requests = {name: beats(stage, name) for name in stage.world.hosts}, unasked(stage, monkeypatch)
    stage.world.run_for(CALM_S)
    for name, told in before.items():
        for peer, count in beats(stage, name).items():
            assert intervals - 2 <= count - told[peer] <= intervals + 2, (name, peer)
    pairs = 7 * 6 / 2
    of_the_leader = 6
    assert len(requests) <= (pairs + of_the_leader) * (intervals + 2)


def test_h1_a_confirmation_that_waits_for_the_next_beat_is_no_round_trip() -> None:
    stage = Stage(5)
    stage.settle()
    stage.world.run_for(CALM_S)
    for process in stage.world.hosts.values():
        for peer in process.running.parts.members.peers.values():
            assert peer.status == HEALTHY
            assert peer.rtt_s is not None
            assert peer.rtt_s < 1.0, (process.id, peer.member.id)


def test_e5_the_leader_beats_on_its_own_time_so_that_its_lease_is_long() -> None:
    stage = Stage(5)
    stage.settle()
    leader = stage.elect()
    timing = stage[leader].settings.timing
    shortest_s = timing.heartbeat_timeout
    for _ in range(int(CALM_S)):
        stage.world.run_for(1.0)
        shortest_s = min(shortest_s, stage[leader].running.parts.election.lease_remaining_s())
    assert shortest_s >= timing.heartbeat_timeout - timing.heartbeat_interval - 1.0
