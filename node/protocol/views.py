"""What can be seen of a node, as the API shows it. Reads only; each view says what this node knows, from its own place.

The first argument is the node's parts, the second the time of the look.
"""

from node.protocol.alarms import alarms, entry_in_words, in_words, no_writing
from node.protocol.effects import Now
from node.protocol.membership import Membership
from node.protocol.parts import Parts
from node.protocol.peer import DEGRADED, HEALTHY, UNREACHABLE
from node.protocol.quorum import strict_majority
from node.protocol.ranking import ranking
from node.protocol.settings import PROTOCOL
from node.protocol.shapes import (
    CandidateView,
    ConflictView,
    DriftView,
    InstanceView,
    LeaderView,
    LockView,
    ProposalView,
    QuorumView,
    StatusView,
)


def _at(parts: Parts, now: Now) -> None:
    parts.ctx.mono, parts.ctx.wall_ms = now.mono, now.wall_ms


def ranked(parts: Parts) -> list[str]:
    """The voters alive here, by rank (E2)."""
    return ranking(parts.members.uptimes(), parts.settings.timing.uptime_tolerance)


def quorum_of(parts: Parts, now: Now) -> QuorumView:
    """Seed 3.3."""
    _at(parts, now)
    return parts.members.quorum()


def leader_of(parts: Parts, now: Now) -> LeaderView:
    """Who leads, and who would be next."""
    _at(parts, now)
    election, members = parts.election, parts.members
    uptimes = members.uptimes()
    order = ranked(parts)
    rest = [name for name in members.voters if name not in order]
    candidates = tuple(
        CandidateView(
            name,
            int(uptimes[name] * 1000) if name in uptimes else None,
            members.sees.get(name, UNREACHABLE),
        )
        for name in [*order, *rest]
    )
    return LeaderView(
        id=election.leader if election.leader != parts.settings.id or election.leads else None,
        term=election.term,
        elected_at=election.elected_ms,
        lease_remaining_ms=int(election.lease_remaining_s() * 1000),
        candidates=candidates,
        lease_ms=int(parts.settings.timing.heartbeat_timeout * 1000),
    )


def instances_of(parts: Parts, now: Now) -> tuple[InstanceView, ...]:
    """Every member as this node sees it; the local one first seen by itself."""
    _at(parts, now)
    members, settings = parts.members, parts.settings
    current = parts.proposals.views.current
    views = []
    for member in sorted(settings.members):
        if member.id == settings.id:
            views.append(
                InstanceView(
                    id=member.id, url=member.url, status=members.status, reasons=members.reasons,
                    uptime_ms=int(members.uptime_s() * 1000), heartbeat_age_ms=0, rtt_ms=0.0,
                    drift_ms=parts.timesync.current()[0], version=current[0] if current else None,
                    protocol=member.protocol, sees=dict(members.sees),
                    status_age_ms=int((now.mono - members.since) * 1000), refused_by=_refused_by(parts, member.id),
                )
            )  # fmt: skip
            continue
        peer = members.peers[member.id]
        uptime_s = peer.uptime_s(now.mono) if peer.alive else None
        reasons = peer.reasons
        if "config_mismatch" in reasons:
            reasons = tuple(
                f"config_mismatch: {_differing(members, member.id)}" if reason == "config_mismatch" else reason
                for reason in reasons
            )
        views.append(
            InstanceView(
                id=member.id, url=member.url, status=peer.status, reasons=reasons,
                uptime_ms=None if uptime_s is None else int(uptime_s * 1000),
                heartbeat_age_ms=None if peer.heard is None else int((now.mono - peer.heard) * 1000),
                rtt_ms=None if peer.rtt_s is None else round(peer.rtt_s * 1000, 3),
                drift_ms=peer.said.drift_ms if peer.said else None,
                version=peer.said.version if peer.said else None,
                protocol=member.protocol, sees=dict(peer.sees),
                status_age_ms=int((now.mono - peer.since) * 1000), refused_by=_refused_by(parts, member.id),
            )
        )  # fmt: skip
    return tuple(views)


def _refused_by(parts: Parts, name: str) -> tuple[str, ...]:
    """Members that find `name` refusing connections, this node among them, as they last said (H2)."""
    peers = parts.members.peers
    witnesses = [id_ for id_, peer in peers.items() if peer.alive and peer.said and name in peer.said.refused]
    if name in peers and peers[name].refused:
        witnesses.append(parts.settings.id)
    return tuple(sorted(witnesses))


def locks_of(parts: Parts, now: Now) -> tuple[LockView, ...]:
    """The locks as this node's control log has them, by resource."""
    _at(parts, now)
    service = parts.lock_service
    return tuple(
        LockView(
            resource=lock.resource, owner=lock.owner, instance=lock.instance, fencing_token=lock.token,
            ttl_ms=lock.ttl_ms, remaining_ms=service.remaining_ms(lock), waiters=service.waiters(lock.resource),
        )
        for _, lock in sorted(parts.control.state.locks.items())
    )  # fmt: skip


def drift_of(parts: Parts, now: Now) -> DriftView:
    """Time against the leader (T1)."""
    _at(parts, now)
    return parts.timesync.view()


def proposals_of(parts: Parts, now: Now, limit: int = 100) -> tuple[ProposalView, ...]:
    """The newest proposals, newest first."""
    _at(parts, now)
    return parts.proposals.views.newest(limit)


def named_proposals_of(parts: Parts, now: Now, name: str) -> tuple[ProposalView, ...]:
    """All proposals that carry this label, or the one with this key (P1)."""
    _at(parts, now)
    return parts.proposals.views.lookup(name)


def _differing(members: Membership, name: str) -> str:
    return "; ".join(map(entry_in_words, members.differing(name))) or "entries not yet known"


def conflicts_of(parts: Parts, now: Now) -> tuple[ConflictView, ...]:
    """Slots with two or more accepted contents (S1)."""
    _at(parts, now)
    return parts.proposals.views.conflicts()


def status_of(parts: Parts, now: Now) -> StatusView:
    """Everything at a glance."""
    quorum = quorum_of(parts, now)
    leader = leader_of(parts, now)
    members, fold, settings = parts.members, parts.fold, parts.settings
    current = parts.proposals.views.current
    conflicts = sum(1 for conflict in parts.proposals.views.conflicts() if conflict.open)
    floor = parts.recovery.floor
    floor_events = sum(floor.vector.values()) if floor else 0
    hindrance, known = parts.recovery.alarm(), tuple(alarms(parts))
    return StatusView(
        id=settings.id,
        cluster=settings.cluster,
        status=members.status,
        reasons=members.reasons,
        verdict=_verdict(parts, quorum, leader.id, conflicts),
        suspect=parts.timesync.suspect(),
        alarms=known if hindrance is None else (hindrance, *known),
        warnings=tuple(in_words(alarm, parts.members.own) for alarm in known),
        uptime_ms=int(members.uptime_s() * 1000),
        boot_id=parts.boot,
        journal_id=parts.journal_id,
        config_digest=members.digest,
        protocol=PROTOCOL,
        rule=settings.rule,
        strategy=settings.strategy,
        quorum=quorum,
        leader=leader,
        instances=instances_of(parts, now),
        current_version=current[0] if current else None,
        current_hash=current[1] if current else None,
        open_proposals=fold.open_count,
        open_conflicts=conflicts,
        locks=len(parts.control.state.locks),
        events=sum(parts.vector.values()),
        floor_events=floor_events,
        state_digest=fold.digest(),
        at=int(now.wall_ms),
    )


def _verdict(parts: Parts, quorum: QuorumView, leader: str | None, conflicts: int) -> str:
    """Is it safe now? One sentence, with the reason."""
    members = parts.members
    hindrance = parts.recovery.alarm()
    if hindrance is not None:
        return f"Not taking part: {in_words(hindrance, members.own)}."
    if not members.can_vote:
        return f"Not taking part: {no_writing(members)}."
    refusing = [alarm.instances[0] for alarm in alarms(parts) if alarm.code == "other_disk"]
    if len(members.voters) - len(refusing) < quorum.required:
        whose = "takes" if len(refusing) == 1 else "take"
        return f"Not taking part: {', '.join(refusing)} {whose} another disk to be {parts.settings.id}'s."
    down = sorted(name for name, peer in members.peers.items() if not peer.alive)
    weak = sorted(name for name, status in members.sees.items() if status == DEGRADED)
    lost = f"{', '.join(down)} {'is' if len(down) == 1 else 'are'} unreachable"
    other = [name for name in members.voters if name not in down and not members.same_digest(name)]
    if not quorum.sufficient and other:
        runs = "runs" if len(other) == 1 else "run"
        return f"No quorum: {', '.join(other)} {runs} another configuration, so votes do not count together."
    if not quorum.sufficient:
        return f"No quorum: {quorum.healthy} of {quorum.total} are healthy and {quorum.required} are needed; {lost}."
    if leader is None:
        return "Proposals work, locks wait: no leader is known here" + (f"; {lost}." if down else ".")
    if conflicts:
        return f"Working, with {conflicts} open conflict{'s' if conflicts > 1 else ''} that a person must resolve."
    if down:
        return f"Working, with less to spare: {lost}. {_spare(parts, quorum)}"
    if weak:
        reasons = [f"{name} ({', '.join(_reasons(parts, name))})" for name in weak]
        return f"Working; degraded: {', '.join(reasons)}. {_spare(parts, quorum)}"
    suspect = parts.timesync.suspect()
    if suspect is not None:
        return f"Working; the clock of {suspect} is suspect. {_spare(parts, quorum)}"
    return f"All well: {quorum.total} of {quorum.total} healthy, {leader} leads. {_spare(parts, quorum)}"


def _reasons(parts: Parts, name: str) -> tuple[str, ...]:
    return parts.members.reasons if name == parts.settings.id else parts.members.peers[name].reasons


def _spare(parts: Parts, quorum: QuorumView) -> str:
    """How many more may fail: for proposals by the rule, for locks by the strict majority of voters."""
    members = parts.members
    alive = sum(1 for name in members.voters if members.sees.get(name) in (HEALTHY, DEGRADED))
    locks = alive - strict_majority(len(members.voters))
    spare = quorum.healthy - quorum.required
    if min(spare, locks) < 0:
        return "Locks have no majority."
    if spare != locks:
        return f"May still fail: {locks} for locks, {spare} for proposals."
    return f"{spare} more may fail before writes stop." if spare else "Writes stop when one more fails."
