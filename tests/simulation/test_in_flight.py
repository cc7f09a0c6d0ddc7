"""A disk is wiped, or goes back to an older image, while its node's vote, ack or promise is on its way (D1).

Wherever between two effects the node dies: the live checkers watch, then all must come to rest and be of use.
"""

import pytest

from node.simulation.plan import names
from node.simulation.scenario.play import Play
from node.simulation.scenario.script import read_script
from node.simulation.settle import prove_use

EFFECTS = (0, 1, 2, 3, 5, 8, 13)
"""After how many more effects the node dies."""
MANY = [pytest.param(nodes, marks=pytest.mark.slow) for nodes in (4, 5)]


def story(nodes: int, victim: str, under_way: str, effects: int, loss: str) -> str:
    """What is under way meets the loss of the victim's disk."""
    return f"""
nodes {nodes}
form
propose 1.0.0 base via A
back up {victim}
crash {victim} after {effects} effects
{under_way}
wait 300ms
{loss} {victim}
wait 200ms
heal
settle
"""


def play(text: str) -> None:
    """Play it, and ask of the cluster what promise 5 says."""
    played = Play(read_script(text, "in flight"))
    played.run()
    world = played.stage.world
    world.checkers.nothing_lost()
    prove_use(world)


@pytest.mark.parametrize("loss", ["wipe", "restore"])
@pytest.mark.parametrize("nodes", [2, 3, *MANY])
def test_a_vote_on_a_proposal_in_flight(nodes: int, loss: str) -> None:
    """P3, D1: the proposer's or another one's vote may be with some, and is not on the disk any more."""
    for victim in ("A", "B"):
        for effects in EFFECTS:
            play(story(nodes, victim, "begin propose 1.1.0 next via A B", effects, loss))


@pytest.mark.parametrize("loss", ["wipe", "restore"])
@pytest.mark.parametrize("nodes", [2, 3, *MANY])
def test_an_ack_of_a_lock_in_flight(nodes: int, loss: str) -> None:
    """L1, D1: a follower's ack, or the leader's own copy."""
    leader = names(nodes)[-1]
    for victim in ("A", leader):
        for effects in EFFECTS:
            play(story(nodes, victim, f"begin lock build by ci via {leader} A", effects, loss))


@pytest.mark.parametrize("loss", ["wipe", "restore"])
@pytest.mark.parametrize("nodes", [3, *MANY])
def test_a_vote_in_an_election_in_flight(nodes: int, loss: str) -> None:
    """E1, D1: the leader has died; a voter, or the one who stands for election, loses its disk."""
    leader, best = names(nodes)[-1], names(nodes)[-2]
    for victim in ("A", best):
        for effects in EFFECTS:
            play(story(nodes, victim, f"kill {leader}", effects, loss))


@pytest.mark.parametrize("effects", EFFECTS)
def test_a_single_node_begins_anew(effects: int) -> None:
    """D2: nobody else remembers what it held; a blank node without peers is a cluster again."""
    play(story(1, "A", "begin publish SNAPSHOT_CREATED via A", effects, "wipe"))
