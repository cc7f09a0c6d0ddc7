"""Commands that let time pass, break things and mend them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from node.protocol.settings import Rule
from node.simulation.plan import member
from node.simulation.scenario.conditions import conditions
from node.simulation.scenario.language import Call, Language, Unfit
from node.simulation.scenario.setup import read_rule
from node.simulation.scenario.stage import WITHIN_S, Stage, Unmet
from node.simulation.scenario.steady import Steady
from node.simulation.settle import settle

deeds = Language(CONDITION=conditions.read, RULE=read_rule)


@deeds.add("wait DURATION")
def _wait(stage: Stage, duration: float) -> None:
    stage.world.run_for(duration)


@deeds.add("until CONDITION [within DURATION]")
def _until(stage: Stage, condition: Call, duration: float | None) -> list[str]:
    took_s = stage.until(lambda: str(condition(stage)), WITHIN_S if duration is None else duration)
    return [f"after {took_s:.1f} s"]


@deeds.add("expect CONDITION")
def _expect(stage: Stage, condition: Call) -> None:
    missing = condition(stage)
    if missing:
        raise Unmet(missing)


@deeds.add("form")
def _form(stage: Stage) -> list[str]:
    """The nodes start and come to rest, as they do every day: told in a line."""
    stage.unladen("form")
    told = len(stage.chronicle.happenings)
    settle(stage.world)
    del stage.chronicle.happenings[told:]
    leader = stage.status(stage.world.processes[0].id).leader
    return [f"at rest after {stage.t_s:.1f} s, {leader.id} leads term {leader.term}"]


@deeds.add("settle")
def _settle(stage: Stage) -> list[str]:
    stage.unladen("settle")
    return [f"at rest after {settle(stage.world):.1f} s"]


@deeds.add("load")
def _load(stage: Stage) -> None:
    """A small steady load begins; from now on what goes well is not told."""
    stage.unladen("load")
    stage.chronicle.routine = False
    stage.steady = Steady(stage.world, stage.chronicle)
    stage.steady.start()


# Processes.


@deeds.add("machine NODE")
def _machine(stage: Stage, node: str) -> None:
    """One more machine with an empty disk, whose node has the file of the others (M1) and does not run yet."""
    if node in stage.world.hosts:
        raise Unfit(f"{node} is there already", "a new id")
    settings = stage.world.processes[0].settings
    stage.world.join(replace(settings, id=node, members=(*settings.members, member(node))))


@deeds.add("start NODES")
def _start(stage: Stage, nodes: Sequence[str]) -> None:
    for name in nodes:
        process = stage.node(name)
        if process.up:
            raise Unfit(f"{name} runs already", "an instance that does not run")
        process.start()


@deeds.add("kill NODES")
def _kill(stage: Stage, nodes: Sequence[str]) -> None:
    for name in nodes:
        stage.running(name).stop("is killed")


@deeds.add("restart NODES")
def _restart(stage: Stage, nodes: Sequence[str]) -> None:
    _kill(stage, nodes)
    _start(stage, nodes)


@deeds.add("crash NODE after COUNT effects")
def _crash(stage: Stage, node: str, count: int) -> None:
    """In the middle of what a step had to do."""
    stage.running(node).crash_in = count


@deeds.add("pause NODE DURATION")
def _pause(stage: Stage, node: str, duration: float) -> None:
    process = stage.running(node)
    process.pause()
    stage.world.schedule.after(duration, process.resume, duration)


# The network.


@deeds.add("cut NODE -> OTHER")
def _cut_one_way(stage: Stage, node: str, other: str) -> None:
    stage.cut([(node, other)])


@deeds.add("cut NODE - OTHER")
def _cut(stage: Stage, node: str, other: str) -> None:
    stage.cut([(node, other), (other, node)])


@deeds.add("split SIDES")
def _split(stage: Stage, sides: str) -> None:
    """Sides stand between bars; nobody hears the other side."""
    parts = [part.split() for part in sides.split("|")]
    if len(parts) < 2 or not all(parts):
        raise Unfit(f"split {sides}", "sides with a bar between them, such as A B | C D")
    for name in (named := [name for part in parts for name in part]):
        if named.count(name) > 1:
            raise Unfit(f"{name} is named twice", "each instance on one side")
    side = {stage.node(name).id: number for number, names in enumerate(parts) for name in names}
    stage.cut([(a, b) for a, b in permutations(side, 2) if side[a] != side[b]])


@deeds.add("slow NODE -> OTHER DURATION")
def _slow(stage: Stage, node: str, other: str, duration: float) -> None:
    stage.world.network.slow(stage.links([(node, other)]), duration)


@deeds.add("connect")
def _connect(stage: Stage) -> None:
    """All links are whole and quick again; nothing else is mended."""
    stage.world.network.heal()


@deeds.add("heal")
def _heal(stage: Stage) -> None:
    stage.heal()


# Disks.


@deeds.add("wipe NODE")
def _wipe(stage: Stage, node: str) -> None:
    """It is killed, and its disk replaced by an empty one."""
    stage.lose_disk(node, 0)


@deeds.add("back up NODE")
def _back_up(stage: Stage, node: str) -> None:
    stage.backups[node] = stage.node(node).disk.writes


@deeds.add("restore NODE")
def _restore(stage: Stage, node: str) -> None:
    """It is killed, and its disk goes back to the backup."""
    if node not in stage.backups:
        raise Unfit(f"no backup of {node}", f"`back up {node}` before this")
    stage.lose_disk(node, stage.backups[node])


@deeds.add("disk of NODE full")
def _full(stage: Stage, node: str) -> None:
    stage.node(node).disk.fault = "disk_full"


@deeds.add("disk of NODE unreadable")
def _unreadable(stage: Stage, node: str) -> None:
    """Reads fail: nothing old is sent to others, and the node cannot start."""
    stage.node(node).disk.unreadable = True


@deeds.add("disk of NODE slower by DURATION")
def _slow_disk(stage: Stage, node: str, duration: float) -> None:
    stage.node(node).disk.slow_s = duration


@deeds.add("disk of NODE sound")
def _sound(stage: Stage, node: str) -> None:
    stage.node(node).disk.mend()


# Clocks.


@deeds.add("clock of NODE OFFSET")
def _step_wall(stage: Stage, node: str, offset: float) -> None:
    """The wall clock is set by so much."""
    stage.node(node).clocks.step_wall(stage.t_s, offset)


@deeds.add("clock of NODE runs RATE")
def _run_wall(stage: Stage, node: str, rate: float) -> None:
    """The wall clock alone."""
    stage.node(node).clocks.set_wall_rate(stage.t_s, rate)


@deeds.add("time of NODE runs RATE")
def _run_all(stage: Stage, node: str, rate: float) -> None:
    """The monotonic clock, by which durations are measured; the wall clock stays right."""
    process = stage.node(node)
    process.clocks.set_rate(stage.t_s, rate)
    process.clocks.set_wall_rate(stage.t_s, 1.0)
    process.rearm()


@deeds.add("clock of NODE right")
def _right(stage: Stage, node: str) -> None:
    process = stage.node(node)
    process.clocks.set_right(stage.t_s)
    process.rearm()


# Configuration: taken up at the next start.


@deeds.add("edit members OTHERS on NODES")
def _edit_members(stage: Stage, others: Sequence[str], nodes: Sequence[str]) -> None:
    for name in nodes:
        process = stage.node(name)
        known = {each.id: each for each in process.settings.members}
        listed = dict.fromkeys((*others, name))  # Who is not in its own file counts all the same (M1).
        members = tuple(known.get(other) or member(other) for other in listed)
        process.settings = replace(process.settings, members=members)


@deeds.add("edit rule RULE on NODES")
def _edit_rule(stage: Stage, rule: Rule, nodes: Sequence[str]) -> None:
    for name in nodes:
        process = stage.node(name)
        process.settings = replace(process.settings, rule=rule)
