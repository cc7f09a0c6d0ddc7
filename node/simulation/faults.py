"""Faults of machines: processes, disks and clocks, and what an operator or a stranger does to them.

A disk is lost only while every other one is whole and ready: what a minority's loss may cost is D1's business, more is
the operator's. Nor is one lost before the members in force have had a leader: what one that left held went with it, and
may be on one other disk alone. It is rolled back only while others can tell it (see guarantees.md), and until they have
told it nothing new breaks.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from node.protocol.reconfiguration import MembersRefused, check_step
from node.protocol.settings import Settings
from node.simulation.disk import Disk
from node.simulation.nemesis import Nemesis
from node.simulation.plan import STRATEGIES
from node.simulation.process import Process
from node.simulation.rollout import settled
from node.simulation.strangers import accost

# Processes.


def crash(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process:
        nemesis.begin("crash", f"{process.name} is killed")
        process.stop("is killed")
        nemesis.occupy(process, nemesis.lasting(0.05, 120), process.start)


def crash_between_effects(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process:
        process.crash_in = nemesis.rng.randrange(12)
        nemesis.begin("crash_between_effects", f"{process.name} will crash after {process.crash_in} effects")

        def restart() -> None:
            process.crash_in = None
            if not process.up:
                process.start()

        nemesis.occupy(process, nemesis.lasting(1, 60), restart)


def restart_all(nemesis: Nemesis) -> None:
    nemesis.begin("restart_all", "everything is killed at once")
    for process in nemesis.world.processes:
        if process.up:
            process.stop("is killed")
            if process.name not in nemesis.busy:
                nemesis.occupy(process, nemesis.lasting(0.05, 20), process.start)


def pause(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process:
        seconds = nemesis.lasting(1, 120)
        nemesis.begin("pause", f"{process.name} is paused for {seconds:.1f} s")
        process.pause()
        nemesis.occupy(process, seconds, lambda: process.resume(seconds))


# Disks.


def disk_full(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process and process.disk.fault is None:
        disk = process.disk
        disk.fault = "disk_full"
        nemesis.begin("disk_full", f"{process.name}'s disk is full")

        def free() -> None:
            disk.fault = None

        nemesis.until(nemesis.lasting(1, 60), free)


def disk_slow(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process and not process.disk.slow_s:
        disk = process.disk
        disk.slow_s = nemesis.lasting(0.05, 5)
        nemesis.begin("disk_slow", f"{process.name}'s disk takes {disk.slow_s:.2f} s longer")

        def mend() -> None:
            disk.slow_s = 0.0

        nemesis.until(nemesis.lasting(5, 60), mend)


def disk_unreadable(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process is None:
        return
    nemesis.begin("disk_unreadable", f"{process.name}'s disk cannot be read")
    process.disk.unreadable = True
    if nemesis.rng.random() < 0.5:
        process.stop("is killed")
        process.start()

    def readable() -> None:
        process.disk.mend()
        if not process.up:
            process.start()

    nemesis.occupy(process, nemesis.lasting(1, 60), readable)


def _lose_disk(nemesis: Nemesis, family: str, process: Process, left: Disk, what: str, longest_s: float) -> None:
    """Kill a process and let it start again, some time later, with what is left of its disk."""
    nemesis.begin(family, f"{process.name} is killed and its disk {what}")
    process.stop("is killed")
    before = dict(process.disk.vector)
    process.disk = left
    nemesis.world.checkers.disks_lost += 1
    nemesis.world.checkers.disk_lost(process, before)
    nemesis.occupy(process, nemesis.lasting(0.5, longest_s), process.start)


def _others_whole(nemesis: Nemesis, process: Process) -> bool:
    others = [p for p in nemesis.world.processes if p is not process]
    return (
        bool(others)
        and all(_sound(nemesis, each) for each in nemesis.world.processes)
        and not nemesis.rollout.under_way
    )


def _sound(nemesis: Nemesis, process: Process) -> bool:
    return process.ready and settled(process) and not process.disk.unreadable and not _config_is_old(nemesis, process)


def _at_peace(nemesis: Nemesis) -> bool:
    """Whether nothing is wrong with anybody, and packets arrive."""
    return not nemesis.busy and nemesis.world.network.whole and not nemesis.world.plan.weather.loss


def wipe(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process and _others_whole(nemesis, process):
        _lose_disk(nemesis, "wipe", process, Disk(), "is replaced by an empty one", 60)


def roll_back(nemesis: Nemesis) -> None:
    process = nemesis.victim()
    if process is None or not _others_whole(nemesis, process) or not nemesis.world.network.whole:
        return
    others = [p for p in nemesis.world.processes if p is not process]
    journal, older = process.running.journal_id, process.disk.older(nemesis.rng.random())
    seen = max(p.disk.vector.get(journal, 0) for p in others)
    steady = all(p.up and not p.paused and p.crash_in is None and not p.disk.fault for p in others)
    identity = older.now.identity
    same = identity is not None and identity.journal == journal
    if steady and same and seen > older.vector.get(journal, 0):
        try:
            check_step(older.now.configured, process.settings, force=False)
        except MembersRefused:
            # From before the last changes of members: it would not start on it, and who sees that empties the disk.
            nemesis.world.ground.count("an image from before a change of members was refused")
            _lose_disk(nemesis, "roll_back", process, Disk(), "is emptied: its older image is refused", 60)
            return
        _lose_disk(nemesis, "roll_back", process, older, "is rolled back to an older image", 5)
        scale, timeout_s = nemesis.world.plan.scale, nemesis.world.plan.timing.heartbeat_timeout
        nemesis.quiet_until = nemesis.world.schedule.t + 5 * scale + timeout_s


def duplicate(nemesis: Nemesis) -> None:
    """While the original is heard: started while that is silent, it is a lost disk's replacement to all (D2)."""
    original = nemesis.rng.choice(nemesis.world.processes)
    if not _at_peace(nemesis) or not _others_whole(nemesis, original) or original.paused or not original.up:
        return
    seconds = nemesis.lasting(5, 60)
    double = nemesis.world.double_of(original)
    nemesis.begin("duplicate", f"{double.name} starts under {original.id}'s id on a disk of its own")
    double.start()
    nemesis.quiet_until = nemesis.world.schedule.t + seconds
    nemesis.until(seconds, lambda: double.stop("is killed"))


def stranger(nemesis: Nemesis) -> None:
    running = [p for p in nemesis.world.processes if p.up and not p.paused]
    if running:
        process, member = nemesis.rng.choice(running), nemesis.rng.choice(running)
        nemesis.begin("stranger", f"{process.name} is accosted by a stranger")
        process.note(f"was told a {accost(process, member, nemesis.rng)}")


# The operator.


def members(nemesis: Nemesis) -> None:
    change = nemesis.rollout.begin()
    if change is not None:
        nemesis.begin("members", change)


def old_config(nemesis: Nemesis) -> None:
    """Started once more with a `node.toml` of before: another strategy, or the rule before it was made weaker."""
    process = nemesis.victim()
    if process is None or nemesis.rollout.under_way:
        return
    old = replace(process.settings, strategy=nemesis.rng.choice(STRATEGIES))
    if old.rule == "half" and nemesis.rng.random() < 0.5:
        old = replace(old, rule="majority")
    nemesis.begin("old_config", f"{process.name} starts with an old configuration: {old.rule}, {old.strategy}")
    _reconfigure(nemesis, process, old)
    nemesis.occupy(process, nemesis.lasting(1, 60), lambda: _put_config_right(nemesis, process))


def put_configs_right(nemesis: Nemesis) -> None:
    """Whoever runs an old configuration is started with the right one."""
    for process in nemesis.world.processes:
        if _config_is_old(nemesis, process):
            _put_config_right(nemesis, process)


def _put_config_right(nemesis: Nemesis, process: Process) -> None:
    plan = nemesis.world.plan
    _reconfigure(nemesis, process, replace(process.settings, rule=plan.rule, strategy=plan.strategy))


def _config_is_old(nemesis: Nemesis, process: Process) -> bool:
    settings, plan = process.settings, nemesis.world.plan
    return (settings.rule, settings.strategy) != (plan.rule, plan.strategy)


def _reconfigure(nemesis: Nemesis, process: Process, settings: Settings) -> None:
    process.stop("is stopped, for another configuration")
    process.settings = settings
    process.start()


# Clocks.


def wall_step(nemesis: Nemesis) -> None:
    process = nemesis.rng.choice(nemesis.world.processes)
    step_s = nemesis.rng.choice((-1, 1)) * nemesis.lasting(0.1, 3600)
    nemesis.begin("wall_step", f"{process.name}'s wall clock steps by {step_s:.1f} s")
    process.clocks.step_wall(nemesis.world.schedule.t, step_s)


def wall_drift(nemesis: Nemesis) -> None:
    process = nemesis.rng.choice(nemesis.world.processes)
    rate = nemesis.rng.choice((0.0, nemesis.rng.uniform(0.5, 2.0), nemesis.rng.uniform(0.999, 1.001)))
    nemesis.begin("wall_drift", f"{process.name}'s wall clock runs at {rate:.4f}")
    process.clocks.set_wall_rate(nemesis.world.schedule.t, rate)
    nemesis.until(
        nemesis.lasting(5, 120), lambda: process.clocks.set_wall_rate(nemesis.world.schedule.t, process.clocks.rate)
    )


def clock_rate(nemesis: Nemesis) -> None:
    process = nemesis.rng.choice(nemesis.world.processes)
    rate = nemesis.rng.choice((0.0, nemesis.rng.uniform(0.5, 2.0)))
    nemesis.begin("clock_rate", f"{process.name}'s clocks run at {rate:.4f}")
    run_at(nemesis, process, rate, nemesis.lasting(1, 60))


def run_at(nemesis: Nemesis, process: Process, rate: float, seconds: float) -> None:
    process.clocks.set_rate(nemesis.world.schedule.t, rate)
    process.rearm()

    def mend() -> None:
        process.clocks.set_rate(nemesis.world.schedule.t, 1.0)
        process.rearm()

    nemesis.until(seconds, mend)


FAULTS: Final[dict[str, Callable[[Nemesis], None]]] = {
    "crash": crash,
    "crash_between_effects": crash_between_effects,
    "restart_all": restart_all,
    "pause": pause,
    "disk_full": disk_full,
    "disk_slow": disk_slow,
    "disk_unreadable": disk_unreadable,
    "wipe": wipe,
    "roll_back": roll_back,
    "duplicate": duplicate,
    "stranger": stranger,
    "members": members,
    "old_config": old_config,
    "wall_step": wall_step,
    "wall_drift": wall_drift,
    "clock_rate": clock_rate,
}
"""What begins a fault, by its family."""
