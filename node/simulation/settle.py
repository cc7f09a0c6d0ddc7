"""The second phase: once everything is healed, progress is owed within a bounded time (promise 5).

The bound is counted in the plan's timings: two elections and their time-outs, the longest a lock or a proposal may
linger, and a minute for clocks and disks. What holds it up is named.
"""

from node.protocol.requests import AcquireLock, Answer, LockGranted, ProposalAnswer, Propose, ReleaseLock, Request
from node.simulation.process import Process
from node.simulation.violation import Violation
from node.simulation.weight import objects
from node.simulation.world import World

TRIES = 3
"""Packets of before the healing may still come, and cost a call its answer."""
LAST_VERSION = "20990101-000000"
"""Greater than any version the clients propose."""
GROWTH_ALLOWED = 50
"""Objects by which a core may grow while nothing happens but heartbeats: some histories still fill up."""


def settle(world: World) -> float:
    """Let time pass until nothing stalls; gives the seconds it took. Raises `Violation` past the bound."""
    timing = world.plan.timing
    began = world.schedule.t
    bound_s = 60 * world.plan.scale + 2 * (
        timing.election_interval + timing.heartbeat_timeout + timing.lock_ttl + timing.proposal_timeout
    )
    step_s = timing.heartbeat_interval / 2
    while world.schedule.t - began < bound_s:
        world.run_for(step_s)
        if stall(world) is None:
            return world.schedule.t - began
    where, why = stall(world) or ("", "")
    raise Violation("promise 5", where, f"{why}, {bound_s:.0f} s after everything was healed")


def stall(world: World) -> tuple[str, str] | None:
    """Who holds the cluster up and why; None when it is at rest: one leader, one state, nothing pending."""
    views = []
    for process in world.processes:
        if not process.up:
            return process.name, "does not run"
        if not process.ready:
            return process.name, "is not ready to vote"
        if process.commits.owed:
            return process.name, f"{process.commits.owed} effects wait for the disk"
        views.append((process, process.running.view_status(process.now)))
    first, reference = views[0]
    for process, view in views:
        leader = view.leader
        if leader.id is None or (leader.id, leader.term) != (reference.leader.id, reference.leader.term):
            return process.name, f"follows {leader.id} in term {leader.term}"
        if leader.id == process.id and not leader.lease_remaining_ms:
            return process.name, f"leads term {leader.term} and does not serve"
        # A disk that was slow is called so until its next commit, which at rest may be far off.
        ill = [
            f"{i.id} {i.status} {', '.join(i.reasons)}"
            for i in view.instances
            if i.status != "healthy" and i.reasons != ("slow_disk",)
        ]
        if ill:
            return process.name, f"sees {'; '.join(ill)}"
        if process.running.vector != first.running.vector:
            return process.name, f"holds events {process.running.vector}, {first.name} {first.running.vector}"
        if view.state_digest != reference.state_digest:
            return process.name, f"has state {view.state_digest}, {first.name} {reference.state_digest}"
        if view.current_version != reference.current_version:
            return process.name, f"is at version {view.current_version}, {first.name} at {reference.current_version}"
        if view.open_proposals:
            proposals = process.running.view_proposals(process.now, process.settings.limits.max_open_proposals)
            # A voter that is no member any more may have accepted without having told: until the floor, nobody knows.
            # What was proposed by a clock that ran ahead may be voted for until its deadline, which is far off.
            latest_ms = process.now.wall_ms + world.plan.timing.proposal_timeout * 1000
            waiting = [
                p
                for p in proposals
                if p.state in ("pending", "expired") and set(p.voters) <= world.hosts.keys() and p.deadline <= latest_ms
            ]
            if waiting:
                return process.name, f"{len(waiting)} proposals are open: {', '.join(p.id for p in waiting)}"
        if view.locks:
            held = [f"{k.resource}#{k.fencing_token}" for k in process.running.view_locks(process.now)]
            return process.name, f"holds stale locks {', '.join(held)}"
    return None if world.clients.idle else ("clients", "wait for answers that do not come")


def prove_use(world: World) -> None:
    """A healed cluster is of use: every node gets a lock, a proposal is accepted, and all of them learn it."""
    timing = world.plan.timing
    for process in world.processes:
        resource = f"probe-{process.name}"
        lock = AcquireLock(resource, process.name, resource, timing.lock_ttl)
        got = ask(world, process, lock)
        if not isinstance(got, LockGranted):
            raise Violation("promise 5", process.name, f"gets no lock after the faults: {got}")
        ask(world, process, ReleaseLock(resource, process.name, got.lock.fencing_token))
    process = world.processes[0]
    fresh = Propose("snapshot", LAST_VERSION, "proof", idempotency_key="proof", wait_s=timing.proposal_timeout)
    told = ask(world, process, fresh)
    if not isinstance(told, ProposalAnswer) or told.proposal.state != "accepted":
        raise Violation("promise 5", process.name, f"a fresh proposal is not accepted after the faults: {told}")
    settle(world)
    for other in world.processes:
        version = other.running.view_status(other.now).current_version
        if version != LAST_VERSION:
            raise Violation("promise 5", other.name, f"is at version {version} after a newer one was accepted")


def ask(world: World, process: Process, request: Request) -> Answer | None:
    """Call, and again while the outcome is unknown, as a client does; None when it stays so."""
    timeout_s = world.plan.timing.proposal_timeout * 2
    for _ in range(TRIES):
        outcome: list[Answer | None] = []
        world.clients.call(process, request, timeout_s, outcome.append)
        asked = world.schedule.t
        while not outcome and world.schedule.t <= asked + timeout_s:
            world.run_for(world.plan.timing.heartbeat_interval / 10)
        if outcome and outcome[0] is not None:
            return outcome[0]
    return None


def prove_calm(world: World) -> None:
    """At rest, leadership changes at most once more, for the ranking's sake (E6), and nothing grows."""
    leaders = len(world.checkers.leaders)
    first = {p.name: objects(p.running) for p in world.processes}
    world.run_for(1.5 * world.plan.timing.election_interval)
    second = {p.name: objects(p.running) for p in world.processes}
    world.run_for(1.5 * world.plan.timing.election_interval)
    changes = len(world.checkers.leaders) - leaders
    if changes > 1:
        raise Violation("E6", "cluster", f"{changes} changes of leader while nothing was wrong")
    settle(world)
    for process in world.processes:
        # Once it may: two parts that shared a floor may each come to hold their own copy.
        grown = second[process.name] - first[process.name]
        if grown > GROWTH_ALLOWED and (again := objects(process.running) - second[process.name]) > GROWTH_ALLOWED:
            story = f"grew by {grown} and {again} objects at rest, {GROWTH_ALLOWED} allowed"
            raise Violation("bounded memory", process.name, story)
