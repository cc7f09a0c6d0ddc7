"""What is wrong with a cluster and what to do next: pure, from what its members said when they were asked.

`diagnose` reads the evidence part by part and gives `Finding`s, worst first. A part that has nothing
to complain of says in one line what it looked at, so that the reader knows what need not be looked at again.

What is found is a code with its figures; `findings` says it in the reader's language.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from iwdc_console.evidence import LEGACY, Evidence

Level = Literal["bad", "warn", "ok"]
LEVELS: tuple[Level, ...] = ("bad", "warn", "ok")
CLOCK_WARN_MS = 1_000.0
LOW_DISK_BYTES = 1024**3
LOW_DISK_SHARE = 0.05
MAX_NAMED = 5
"""Proposals that are named one by one."""
SLOW_LINK_MS = 100.0
LEASE_SHARE = 0.5
"""A round trip of more than this part of the leader's lease leaves no time to renew it when an answer is lost."""
PAIR = 2
"""Voters of whom one alone can decide under the rule half."""
JUST_ELECTED_MS = 30_000

OWN_FAULTS = ("disk_full", "disk_fault", "slow_disk", "loop_lag", "catching_up")
"""Reasons a member states of itself and something can be done about, besides its clock."""
BROKEN_DISK = ("disk_full", "disk_fault")
BUILDER = "builder_keeps"
"""Why a builder's working data are not the current version: as it should be."""
PATHS = ("no_answer", "not_heard_yet", "refused", "missed_beats", "one_way")
"""Reasons that one member gives for how it sees another."""


class Phrase(NamedTuple):
    """Something to say: the text `finding.<code>`, and what stands in it, which may be phrases themselves."""

    code: str
    figures: "Mapping[str, Figure]" = MappingProxyType({})


Figure = str | int | float | Phrase | Sequence[str] | Sequence[Phrase]


class Finding(NamedTuple):
    """One thing worth saying: how bad, about what, what it is, and what to do next."""

    level: Level
    about: str
    what: Phrase
    do: Phrase | None = None


def diagnose(seen: Evidence) -> list[Finding]:
    """Everything found, the worst first, otherwise in the order in which one thing causes the next."""
    found = [Finding(said.level, about, said.what, said.do) for about, part in PARTS.items() for said in part(seen)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


class Said(NamedTuple):
    """What a part says."""

    level: Level
    what: Phrase
    do: Phrase | None = None


def _said(level: Level, code: str, do: str | Phrase | None = None, /, **figures: Figure) -> Said:
    """`do` is a phrase, or the code of one that needs nothing more to be known."""
    return Said(level, Phrase(code, figures), Phrase(f"do.{do}") if isinstance(do, str) else do)


def _network(seen: Evidence) -> Iterator[Said]:
    answering = seen.answering
    for look in seen.looks:
        if look.status is None:
            do = "start" if "refused" in look.why else "look_at_host"
            if look.id != look.url:
                yield _said("bad", "silent", do, id=look.id, url=look.url, why=look.why)
            else:
                yield _said("bad", "silent_url", do, url=look.url, why=look.why)
    if not answering:
        return
    old: dict[str, list[str]] = defaultdict(list)
    for observer, status in answering.items():
        for item in status["instances"]:
            if item["protocol"] == LEGACY and item["status"] == "unreachable":
                old[item["id"]].append(observer)
    for name, observers in sorted(old.items()):
        yield _said("bad", "legacy_silent", "look_at_process", id=name, observers=observers)
    blind = list(_blind(seen))
    yield from blind
    yield from _slow_link(answering)
    if not old and not blind and len(answering) == len(seen.looks):
        slowest_ms = max(look.took_ms for look in seen.looks)
        yield _said("ok", "all_answer", total=len(seen.looks), slowest_ms=round(slowest_ms))


def _blind(seen: Evidence) -> Iterator[Said]:
    """Who does not hear whom though both answer here: of a split, what each side finds of the other is said once."""
    answering = seen.answering
    unheard: dict[tuple[str, Level, tuple[str, ...]], list[str]] = defaultdict(list)
    for observer, status in answering.items():
        for item in status["instances"]:
            name, reasons = item["id"], tuple(reason for reason in item["reasons"] if reason in PATHS)
            if name != observer and name in answering and reasons:
                level: Level = "bad" if item["status"] == "unreachable" else "warn"
                unheard[observer, level, reasons].append(name)
    alike: dict[tuple[Level, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (observer, level, reasons), names in unheard.items():
        alike[level, reasons, tuple(sorted(names))].append(observer)
    for (level, reasons, others), observers in alike.items():
        how = Phrase(f"path.{reasons[0]}")
        if len(observers) == len(others) == 1:
            one, other = observers[0], others[0]
            do = Phrase("do.route", {"observer": one, "url": _url(seen, other), "back": _url(seen, one)})
            yield _said(level, "blind", do, observer=one, id=other, how=how, reasons=reasons)
        else:
            code = "blind_to_one" if len(others) == 1 else "blind_to_many"
            do = Phrase("do.routes", {"observers": observers, "ids": others})
            yield _said(level, code, do, observers=observers, ids=others, how=how, reasons=reasons)


def _slow_link(answering: Mapping[str, Mapping[str, Any]]) -> Iterator[Said]:
    """The slowest, where votes and locks wait for it noticeably; a fault where a lease may run out meanwhile."""
    links = [
        (item["rttMs"], observer, item["id"])
        for observer, status in answering.items()
        for item in status["instances"]
        if item["rttMs"] is not None and item["status"] != "unreachable"
    ]
    rtt_ms, observer, name = max(links, default=(0.0, "", ""))
    if rtt_ms < SLOW_LINK_MS:
        return
    lease_ms = answering[observer]["leader"]["leaseMs"]
    figures: dict[str, Figure] = {"observer": observer, "id": name, "rtt_ms": round(rtt_ms)}
    if rtt_ms > lease_ms * LEASE_SHARE:
        do = Phrase("do.slow_link", {"observer": observer, "id": name})
        yield _said("warn", "slow_link_lease", do, lease_s=lease_ms / 1000, **figures)
    else:
        yield _said("ok", "slow_link", **figures)


def _members(seen: Evidence) -> Iterator[Said]:
    well = 0
    for name, status in seen.answering.items():
        well += not status["reasons"]
        for alarm in _alarms(status):
            match alarm["code"]:
                case "listening":
                    yield _said("warn", "listening", "wait", id=name, others=alarm["instances"])
                case "recovering":
                    do = Phrase("do.recover", {"url": _url(seen, name)})
                    yield _said("bad", "recovering", do, id=name)
                case "recovering_needs":
                    others = alarm["instances"]
                    do = _going_on("do.recover_without", others if len(others) == 1 else ["ID"], seen, name)
                    yield _said("bad", "recovering_needs", do, id=name, others=others)
                case "recovering_alike":
                    do = _going_on("do.recover_alike", alarm["instances"], seen, name)
                    yield _said("bad", "recovering_alike", do, id=name, others=alarm["instances"])
                case "other_disk":
                    yield _said("bad", "other_disk", "unknown_journal", id=name, other=alarm["instances"][0])
        for reason in status["reasons"]:
            if reason in OWN_FAULTS:
                level: Level = "bad" if reason in BROKEN_DISK else "warn"
                yield _said(level, "own_fault", reason, id=name, what=Phrase(f"fault.{reason}"), reason=reason)
    if well and well == len(seen.looks):
        yield _said("ok", "members_well", count=well)


def _config(seen: Evidence) -> Iterator[Said]:
    groups = _configured(seen.answering)
    complained = False
    if len(groups) > 1:
        complained = True
        sides = " | ".join(", ".join(sorted(names)) for names in sorted(groups.values(), key=len, reverse=True))
        odd = _odd(seen.answering)
        told = {
            name: {
                (entry["key"], entry["here"], entry["there"]) for alarm in _alarms(status) for entry in alarm["entries"]
            }
            for name, status in seen.answering.items()
        }
        most = set[tuple[str, str, str]]().union(*(entries for name, entries in told.items() if name not in odd))
        differing = most or set().union(*told.values())
        if differing:
            entries = [_entry("entry", *each) for each in sorted(differing, key=str)]
            yield _said("bad", "configs_differ_in", "same_config", sides=sides, entries=entries)
        else:
            yield _said("bad", "configs_differ", "same_config", sides=sides)
    if seen.config is not None and seen.config.problems:
        complained = True
        for problem in seen.config.problems:
            yield _said("warn", "restart_fails", "mend_first", problem=problem)
    elif seen.config is not None and len(groups) == 1:
        unlike = _differing(seen.config.entries, next(iter(seen.answering.values())))
        if unlike:
            complained = True
            yield _said("warn", "not_what_runs", "restart_all", file=seen.config.source, entries=unlike)
    if groups and not complained:
        digest = next(iter(groups))
        if seen.config is None:
            yield _said("ok", "same_config", digest=digest)
        else:
            yield _said("ok", "same_config_here", digest=digest, file=seen.config.source)


def _differing(here: Mapping[str, str], status: Mapping[str, Any]) -> list[Phrase]:
    runs = {"cluster": status["cluster"], "rule": status["rule"], "strategy": status["strategy"]}
    runs |= {f"instance {each['id']}": f"{each['url']} protocol {each['protocol']}" for each in status["instances"]}
    keys = sorted(here.keys() | runs.keys())
    return [_entry("file_entry", key, here.get(key), runs.get(key)) for key in keys if here.get(key) != runs.get(key)]


def _entry(code: str, key: str, here: str | None, there: str | None) -> Phrase:
    """An entry of the configuration that is not the same in two places; None where one of them does not have it."""
    missing = Phrase("missing")
    return Phrase(code, {"key": key, "here": here or missing, "there": there or missing})


def _quorum(seen: Evidence) -> Iterator[Said]:
    answering = seen.answering
    odd = _odd(answering)
    lacking = sorted(
        name for name, status in answering.items() if not status["quorum"]["sufficient"] and name not in odd
    )
    if lacking:
        status = answering[lacking[0]]
        absent = [item["id"] for item in status["instances"] if item["status"] == "unreachable"]
        figures = _numbers(status["quorum"])
        who = Phrase("nobody") if len(lacking) == len(answering) else Phrase("not_these", {"names": lacking})
        if absent:
            back = Phrase("do.bring_back", {"names": _joined("or", absent)})
            yield _said("bad", "no_quorum_without", back, who=who, absent=absent, **figures)
        else:
            yield _said("bad", "no_quorum", "bring_others_back", who=who, **figures)
    elif answering:
        least = min(answering.values(), key=lambda status: status["quorum"]["healthy"] - status["quorum"]["required"])
        spare = least["quorum"]["healthy"] - least["quorum"]["required"]
        figures = _numbers(least["quorum"])
        if spare:
            yield _said("ok", "quorum_spare", count=spare, **figures)
        elif least["quorum"]["total"] > 1:
            yield _said("warn", "quorum_scarce", "before_next", **figures)
        else:
            yield _said("ok", "quorum", **figures)
    even = {
        alarm["voters"] for status in answering.values() for alarm in _alarms(status) if alarm["code"] == "even_split"
    }
    for voters in sorted(even):
        yield _said("warn", "even_pair" if voters == PAIR else "even_split", "majority", voters=voters)


def _leader(seen: Evidence) -> Iterator[Said]:
    views: dict[str | None, list[str]] = defaultdict(list)
    for name, status in seen.answering.items():
        views[status["leader"]["id"]].append(name)
    named = sorted(leader for leader in views if leader is not None)
    if len(named) > 1:
        sides = [Phrase("follows", {"names": sorted(views[leader]), "leader": leader}) for leader in named]
        yield _said("bad", "leaders", "split", sides=sides)
    elif views and not named:
        candidates = next(iter(seen.answering.values()))["leader"]["candidates"]
        absent = sorted(each["id"] for each in candidates if each["status"] == "unreachable")
        alive, need = len(candidates) - len(absent), len(candidates) // 2 + 1
        if alive < need:
            members = [each for status in seen.answering.values() for each in status["instances"]]
            do = "bring_voter_not_legacy" if any(each["protocol"] == LEGACY for each in members) else "bring_voter"
            yield _said("bad", "no_leader", do, alive=alive, voters=len(candidates), need=need, absent=absent)
        else:
            yield _said("warn", "no_leader_yet", "wait_for_timeout")
    elif named:
        leader = named[0]
        strays = sorted(set(views.get(None, ())) - _odd(seen.answering))
        if strays:
            yield _said("warn", "strays", "network", names=strays, leader=leader)
        followers = [seen.answering[name] for name in views[leader]]
        followed_ms = [each["at"] - each["leader"]["electedAt"] for each in followers if each["leader"]["electedAt"]]
        young = bool(followed_ms) and max(followed_ms) < JUST_ELECTED_MS  # who was away has just found it
        yield _said("ok", "leads_new" if young else "leads", leader=leader, term=followers[0]["leader"]["term"])


def _clocks(seen: Evidence) -> Iterator[Said]:
    complained = False
    suspects = {status["suspect"] for status in seen.answering.values() if status["suspect"]}
    for name in sorted(suspects):
        complained = True
        yield _said("warn", "suspect", "ntp_there", id=name)
    for look in seen.looks:
        if look.status is not None and "drift" in look.status["reasons"] and look.id not in suspects:
            complained = True
            yield _said("warn", "drifts", "ntp_of_host", id=look.id)
    apart = [
        look for look in seen.looks if look.status is not None and abs(look.clock_ms) > CLOCK_WARN_MS + look.took_ms
    ]
    if apart and len(apart) == len(seen.answering):
        complained = True
        yield _said("warn", "clock_here", "ntp_here", offset_s=-apart[0].clock_ms / 1000)
    if seen.answering and not complained:
        yield _said("ok", "clocks_agree")


def _disk(seen: Evidence) -> Iterator[Said]:
    disk = seen.disk
    if disk is None:
        return
    share = disk.free_bytes / max(1, disk.total_bytes)
    low = disk.free_bytes < LOW_DISK_BYTES or share < LOW_DISK_SHARE
    yield _said(
        "warn" if low else "ok", "disk", "free_space" if low else None,
        free_gib=disk.free_bytes / 1024**3, percent=round(share * 100), path=disk.path,
    )  # fmt: skip


def _proposals(seen: Evidence) -> Iterator[Said]:
    open_ = [each for each in seen.proposals if each["state"] in ("pending", "expired")]
    for each in open_[:MAX_NAMED]:
        absent = sorted(set(each["voters"]) - set(each["votes"]))
        late = each["state"] == "expired"
        see = Phrase("do.see_proposal", {"id": each["id"]})
        yield _said(
            "bad" if late else "warn",
            "overdue" if late else "open",
            Phrase("do.start_voters", {"names": _joined("and", absent)}) if absent else see,
            id=each["id"], waits=Phrase("waits_votes", {"names": absent}) if absent else Phrase("waits_content"),
        )  # fmt: skip
    if len(open_) > MAX_NAMED:
        yield _said("warn", "more_open", "see_proposals", count=len(open_) - MAX_NAMED)
    if seen.answering and not open_:
        yield _said("ok", "none_open")


def _conflicts(seen: Evidence) -> Iterator[Said]:
    for each in seen.conflicts:
        if each["open"]:
            yield _said("bad", "conflict", Phrase("do.decide", {"slot": each["slot"]}), slot=each["slot"])


def _content(seen: Evidence) -> Iterator[Said]:
    """Who has not the bytes of the current version, or not in place."""
    current = next((each for each in seen.versions if each["state"] == "current"), None)
    if current is None:
        return
    version, sound = current["version"], True
    for name, at in sorted(current["instances"].items()):
        figures: dict[str, Figure] = {"id": name, "version": version}
        pull = Phrase("do.pull", {"version": version, "url": _url(seen, name)})
        match at:
            case {"state": "waiting" | "bad", "problem": str(problem)}:
                free = "free_for_content" if at.get("reason") == "no_space" else None
                yield _said("bad", "content_stuck", free, why_not=problem, **figures)
            case {"state": "has", "problem": str(problem), "reason": reason} if reason != BUILDER:
                yield _said("bad", "content_not_applied", pull, why_not=problem, **figures)
            case {"state": "missing" | "other" | "unlisted"}:
                yield _said("warn", "content_missing", pull, **figures)
            case {"state": "fetching"}:
                yield _said("ok", "content_fetching", percent=at.get("percent", 0), **figures)
            case _:
                continue
        sound = False
    if sound:
        yield _said("ok", "content_here", version=version)


PARTS = {
    "network": _network,
    "members": _members,
    "config": _config,
    "quorum": _quorum,
    "leader": _leader,
    "clocks": _clocks,
    "disk": _disk,
    "proposals": _proposals,
    "conflicts": _conflicts,
    "content": _content,
}
"""The parts, in the order in which one thing causes the next."""


def _configured(answering: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Who runs which configuration, by its digest."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, status in answering.items():
        groups[status["configDigest"]].append(name)
    return groups


def _odd(answering: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Who runs another configuration than most do, and so decides nothing and follows nobody: that is said once."""
    groups = _configured(answering)
    most = next((names for names in groups.values() if len(names) > len(answering) / 2), list(answering))
    return answering.keys() - set(most)


def _alarms(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a member says an operator should know; one of an earlier version says it in words alone."""
    found: Sequence[Mapping[str, Any]] = status.get("alarms", ())
    return found


def _going_on(code: str, lost: Sequence[str], seen: Evidence, name: str) -> Phrase:
    """What lets the recovering `name` go on; where several may be lost or late, a person must say who is lost."""
    return Phrase(code, {"without": " ".join(f"--without {each}" for each in lost), "url": _url(seen, name)})


def _numbers(quorum: Mapping[str, Any]) -> dict[str, Figure]:
    return {key: quorum[key] for key in ("healthy", "total", "required")}


def _joined(word: str, names: Sequence[str]) -> Figure:
    """`A or B or C`."""
    if len(names) == 1:
        return names[0]
    return Phrase(word, {"first": names[0], "rest": _joined(word, names[1:])})


def _url(seen: Evidence, name: str) -> str:
    return next((look.url for look in seen.looks if look.id == name), name)
