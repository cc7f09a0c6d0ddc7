"""One run of a plan, in two phases: faults and load with the promises watched, then everything is healed.

Within a bounded time the cluster must then have decided, converged and be of use again (`settle`).
"""

from typing import Final

from node.simulation import cuts, faults
from node.simulation.nemesis import Nemesis
from node.simulation.workload import Workload
from node.simulation.world import World

FAULTS: Final = cuts.FAULTS | faults.FAULTS
"""What begins a fault, by its family."""


class Campaign:
    """The load and the faults of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._workload = Workload(world)
        self._nemesis = Nemesis(world, FAULTS)

    def disturb(self) -> None:
        """Load and faults, for as long as the plan says."""
        world = self._world
        world.sights.start()
        self._workload.start()
        self._nemesis.start()
        world.run_for(world.plan.duration_s)

    def heal(self) -> None:
        """End all faults and all new load: every process runs, every link is calm, every disk and clock is right.

        Returns when the packets that were still on their way have arrived.
        """
        world = self._world
        self._nemesis.close()
        self._workload.close()
        world.ground.note("world", "heals")
        world.ground.happened("world", "heals")
        world.network.heal()
        for double in world.doubles:
            double.stop("is killed")
        for process in world.processes:
            process.disk.mend()
            process.clocks.set_right(world.schedule.t)
            process.crash_in = None
            process.resume(1.0)
            if not process.up:
                process.start()
            process.rearm()
        faults.put_configs_right(self._nemesis)
        self._nemesis.rollout.finish()
        world.run_for(world.plan.weather.straggle_s)
