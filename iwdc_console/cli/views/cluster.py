"""Who is there, who leads, whether it is safe: status, quorum, instances, leader, drift."""

from collections.abc import Iterable, Sequence
from typing import Any

from iwdc_console.cli.table import Cell, Column
from iwdc_console.cli.text import duration
from iwdc_console.cli.views.screen import Screen, count, milliseconds, short_hash

Row = Sequence[object]


def quorum_table(data: dict[str, Any], screen: Screen) -> str:
    """The seed's four numbers as a sentence and as numbers."""
    enough = data["sufficient"]
    shape, word = screen.shape("healthy" if enough else "unreachable"), "sufficient" if enough else "insufficient"
    spare = data["healthy"] - data["required"]
    more = f"may lose {spare}" if spare >= 0 else f"{count(-spare, 'more instance')} needed"
    said = screen.note(f"{shape} Quorum {word}: {_quorum_numbers(data)}, {more}")
    return said.replace(word, screen.paint(word, "good" if enough else "bad"), 1)


def _quorum_numbers(quorum: dict[str, Any]) -> str:
    return f"{quorum['healthy']} of {quorum['total']} healthy, {quorum['required']} needed"


def quorum_rows(data: dict[str, Any]) -> Iterable[Row]:
    """total, healthy, required, sufficient."""
    return _pairs(data, ("total", "healthy", "required", "sufficient"))


def _pairs(data: dict[str, Any], names: Iterable[str]) -> Iterable[Row]:
    return [(name, _word(data.get(name))) for name in names]


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


_INSTANCES = (
    Column("  instance", least=14),
    Column("status", least=8),
    Column("beat", ">", least=6),
    Column("round trip", ">", drop=2, least=8),
    Column("uptime", ">", drop=3, least=8),
    Column("drift", ">", drop=1, least=8),
    Column("version", least=7),
    Column("protocol", drop=4, least=8),
    Column("url", drop=5, least=16),
)


def instances_table(data: Sequence[dict[str, Any]], screen: Screen, leader: str | None = None) -> str:
    """One line per member as the asked node sees it, reasons below."""
    rows: list[list[Cell]] = []
    for item in data:
        shape = screen.shape("leader" if leader is not None and item["id"] == leader else item["status"])
        rows.append(
            [
                f"{shape} {item['id']}",
                screen.word(item["status"]),
                duration(item.get("heartbeatAgeMs")),
                milliseconds(item.get("rttMs")),
                duration(item.get("uptimeMs")),
                milliseconds(item.get("driftMs"), signed=True),
                item.get("version") or "-",
                item.get("protocol") or "-",
                item["url"],
            ]
        )
    lines = screen.table(_INSTANCES, rows).split("\n")
    out = [lines[0]]
    for item, line in zip(data, lines[1:], strict=True):
        out.append(line)
        if item.get("reasons"):
            out.append(screen.note(", ".join(item["reasons"]), indent=4, tone="dim"))
    return "\n".join(out)


def instances_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """id, status, heartbeat age ms, round trip ms, uptime ms, drift ms, version, protocol, url, reasons."""
    names = ("id", "status", "heartbeatAgeMs", "rttMs", "uptimeMs", "driftMs", "version", "protocol", "url")
    return [[*(item.get(name) for name in names), ",".join(item.get("reasons", ()))] for item in data]


def leader_table(data: dict[str, Any], screen: Screen) -> str:
    """Who leads, and who would next."""
    if data["id"] is None:
        head = screen.note(f"{screen.shape('unreachable')} No leader (term {data['term']}). Locks wait for one.")
    else:
        since = f", elected {screen.age(data['electedAt'])}" if data.get("electedAt") else ""
        head = screen.note(f"{screen.shape('leader')} {data['id']} leads in term {data['term']}{since}")
        if data.get("leaseRemainingMs"):
            head += "\n" + screen.note(f"Its lease runs {duration(data['leaseRemainingMs'])} more.", indent=2)
    candidates = data.get("candidates") or ()
    if not candidates:
        return head
    columns = (Column("rank", ">"), Column("candidate", least=12), Column("status"), Column("uptime", ">"))
    rows: list[list[Cell]] = [
        [str(rank), item["id"], screen.word(item["status"]), duration(item.get("uptimeMs"))]
        for rank, item in enumerate(candidates, 1)
    ]
    return f"{head}\n\n{screen.table(columns, rows)}"


def leader_rows(data: dict[str, Any]) -> Iterable[Row]:
    """id, term, electedAt, leaseRemainingMs."""
    return _pairs(data, ("id", "term", "electedAt", "leaseRemainingMs"))


def drift_table(data: dict[str, Any], screen: Screen) -> str:
    """The asked node's clock against the leader's, and what the others report of theirs."""
    if data.get("reference") is None:
        head = screen.note(f"{data['instance']}: not measured yet (no leader to measure against).")
    elif data.get("offsetMs") is None:
        head = screen.note(f"{data['instance']}: not measured yet against {data['reference']}.")
    else:
        bound = f" ± {data['errorMs']:.1f} ms" if data.get("errorMs") is not None else ""
        rate = f", {data['ratePpm']:+.1f} ppm" if data.get("ratePpm") is not None else ""
        when = f", measured {duration(data['ageMs'])} ago" if data.get("ageMs") is not None else ""
        head = screen.note(
            f"{data['instance']} is {milliseconds(data['offsetMs'], signed=True)}{bound} against "
            f"{data['reference']}{rate}{when}"
        )
    parts = [head]
    if data.get("suspect"):
        parts.append(screen.note(f"{data['suspect']} is the suspect: the others agree with one another.", tone="warn"))
    peers = data.get("peers") or {}
    if peers:
        rows: list[list[Cell]] = [[name, milliseconds(value, signed=True)] for name, value in sorted(peers.items())]
        parts.append("\n" + screen.table((Column("instance", least=12), Column("against the leader", ">")), rows))
    return "\n".join(parts)


def drift_rows(data: dict[str, Any]) -> Iterable[Row]:
    """instance, reference, offsetMs, errorMs, ratePpm, ageMs, suspect; then one `peer` line per instance."""
    names = ("instance", "reference", "offsetMs", "errorMs", "ratePpm", "ageMs", "suspect")
    return [*_pairs(data, names), *(("peer", name, value) for name, value in sorted(data.get("peers", {}).items()))]


def status_table(data: dict[str, Any], screen: Screen) -> str:
    """Is it safe now, and why; then who is there and what stands open."""
    leader = data["leader"]
    quorum = data["quorum"]
    parts = [screen.note(f"{screen.shape(_whole(data))} {data['verdict']}", tone="strong")]
    parts += [screen.note(f"! {warning}", tone="warn") for warning in data.get("warnings", ())]
    parts += ["", instances_table(data["instances"], screen, leader["id"]), ""]
    leads = f"{screen.shape('leader')} {leader['id']}, term {leader['term']}" if leader["id"] else "none"
    enough = "sufficient" if quorum["sufficient"] else "insufficient"
    version = data.get("currentVersion") or "none yet"
    digest = f" ({short_hash(data['currentHash'])})" if data.get("currentHash") else ""
    open_parts = (
        count(data["openProposals"], "open proposal"),
        count(data["openConflicts"], "open conflict"),
        count(data["locks"], "lock"),
        count(data["events"], "event"),
    )
    pairs = [
        ("cluster", f"{data['cluster']}, rule {data['rule']}, {data['strategy']}"),
        ("quorum", f"{enough}: {_quorum_numbers(quorum)}"),
        ("leader", leads),
        ("version", version + digest),
        ("work", ", ".join(open_parts)),
    ]
    if data.get("reasons"):
        pairs.append((str(data["id"]), f"{data['status']}: {', '.join(data['reasons'])}"))
    parts.append(screen.fields(pairs))
    return "\n".join(parts)


def _whole(data: dict[str, Any]) -> str:
    """The cluster's own status: what the shape before the verdict says."""
    if not data["quorum"]["sufficient"] or data["leader"]["id"] is None:
        return "unreachable"
    well = all(item["status"] == "healthy" for item in data["instances"]) and not data["openConflicts"]
    return "healthy" if well else "degraded"


_STATUS = ("id", "cluster", "status", "verdict", "uptimeMs", "rule", "strategy", "currentVersion", "currentHash")
_STATUS_COUNTS = ("openProposals", "openConflicts", "locks", "events", "stateDigest")


def status_rows(data: dict[str, Any]) -> Iterable[Row]:
    """Name and value; nested ones with a dotted name."""
    nested = [(f"quorum.{name}", value) for name, value in quorum_rows(data["quorum"])]
    nested += [("leader.id", data["leader"]["id"]), ("leader.term", data["leader"]["term"])]
    instances = [(f"instance.{item['id']}", item["status"]) for item in data["instances"]]
    return [*_pairs(data, _STATUS), *nested, *_pairs(data, _STATUS_COUNTS), *instances]
