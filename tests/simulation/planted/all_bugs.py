"""All planted bugs: importing a module registers its own."""

from tests.simulation.planted import clusters, disks, elections, logs, states, voting
from tests.simulation.planted.bug import BUGS

__all__ = ["BUGS", "clusters", "disks", "elections", "logs", "states", "voting"]
