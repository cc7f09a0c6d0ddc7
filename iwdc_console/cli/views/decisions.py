"""What the cluster decides: proposals and their votes, conflicts, locks."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from iwdc_console.cli.table import Cell, Column
from iwdc_console.cli.text import duration
from iwdc_console.cli.views.screen import Screen, count, short_hash

Row = Sequence[object]


def subject(proposal: dict[str, Any]) -> str:
    """`snapshot 1.2.0`, `diff 1.1.0 -> 1.2.0`."""
    if proposal.get("from") is not None:
        return f"{proposal['kind']} {proposal['from']} -> {proposal.get('to')}"
    return f"{proposal['kind']} {proposal.get('version')}"


def standing(proposal: dict[str, Any]) -> str:
    """The state in words: an accepted proposal may have lost its conflict."""
    return "accepted, lost its conflict" if proposal.get("settled") is False else str(proposal["state"])


def _tally(proposal: dict[str, Any]) -> str:
    accepts = sum(vote["vote"] == "accept" for vote in proposal["votes"].values())
    return f"{accepts}/{proposal.get('required', '?')}"


_PROPOSALS = (
    Column("proposal", least=16),
    Column("state", least=8),
    Column("votes", ">", least=5),
    Column("proposer", drop=3, least=10),
    Column("hash", drop=2, least=8),
    Column("when", drop=1, least=8),
    Column("id", drop=4, least=30),
)


def proposals_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Newest last as the node gives them; votes as accepts of those required."""
    if not data:
        return "No proposals yet."
    rows: list[list[Cell]] = []
    for item in data:
        word = screen.word(item["state"])._replace(text=standing(item))
        rows.append(
            [
                subject(item),
                word,
                _tally(item),
                item["proposer"],
                short_hash(item["hash"]),
                screen.age(item.get("createdAt")),
                item["id"],
            ]
        )
    return screen.table(_PROPOSALS, rows)


def proposals_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """id, kind, version, from, to, hash, proposer, state, reason, settled."""
    names = ("id", "kind", "version", "from", "to", "hash", "proposer", "state", "reason", "settled")
    return [[_flag(item.get(name)) for name in names] for item in data]


def _flag(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def proposal_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Everything about the proposals that carry one id."""
    return "\n\n".join(_one_proposal(item, screen) for item in data)


def _one_proposal(item: dict[str, Any], screen: Screen) -> str:
    reason = f": {item['reason']}" if item.get("reason") else ""
    decided = f", {screen.age(item['decidedAt'])}" if item.get("decidedAt") else ""
    pairs = [
        ("proposal", item["id"]),
        ("content", f"{subject(item)}, hash {item['hash']}"),
        ("state", f"{standing(item)}{reason}{decided}"),
        ("proposed", f"by {item['proposer']}, {screen.age(item.get('createdAt'))}"),
        ("needed", f"{count(item.get('required', 0), 'accept vote')}, round {item.get('round', 0)}"),
        ("trace", item.get("traceId", "-")),
    ]
    return f"{screen.fields(pairs)}\n\n{votes_table(item, screen)}"


def votes_table(item: dict[str, Any], screen: Screen) -> str:
    """One line per voter, those that have not voted as well."""
    voters = sorted({*item.get("voters", ()), *item["votes"]})
    rows: list[list[Cell]] = []
    for voter in voters:
        vote = item["votes"].get(voter)
        if vote is None:
            rows.append([voter, "no vote yet" if item["state"] == "pending" else "no vote", "", ""])
        else:
            rows.append([voter, screen.word(vote["vote"]), vote.get("reason") or "", screen.age(vote.get("at"))])
    columns = (Column("instance", least=12), Column("vote", least=8), Column("reason", least=12), Column("when"))
    return screen.table(columns, rows)


def proposal_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """A proposal's line as in the list, then `vote`, instance, vote, reason, at."""
    rows: list[Row] = []
    for item in data:
        rows += proposals_rows([item])
        rows += [
            ("vote", voter, vote["vote"], vote.get("reason"), vote.get("at"))
            for voter, vote in sorted(item["votes"].items())
        ]
    return rows


def conflicts_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Each slot with two accepted contents: who won and why, or what to do."""
    if not data:
        return "No conflicts."
    parts = []
    for item in data:
        head = "open" if item["open"] else "settled"
        word = screen.paint(head, "warn" if item["open"] else "good")
        lines = [f"{screen.note(item['slot'])}  {word}", screen.note(f"{item['strategy']}: {item['why']}", indent=2)]
        rows: list[list[Cell]] = [
            [
                screen.shape("healthy") if candidate["key"] == item["winner"] else screen.shape("unreachable"),
                subject(candidate),
                short_hash(candidate["hash"]),
                candidate["proposer"],
                candidate["key"],
            ]
            for candidate in item["candidates"]
        ]
        columns = (
            Column("", least=1),
            Column("content", least=14),
            Column("hash", least=8),
            Column("proposer", drop=1, least=10),
            Column("key", least=12),
        )
        lines += ["  " + line for line in _narrow(screen, 2).table(columns, rows).split("\n")]
        if item["open"]:
            slot = shlex.quote(item["slot"])
            lines.append(screen.note(f"Settle it with: iwdc-distributed conflicts resolve {slot} KEY", indent=2))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _narrow(screen: Screen, cells: int) -> Screen:
    return screen._replace(width=screen.width - cells)


def conflicts_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """slot, open|settled, strategy, winner's key, then each candidate's key=hash."""
    return [
        [
            item["slot"],
            "open" if item["open"] else "settled",
            item["strategy"],
            item["winner"],
            *(f"{candidate['key']}={candidate['hash']}" for candidate in item["candidates"]),
        ]
        for item in data
    ]


_LOCKS = (
    Column("resource", least=12),
    Column("owner", least=10),
    Column("token", ">", least=5),
    Column("left", ">", least=6),
    Column("ttl", ">", drop=2, least=5),
    Column("waiting", ">", drop=1, least=3),
    Column("taken through", drop=3, least=10),
)


def locks_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Every lock held. Only the leader knows how long one is left, and who waits."""
    if not data:
        return "No locks are held."
    rows: list[list[Cell]] = [
        [
            item["resource"],
            item["owner"],
            f"#{item['fencingToken']}",
            duration(item.get("remainingMs")),
            duration(item.get("ttlMs")),
            "-" if item.get("remainingMs") is None else str(item.get("waiters", 0)),
            item["instance"],
        ]
        for item in data
    ]
    shown = screen.table(_LOCKS, rows)
    if all(item.get("remainingMs") is not None for item in data):
        return shown
    note = "Only the leader knows what is left, and who waits: ask it with --node."
    return f"{shown}\n\n{screen.note(note, tone='dim')}"


def locks_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """resource, owner, instance, fencing token, ttl ms, remaining ms, waiters."""
    names = ("resource", "owner", "instance", "fencingToken", "ttlMs", "remainingMs", "waiters")
    return [[item.get(name) for name in names] for item in data]
