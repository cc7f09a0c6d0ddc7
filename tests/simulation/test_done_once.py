"""A client that loses its answer asks the next node with the same id: what it wanted is done once, or it knows *maybe*.

Wherever between two effects the first node dies.
"""

from collections.abc import Sequence

import pytest

from node.simulation.scenario.play import Play
from node.simulation.scenario.script import read_script

EFFECTS = range(12)


def played(effects: int, call: str, after: Sequence[str] = ()) -> Play:
    """The asked node A dies after so many effects, and comes back; B is asked next."""
    text = ["nodes 3", "form", f"crash A after {effects} effects", call, "heal", "wait 20s", *after]
    play = Play(read_script("\n".join(text), "done once"))
    play.run()
    return play


@pytest.mark.parametrize("effects", EFFECTS)
def test_a_lock_is_granted_once(effects: int) -> None:
    """L2: one request id, one token."""
    play = played(effects, "lock build by ci via A B request build-7")
    for process in play.stage.world.processes:
        control = process.disk.now.control
        assert control.token == 1
        assert [(lock.owner, lock.token) for lock in control.locks.values()] == [("ci", 1)]


@pytest.mark.parametrize("effects", EFFECTS)
def test_a_version_is_accepted_once_for_one_key(effects: int) -> None:
    """P6: whatever became of the first attempt, one content is accepted, and nothing is in conflict."""
    play = played(effects, "propose 1.0.0 abc via A B key build-7", ["expect nothing open"])
    for process in play.stage.world.processes:
        status = process.running.view_status(process.now)
        assert (status.current_version, status.current_hash) == ("1.0.0", "abc")
        assert status.open_conflicts == 0


@pytest.mark.parametrize("effects", EFFECTS)
def test_an_event_is_published_once_for_one_id(effects: int) -> None:
    """V1, V4: asked a third time, every node knows it."""
    play = played(effects, "publish SNAPSHOT_CREATED via A B id event-7")
    for name in ("A", "B", "C"):
        events = [event for event in play.stage.world.hosts[name].disk.events() if event.id == "event-7"]
        assert len(events) == 1
