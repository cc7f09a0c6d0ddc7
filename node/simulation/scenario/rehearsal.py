"""Rehearse a failure: a script, or a seed's faults, played to the end and beyond, and what it showed."""

from collections.abc import Sequence
from dataclasses import replace

from node.simulation.explore import run_world
from node.simulation.plan import Plan, draw, draw_roomy
from node.simulation.scenario.chronicle import Chronicle
from node.simulation.scenario.outcomes import tell_answer, tell_request, was_taken, was_turned_down, went_well
from node.simulation.scenario.play import Failed, Play
from node.simulation.scenario.script import Script, one_line
from node.simulation.scenario.setup import Setup
from node.simulation.scenario.stage import Stage
from node.simulation.scenario.timeline import LOOK_S, Timeline, Watch, since
from node.simulation.world import World

PRELUDE = "form; load"
LOOKING_ON = ("wait", "until", "expect", "show", "settle", "form", "load")
"""Commands that neither break nor mend anything."""
RESUMED = "goes on"
"""What is told of an instance whose pause ends."""
SEED_TIMEOUT_S = 15.0
"""The seed's heartbeat_timeout: a cluster that is faster than it meets faults that are shorter."""


def what_if(text: str, setup: Setup) -> Timeline:
    """Commands between semicolons, done to a cluster at rest under a small steady load. Raises `ScriptError`."""
    warm_up = f"wait {2 * setup.timing.heartbeat_interval:g}s"
    prelude = one_line(f"{PRELUDE}; {warm_up}", "rehearsal")
    asked = one_line(text, "--what-if")
    script = Script(prelude.lines + asked.lines, prelude.comments + asked.comments[1:])
    return _rehearse(script, setup, len(prelude.lines))


def rehearse(script: Script, setup: Setup) -> Timeline:
    """A script from a file. Raises `ScriptError`."""
    return _rehearse(script, setup, 0)


def _rehearse(script: Script, setup: Setup, before: int) -> Timeline:
    """Play `script`; what comes of its first `before` commands is not told."""
    play = Play(script, setup)
    stage = play.stage
    watch = Watch(stage.world, lambda: unrest(stage))
    timeline = Timeline(tuple(each.id for each in setup.members), setup.rule, setup.strategy)
    commands: list[tuple[float, str]] = []

    def told(command: str) -> None:
        if not commands:
            watch.start()
        commands.append((stage.t_s, command))
        if len(commands) > before:
            stage.chronicle.note("you", command)

    def printed(lines: Sequence[str]) -> None:
        if len(commands) > before:
            for line in lines:
                stage.chronicle.note("you", line)

    def began_s() -> float:
        return commands[before][0] if len(commands) > before else stage.t_s

    try:
        play.run(told, printed)
        _go_on(stage, timeline)
        deeds = [t_s for t_s, command in commands if command.split()[0] not in LOOKING_ON]
        deeds += [each.t_s for each in stage.chronicle.happenings if each.what == RESUMED]
        timeline.changed = bool(deeds)
        _recovered(watch, max(deeds, default=began_s()), timeline)
    except Failed as failed:
        timeline.broken = str(failed)
    timeline.lasted_s = stage.t_s - began_s()
    if stage.steady:
        timeline.done, timeline.suffered = stage.steady.done, stage.steady.suffered
    else:
        _count(stage.chronicle, timeline)
    return since(began_s(), stage.chronicle, watch, timeline)


def _go_on(stage: Stage, timeline: Timeline) -> None:
    """After the last command: until all that run work together, if they come to that, and a little longer."""
    timing = stage.world.plan.timing
    end_s = stage.t_s + 2 * (timing.election_interval + timing.heartbeat_timeout)
    stage.world.run_for(2 * timing.heartbeat_interval)
    while unrest(stage) and stage.t_s < end_s:
        stage.world.run_for(LOOK_S)
    timeline.waits_for = unrest(stage)
    if stage.steady:
        stage.steady.close()
    stage.world.run_for(timing.heartbeat_interval)


def _recovered(watch: Watch, deed_s: float, timeline: Timeline) -> None:
    if not timeline.waits_for:
        timeline.recovered_s = max([each.to_s - deed_s for each in watch.troubled if each.to_s > deed_s], default=0.0)


def unrest(stage: Stage) -> str:
    """What keeps those that run from working together; nothing when one leads, all follow it, and quorum is there."""
    names = [process.id for process in stage.world.processes if process.up and not process.paused]
    views = {name: stage.status(name) for name in names}
    leaders = {(view.leader.id, view.leader.term) for view in views.values()}
    for name, view in views.items():
        if view.status == "unreachable":
            return f"{name}: {view.verdict.removesuffix('.')}"
    for name, view in views.items():
        if not view.quorum.sufficient:
            return (
                f"{name} sees {view.quorum.healthy} of {view.quorum.total} healthy, {view.quorum.required} are needed"
            )
        ill = [each.id for each in view.instances if each.id in views and each.status == "unreachable"]
        if ill:
            return f"{name} does not reach {', '.join(ill)}"
    if not names:
        return "nothing runs"
    leader = leaders.pop()[0] if len(leaders) == 1 else None
    serves = leader in views and views[leader].leader.lease_remaining_ms > 0
    return "" if serves else "nobody leads them all"


def by_seed(seed: str, minutes: float, setup: Setup | None) -> Timeline:
    """The faults and the load that a seed draws, on its own cluster or on the one given."""
    world = World(_plan(seed, minutes, setup))
    chronicle = Chronicle(world)
    chronicle.routine = chronicle.answers = False
    watch = Watch(world)
    watch.start()
    plan = world.plan
    timeline = Timeline(tuple(world.hosts), plan.rule, plan.strategy)
    report = run_world(world)
    timeline.lasted_s = report.virtual_s
    timeline.recovered_s = report.settled_s
    timeline.broken = str(report.violation or "")
    _count(chronicle, timeline)
    return since(0.0, chronicle, watch, timeline)


def _plan(seed: str, minutes: float, setup: Setup | None) -> Plan:
    if setup is None:
        return draw(seed, minutes=minutes)
    scale = setup.timing.heartbeat_timeout / SEED_TIMEOUT_S
    drawn = draw_roomy(seed, nodes=len(setup.members))
    return replace(
        drawn,
        duration_s=minutes * 60 * scale,
        scale=scale,
        fault_every_s=drawn.fault_every_s / drawn.scale * scale,
        think_s=drawn.think_s / drawn.scale * scale,
        rule=setup.rule,
        strategy=setup.strategy,
        members=setup.members,
        timings=setup.timing,
    )


def _count(chronicle: Chronicle, timeline: Timeline) -> None:
    """What became of the requests."""
    suffered: dict[tuple[str, str], list[str]] = {}
    for _, outcome in chronicle.outcomes:
        if went_well(outcome.answer) or was_taken(outcome):
            timeline.done += 1
        elif was_turned_down(outcome.answer):
            timeline.turned_down += 1
        else:
            told = tell_request(outcome.request), tell_answer(outcome.answer)
            suffered.setdefault(told, []).append(outcome.via)
    timeline.suffered = [
        f"{request} via {', '.join(dict.fromkeys(vias))}: {answer}" for (request, answer), vias in suffered.items()
    ]


def summary(timeline: Timeline) -> str:
    """It all in a few sentences."""
    parts = [_led(timeline), _quorum(timeline), _clients(timeline)]
    if timeline.broken:
        parts.append(f"It did not go as it must: {timeline.broken}.")
    elif timeline.recovered_s is None:
        parts.append(f"It is not whole{' again' if timeline.changed else ''}: {timeline.waits_for}.")
    elif timeline.changed:
        took = f"{timeline.recovered_s:.1f} s" if timeline.recovered_s >= LOOK_S else f"less than {LOOK_S} s"
        parts.append(f"It was whole again {took} after the last change.")
    return " ".join(parts)


def _led(timeline: Timeline) -> str:
    led = [spell.who for spell in timeline.leaders]
    if not led:
        return "Nobody led."
    away_s = sum(spell.to_s - spell.from_s for spell in timeline.nobody)
    gap = f"nobody led for {away_s:.1f} s" if away_s >= LOOK_S else f"nobody led for less than {LOOK_S} s"
    changes = len(led) - 1
    if not changes:
        return f"{led[0]} led throughout." if not away_s else f"{led[0]} led; {gap}."
    times = "once" if changes == 1 else f"{changes} times"
    end = led[-1] if led[-1] != led[0] else f"{led[0]} again"
    return f"Leadership changed {times}, from {led[0]} to {end} in the end; {gap}."


def _quorum(timeline: Timeline) -> str:
    away: dict[str, float] = {}
    for spell in timeline.without_quorum:
        away[spell.who] = away.get(spell.who, 0.0) + spell.to_s - spell.from_s
    if not away:
        return "Quorum held on every instance that ran."
    return "Without quorum: " + ", ".join(f"{who} for {s:.1f} s" for who, s in sorted(away.items())) + "."


def _clients(timeline: Timeline) -> str:
    if not timeline.done and not timeline.suffered and not timeline.turned_down:
        return "No client asked for anything."
    down = f", {timeline.turned_down} turned down as they should be" if timeline.turned_down else ""
    if not timeline.suffered:
        return f"Clients noticed nothing: {timeline.done} requests were done at once{down}."
    return f"Of the clients' requests {timeline.done} were done{down}, {len(timeline.suffered)} suffered."
