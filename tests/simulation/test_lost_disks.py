"""Two disks lost one after the other (D1): the second is an image older than the first one's replacement."""

import pytest

from tests.simulation.stage import Stage


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_an_older_image_that_knows_a_peer_under_its_former_journal(nodes: int) -> None:
    """Found by a seed: it refused the peer as a stranger, and waited for its answer for ever."""
    stage = Stage(nodes)
    stage.settle()
    older = stage["A"].disk.writes
    stage.kill("B")
    stage["B"].disk.wipe()
    stage["B"].start()
    stage.settle()
    stage.propose("B", "1.0.0", "left")
    stage.settle()
    stage.kill("A")
    stage.world.disks_lost += 2
    stage["A"].disk.roll_back(older)
    stage["A"].start()
    stage.settle()
    assert stage.propose("A", "1.1.0", "right").state == "accepted"
