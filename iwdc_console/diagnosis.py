"""What is wrong with a cluster and what to do next: pure, from what its members said when they were asked.

`Evidence` is what was seen; `diagnose` reads it part by part and gives `Finding`s, worst first. A part that has nothing
to complain of says in one line what it looked at, so that the reader knows what need not be looked at again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Level = Literal["bad", "warn", "ok"]
LEVELS: tuple[Level, ...] = ("bad", "warn", "ok")
CLOCK_WARN_MS = 1_000.0
LOW_DISK_BYTES = 1024**3
LOW_DISK_SHARE = 0.05
MAX_NAMED = 5
"""Proposals that are named one by one."""
JUST_ELECTED_MS = 30_000
LEGACY = "1.6"
"""Members of this protocol know none of the questions: what the others see of them must do."""

OWN_FAULTS = {
    "disk_full": ("its disk is full", "Free space there; it comes back by itself within seconds."),
    "disk_fault": ("its disk does not take writes", "Look at the disk and the kernel's log of that host."),
    "slow_disk": ("its last commit took longer than a second", "Look at what else uses that disk (iostat, iotop)."),
    "loop_lag": ("it was late for its own timers", "Look at CPU and memory pressure there, or a paused machine."),
    "catching_up": ("it is fetching more than 1,000 events it lacks", "Wait; `events` there grows meanwhile."),
    "drift": ("its clock is off the leader's", "Look at NTP there: chronyc tracking, timedatectl."),
}
"""Reasons a member states of itself, in words, and what to do."""
PATHS = {
    "no_answer": "silent for the heartbeat time-out",
    "not_heard_yet": "never heard",
    "refused": "refusing connections",
    "missed_beats": "late with its beats",
    "one_way": "heard, but not confirming what is sent to it",
}
"""Reasons that one member gives for how it sees another."""


class Finding(NamedTuple):
    """One thing worth saying: how bad, about what, in a sentence, and what to do next."""

    level: Level
    about: str
    text: str
    do: str = ""


class Look(NamedTuple):
    """One member, asked: its `distributed/status`, or why there is none. `clock_ms`: its wall clock minus ours."""

    id: str
    url: str
    status: Mapping[str, Any] | None
    why: str = ""
    took_ms: float = 0.0
    clock_ms: float = 0.0


class LocalConfig(NamedTuple):
    """The configuration a node started here would read: its digest's parts by name, or what is wrong with it."""

    source: str
    entries: Mapping[str, str]
    problems: tuple[str, ...] = ()


class LocalDisk(NamedTuple):
    """A data directory on this machine."""

    path: str
    free_bytes: int
    total_bytes: int


class Evidence(NamedTuple):
    """All that was seen. `proposals` and `conflicts` are one member's answers, `config` and `disk` this machine's."""

    looks: Sequence[Look]
    proposals: Sequence[Mapping[str, Any]] = ()
    conflicts: Sequence[Mapping[str, Any]] = ()
    config: LocalConfig | None = None
    disk: LocalDisk | None = None

    @property
    def answering(self) -> dict[str, Mapping[str, Any]]:
        """The status of each member that answered."""
        return {look.id: look.status for look in self.looks if look.status is not None}


def diagnose(seen: Evidence) -> list[Finding]:
    """Everything found, the worst first, otherwise in the order in which one thing causes the next."""
    found: list[Finding] = []
    for about, part in PARTS.items():
        found += [Finding(level, about, text, do) for level, text, do in part(seen)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def verdict(found: Sequence[Finding]) -> str:
    """All of it in a sentence."""
    bad = sum(finding.level == "bad" for finding in found)
    warn = sum(finding.level == "warn" for finding in found)
    if not bad and not warn:
        return "Nothing needs you."
    parts = [f"{_count(bad, 'thing')} broken" if bad else "", f"{_count(warn, 'thing')} to look at" if warn else ""]
    return f"{' and '.join(part for part in parts if part)}; the first is what to do next.".capitalize()


Said = tuple[Level, str, str]


def _network(seen: Evidence) -> Iterator[Said]:
    answering = seen.answering
    for look in seen.looks:
        if look.status is None:
            who = f"{look.id} does not answer at {look.url}" if look.id != look.url else f"{look.url} does not answer"
            do = "Look at the host, and at the way there from here."
            if "refused" in look.why:
                do = "Its process is down: start it there (iwdc-distributed node run); its event log says why it ended."
            yield "bad", f"{who}: {look.why}", do
    if not answering:
        return
    old: dict[str, list[str]] = defaultdict(list)
    for observer, status in answering.items():
        for item in status["instances"]:
            if item["protocol"] == LEGACY and item["status"] == "unreachable":
                old[item["id"]].append(observer)
    for name, observers in sorted(old.items()):
        yield "bad", f"{name} (v1.6) does not answer {', '.join(observers)}", "Look at its process and its host."
    blind = 0
    for observer, status in answering.items():
        for item in status["instances"]:
            name, reasons = item["id"], [reason for reason in item["reasons"] if reason in PATHS]
            if name == observer or name not in answering or not reasons:
                continue
            blind += 1
            path = f"{name} {PATHS[reasons[0]]}"
            yield (
                "bad" if item["status"] == "unreachable" else "warn",
                f"{observer} finds {path}, although both answer here ({', '.join(reasons)})",
                f"Look at firewalls and routes between their hosts, both ways: from {observer} to {item['url']}, "
                f"and back to {_url(seen, observer)}.",
            )
    if not old and not blind and len(answering) == len(seen.looks):
        slowest = max(seen.looks, key=lambda look: look.took_ms)
        yield (
            "ok",
            f"all {len(seen.looks)} answer here, the slowest in {slowest.took_ms:.0f} ms, and hear each other",
            "",
        )


def _members(seen: Evidence) -> Iterator[Said]:
    well = 0
    for name, status in seen.answering.items():
        reasons = status["reasons"]
        well += not reasons
        if "recovering" in reasons or "listening" in reasons:
            waiting = "recovering" in reasons
            do = "If a disk is lost for good: iwdc-distributed node recover --help" if waiting else "Wait."
            yield "bad" if waiting else "warn", f"{name}: {status['verdict']}", do
        for reason in reasons:
            if reason in OWN_FAULTS and reason != "drift":
                text, do = OWN_FAULTS[reason]
                yield "bad" if reason in ("disk_full", "disk_fault") else "warn", f"{name}: {text} ({reason})", do
        for warning in status["warnings"]:
            if "takes another disk to be" in warning:
                yield "bad", f"{name}: {warning}", "See `An unknown journal` in docs/operations.md."
    if well and well == len(seen.looks):
        yield "ok", f"no member has a complaint of its own ({_count(well, 'disk')} taking writes)", ""


def _config(seen: Evidence) -> Iterator[Said]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, status in seen.answering.items():
        groups[status["configDigest"]].append(name)
    complained = False
    if len(groups) > 1:
        complained = True
        sides = " | ".join(", ".join(sorted(names)) for names in sorted(groups.values(), key=len, reverse=True))
        differing = {
            warning.partition(": ")[2]
            for status in seen.answering.values()
            for warning in status["warnings"]
            if "runs another configuration" in warning
        }
        yield (
            "bad",
            f"members run different configurations: {sides}" + "".join(f"; {each}" for each in sorted(differing)),
            "Make instances.json, cluster, rule and strategy equal everywhere, and restart one node after another.",
        )
    if seen.config is not None and seen.config.problems:
        complained = True
        for problem in seen.config.problems:
            yield "warn", f"a restart here would fail: {problem}", "Mend it before anything is restarted."
    elif seen.config is not None and len(groups) == 1:
        differing = set(_differing(seen.config.entries, next(iter(seen.answering.values()))))
        if differing:
            complained = True
            yield (
                "warn",
                f"{seen.config.source} is not what runs: {'; '.join(sorted(differing))}",
                "A running node takes changes up when it is started again: restart all, one after another.",
            )
    if groups and not complained:
        files = f", and {seen.config.source} says the same" if seen.config is not None else ""
        yield "ok", f"all who answer run the same configuration ({next(iter(groups))}){files}", ""


def _differing(here: Mapping[str, str], status: Mapping[str, Any]) -> Iterator[str]:
    runs = {"cluster": status["cluster"], "rule": status["rule"], "strategy": status["strategy"]}
    runs |= {f"instance {each['id']}": f"{each['url']} protocol {each['protocol']}" for each in status["instances"]}
    for key in here.keys() | runs.keys():
        if here.get(key) != runs.get(key):
            yield f"{key}: file {here.get(key, 'missing')}, running {runs.get(key, 'missing')}"


def _quorum(seen: Evidence) -> Iterator[Said]:
    answering = seen.answering
    lacking = sorted(name for name, status in answering.items() if not status["quorum"]["sufficient"])
    if lacking:
        status = answering[lacking[0]]
        quorum = status["quorum"]
        absent = [item["id"] for item in status["instances"] if item["status"] == "unreachable"]
        whole = "nobody" if len(lacking) == len(answering) else f"not {', '.join(lacking)}"
        missing = f"; missing: {', '.join(absent)}" if absent else ""
        yield (
            "bad",
            f"{whole} can decide: {_numbers(quorum)}{missing}",
            f"Bring back {' or '.join(absent) if absent else 'the others'}; one that is lost for good still counts: "
            "see `Add or remove a member` in docs/operations.md.",
        )
    elif answering:
        least = min(answering.values(), key=lambda status: status["quorum"]["healthy"] - status["quorum"]["required"])
        spare = least["quorum"]["healthy"] - least["quorum"]["required"]
        numbers = _numbers(least["quorum"])
        if spare:
            yield "ok", f"sufficient: {numbers}, {spare} more may fail", ""
        elif least["quorum"]["total"] > 1:
            yield (
                "warn",
                f"sufficient, with nothing to spare: {numbers}",
                "Bring back who is missing before the next one.",
            )
        else:
            yield "ok", f"sufficient: {numbers}", ""
    for warning in sorted(
        {each for status in answering.values() for each in status["warnings"] if "rule half" in each}
    ):
        yield "warn", warning, 'Choose `[quorum] rule = "majority"` or an odd number of members.'


def _leader(seen: Evidence) -> Iterator[Said]:
    views: dict[str | None, list[str]] = defaultdict(list)
    for name, status in seen.answering.items():
        views[status["leader"]["id"]].append(name)
    named = sorted(leader for leader in views if leader is not None)
    if len(named) > 1:
        told = "; ".join(f"{', '.join(sorted(views[leader]))} follow {leader}" for leader in named)
        yield (
            "bad",
            f"there is no one leader: {told}",
            "The network is split, or a change is under way: ask again in a moment.",
        )
    elif views and not named:
        status = next(iter(seen.answering.values()))
        voters = [each["id"] for each in status["leader"]["candidates"]]
        alive = [each["id"] for each in status["leader"]["candidates"] if each["status"] != "unreachable"]
        need = len(voters) // 2 + 1
        if len(alive) < need:
            absent = ", ".join(sorted(set(voters) - set(alive)))
            text = (
                f"no leader: {len(alive)} of {len(voters)} voters are there and {need} are needed (missing: {absent})"
            )
            yield "bad", f"{text}; locks wait", "Bring back a voter. v1.6 members do not vote."
        else:
            yield (
                "warn",
                "no leader yet, though enough voters are there; locks wait",
                "Wait for the heartbeat time-out.",
            )
    elif named:
        leader = named[0]
        strays = sorted(views.get(None, ()))
        if strays:
            yield "warn", f"{', '.join(strays)} know no leader, the others follow {leader}", "See the network above."
        status = seen.answering[views[leader][0]]
        elected = status["leader"]["electedAt"]
        young = elected is not None and status["at"] - elected < JUST_ELECTED_MS
        yield "ok", f"{leader} leads in term {status['leader']['term']}{', elected just now' if young else ''}", ""


def _clocks(seen: Evidence) -> Iterator[Said]:
    complained = False
    suspects = {status["suspect"] for status in seen.answering.values() if status["suspect"]}
    for name in sorted(suspects):
        complained = True
        yield (
            "warn",
            f"the clock of {name} is suspect",
            "Look at NTP there (chronyc tracking); see `iwdc-distributed drift`.",
        )
    for look in seen.looks:
        status = look.status
        if status is None:
            continue
        if "drift" in status["reasons"] and look.id not in suspects:
            complained = True
            text, do = OWN_FAULTS["drift"]
            yield "warn", f"{look.id}: {text}", do
    apart = [
        look for look in seen.looks if look.status is not None and abs(look.clock_ms) > CLOCK_WARN_MS + look.took_ms
    ]
    if apart and len(apart) == len(seen.answering):
        complained = True
        yield "warn", f"the clock here is {-apart[0].clock_ms / 1000:+.1f} s off all members'", "Look at NTP here."
    if seen.answering and not complained:
        yield "ok", "clocks agree within a second", ""


def _disk(seen: Evidence) -> Iterator[Said]:
    disk = seen.disk
    if disk is None:
        return
    share = disk.free_bytes / max(1, disk.total_bytes)
    free = f"{disk.free_bytes / 1024**3:.1f} GiB ({share:.0%}) free for {disk.path}"
    if disk.free_bytes < LOW_DISK_BYTES or share < LOW_DISK_SHARE:
        yield "warn", free, "Free space before the node cannot write: it then counts as unreachable."
    else:
        yield "ok", free, ""


def _proposals(seen: Evidence) -> Iterator[Said]:
    open_ = [each for each in seen.proposals if each["state"] in ("pending", "expired")]
    for each in open_[:MAX_NAMED]:
        absent = sorted(set(each["voters"]) - set(each["votes"]))
        late = each["state"] == "expired"
        waits = f"waits for the vote of {', '.join(absent)}" if absent else "waits for its base or its content"
        yield (
            "bad" if late else "warn",
            f"{each['id']} {'is past its deadline and ' if late else ''}{waits}",
            f"Start {' and '.join(absent)}." if absent else f"See: iwdc-distributed proposals {each['id']}",
        )
    if len(open_) > MAX_NAMED:
        yield "warn", f"{len(open_) - MAX_NAMED} more proposals are open", "See: iwdc-distributed proposals"
    if seen.answering and not open_:
        yield "ok", "no proposal is open", ""


def _conflicts(seen: Evidence) -> Iterator[Said]:
    for each in seen.conflicts:
        if each["open"]:
            do = f"Decide: iwdc-distributed conflicts resolve '{each['slot']}' KEY; the keys are in `conflicts`."
            yield "bad", f"two accepted contents for {each['slot']}; the version stays until a person decides", do


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
}
"""The parts, in the order in which one thing causes the next."""


def _numbers(quorum: Mapping[str, Any]) -> str:
    return f"{quorum['healthy']} of {quorum['total']} healthy, {quorum['required']} needed"


def _url(seen: Evidence, name: str) -> str:
    return next((look.url for look in seen.looks if look.id == name), name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
