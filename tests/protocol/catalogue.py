"""Events for tests of the fold, and a dumb second fold that computes everything anew from the whole set (S3)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from node.protocol.events import CONFLICT_RESOLVED, ROUND_OPENED, VOTES, Event
from node.protocol.proposal import EVENT_TYPE, Proposal, to_payload
from node.protocol.settings import Limits, Strategy
from node.protocol.state import Fold
from node.protocol.versions import parse

VOTERS = ("A", "B", "C")
FAR = 10**9
"""A deadline that no floor passes."""


class Writer:
    """Writes events of many instances, each in its own journal, with a clock that ticks once per event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.vector: dict[str, int] = {}
        self.hlc = 0

    def write(
        self, origin: str, type_: str, payload: dict[str, Any], id_: str = "", hlc: int | None = None, journal: str = ""
    ) -> Event:
        """An event; its id is its place unless given."""
        journal = journal or f"j{origin}"
        seq = self.vector[journal] = self.vector.get(journal, 0) + 1
        self.hlc += 1
        at = self.hlc if hlc is None else hlc
        event = Event(id_ or f"{journal}-{seq}", origin, journal, seq, type_, 1000 + at, at, "trace", payload)
        self.events.append(event)
        return event

    def snapshot(self, origin: str, version: str, hash_: str = "h", **more: Any) -> Event:
        """A proposal of a snapshot, with the proposer's accept unless told otherwise."""
        return self.propose(origin, kind="snapshot", version=version, hash=hash_, **more)

    def diff(self, origin: str, base: str, version: str, hash_: str = "h", **more: Any) -> Event:
        """A proposal of a diff."""
        return self.propose(origin, kind="diff", base=base, version=version, hash=hash_, **more)

    def rollback(self, origin: str, base: str, version: str, hash_: str = "h", **more: Any) -> Event:
        """A proposal to go back from `base` to `version`."""
        return self.propose(origin, kind="rollback", base=base, version=version, hash=hash_, **more)

    def propose(self, origin: str, hlc: int | None = None, id_: str = "", **fields: Any) -> Event:
        """A proposal of three voters, two required, unless told otherwise."""
        defaults: dict[str, Any] = {
            "label": f"{fields['kind']}-{fields['version']}",
            "voters": VOTERS,
            "required": 2,
            "deadline_hlc": FAR,
            "digest": "digest",
            "vote": "accept",
        }
        body = Proposal(**(defaults | fields))
        return self.write(origin, EVENT_TYPE[body.kind], to_payload(body), id_=id_, hlc=hlc)

    def vote(
        self, origin: str, proposal: Event, vote: str = "accept", reason: str | None = None, round_: int = 0,
        hash_: str | None = None,
    ) -> Event:  # fmt: skip
        """One vote on a proposal."""
        item = {"proposal": proposal.id, "round": round_, "hash": hash_ or proposal.payload["hash"], "vote": vote,
                "reason": reason}  # fmt: skip
        return self.write(origin, VOTES, {"votes": [item]})

    def open_round(self, origin: str, key: str, round_: int, slots: Iterable[tuple[str, int]]) -> Event:
        """A round opened; each slot with the round up to which it is dead."""
        return self.write(origin, ROUND_OPENED, {"proposal": key, "round": round_, "slots": list(slots)})

    def resolve(self, origin: str, slot: str, key: str) -> Event:
        """A person's decision."""
        return self.write(origin, CONFLICT_RESOLVED, {"slot": slot, "proposal": key})

    def fold(self, strategy: Strategy = "last-write-wins", limits: Limits | None = None) -> Fold:
        """All events so far, folded in the order of writing."""
        return folded(self.events, strategy, limits)


def folded(events: Iterable[Event], strategy: Strategy = "last-write-wins", limits: Limits | None = None) -> Fold:
    """A fold of these events."""
    fold = Fold(strategy, limits or Limits())
    for event in events:
        fold.apply(event)
    return fold


class Oracle:
    """The rules once more, over the whole set at once, without a thought for speed."""

    def __init__(self, events: Iterable[Event], strategy: Strategy) -> None:
        self.strategy = strategy
        unique = {(e.journal, e.seq): e for e in events}
        self.events = sorted(unique.values(), key=lambda e: (e.hlc, e.journal, e.seq))
        self.proposals: dict[str, Event] = {}
        for event in self.events:
            if event.type in EVENT_TYPE.values() and event.id not in self.proposals and self._sound(event):
                self.proposals[event.id] = event
        self.votes: dict[str, dict[tuple[str, int], tuple[str, str | None]]] = {k: {} for k in self.proposals}
        for key, event in self.proposals.items():
            if event.origin in event.payload["voters"]:
                self.votes[key][event.origin, 0] = (event.payload["vote"], event.payload.get("reason"))
        for event in self.events:
            if event.type == VOTES and isinstance(event.payload.get("votes"), list):
                for item in event.payload["votes"]:
                    target = self.proposals.get(item["proposal"])
                    if target is None or target.payload["hash"] != item["hash"]:
                        continue
                    if event.origin in target.payload["voters"]:
                        place = (event.origin, item["round"])
                        self.votes[item["proposal"]].setdefault(place, (item["vote"], item["reason"]))
        self.opened = {
            (e.payload["proposal"], e.payload["round"]) for e in self.events if e.type == ROUND_OPENED and e.payload
        }
        self.accepted = [k for k in self.proposals if self._winning(k)]
        self.verdicts = {k: self._verdict(k) for k in self.proposals}
        self.settled = self._settle()
        self.highest = max(
            (self.proposals[k].payload["version"] for k in self.accepted if self._kind(k) != "rollback"),
            key=parse, default=None,
        )  # fmt: skip
        self.current = self._current()

    @staticmethod
    def _sound(event: Event) -> bool:
        body = event.payload
        if not body or EVENT_TYPE.get(body["kind"]) != event.type:
            return False
        if body["kind"] == "snapshot":
            return body.get("base") is None
        up = parse(body.get("base")) < parse(body["version"])
        return up if body["kind"] == "diff" else parse(body["version"]) < parse(body.get("base"))

    def _kind(self, key: str) -> str:
        return str(self.proposals[key].payload["kind"])

    def content(self, key: str) -> tuple[Any, ...]:
        """Kind, base, version and hash."""
        return tuple(self.proposals[key].payload.get(name) for name in ("kind", "base", "version", "hash"))

    def slots(self, key: str) -> set[str]:
        """What it binds (P2)."""
        body = self.proposals[key].payload
        successor = f"successor-of:{body.get('base')}" + (f"@{body['restored']}" if body.get("restored") else "")
        version = f"version:{body['version']}"
        return {"snapshot": {version}, "diff": {successor, version}, "rollback": {successor}}[body["kind"]]

    def _rivals(self, key: str) -> list[str]:
        mine, content = self.slots(key), self.content(key)
        return [k for k in self.proposals if self.content(k) != content and mine & self.slots(k)]

    def _accepts(self, key: str, round_: int) -> set[str]:
        return {voter for (voter, r), (vote, _) in self.votes[key].items() if r == round_ and vote == "accept"}

    def _rounds(self, key: str) -> set[int]:
        return {0} | {r for _, r in self.votes[key]} | {r for k, r in self.opened if k == key}

    def _winning(self, key: str) -> list[int]:
        required = self.proposals[key].payload["required"]
        return [r for r in self._rounds(key) if len(self._accepts(key, r)) >= required]

    def _verdict(self, key: str) -> str:
        if key in self.accepted:
            return "accepted"
        body = self.proposals[key].payload
        rivals = self._rivals(key)
        out = {v for (v, _), (vote, why) in self.votes[key].items() if vote != "accept" and why != "conflicting_vote"}
        for rival in rivals:
            for round_ in self._winning(rival):
                out |= self._accepts(rival, round_)
        left = set(body["voters"]) - out
        for round_ in self._rounds(key):
            able = {v for v in left if (v, round_) not in self.votes[key]}
            for rival in rivals:
                able -= {v for r in self._rounds(rival) if r >= round_ for v in self._accepts(rival, r)}
            if len(self._accepts(key, round_) | able) >= body["required"]:
                return "pending"
        taken = {slot for other in self.proposals if 0 in self._winning(other) for slot in self.slots(other)}
        closed = self.slots(key) <= taken
        return "pending" if not closed and len(left) >= body["required"] else "rejected"

    def _settle(self) -> dict[str, bool | None]:
        contents: dict[tuple[Any, ...], list[str]] = {}
        for key in self.accepted:
            contents.setdefault(self.content(key), []).append(key)
        slots = {c: set[str]().union(*(self.slots(k) for k in keys)) for c, keys in contents.items()}
        named: dict[str, Event] = {}
        for event in self.events:
            if event.type == CONFLICT_RESOLVED and event.payload:
                slot, key = event.payload["slot"], event.payload["proposal"]
                former = named.get(slot)
                later = former is None or (former.hlc, former.id) < (event.hlc, event.id)
                if key in self.accepted and slot in self.slots(key) and later:
                    named[slot] = event
        wishes = {e.payload["proposal"]: (e.hlc, e.id) for e in sorted(named.values(), key=lambda e: (e.hlc, e.id))}

        def rank(content: tuple[Any, ...]) -> Any:
            keys = contents[content]
            wish = max((wishes[k] for k in keys if k in wishes), default=(-1, ""))
            leads = self.strategy == "leader-wins"
            last = max((self._event_rank(k, leads)) for k in keys)
            return (wish, last)

        outcome: dict[tuple[Any, ...], bool | None] = {}
        taken: set[str] = set()
        for content in sorted(contents, key=rank, reverse=True):
            by_hand = any(k in wishes for k in contents[content])
            if self.strategy == "reject-inconsistent" and not by_hand:
                continue
            outcome[content] = not taken & slots[content]
            taken |= slots[content] if outcome[content] else set()
        rest = [c for c in contents if c not in outcome]
        possible = [c for c in rest if not taken & slots[c]]
        for content in rest:
            alone = not any(slots[content] & slots[other] for other in possible if other != content)
            outcome[content] = False if content not in possible else (True if alone else None)
        return {k: outcome[self.content(k)] for k in self.accepted}

    def _event_rank(self, key: str, leads: bool) -> Any:
        event = self.proposals[key]
        return (event.payload.get("leaderTerm", 0) if leads else 0, event.hlc, key)

    def _current(self) -> tuple[str, str] | None:
        settled = [self.proposals[k].payload for k in self.accepted if self.settled[k]]
        voids = [(parse(p["version"]), parse(p.get("base"))) for p in settled if p["kind"] == "rollback"]
        hashes = {p["version"]: p["hash"] for p in settled if p["kind"] != "rollback"}
        reached: set[str] = set()
        for _ in range(len(settled) + 1):
            for p in settled:
                order = parse(p["version"])
                if p["kind"] == "rollback" or any(low < order <= high for low, high in voids):
                    continue
                base = p.get("base")
                if base is None or (base in reached and p.get("baseHash") in (None, hashes[base])):
                    reached.add(p["version"])
        return max(((v, hashes[v]) for v in reached), key=lambda pair: parse(pair[0]), default=None)

    def differences(self, fold: Fold) -> Counter[str]:
        """Where a fold disagrees; empty when nowhere."""
        found: Counter[str] = Counter()
        for key, verdict in self.verdicts.items():
            known = fold.get(key)
            found[f"verdict {key} {verdict}"] += known is None or known.verdict != verdict
            found[f"settled {key} {self.settled.get(key)}"] += fold.settled(key) is not self.settled.get(key)
        found["known keys"] += sorted(fold.keys) != sorted(self.proposals)
        found[f"current {self.current} {fold.current}"] += fold.current != self.current
        found[f"highest {self.highest} {fold.highest_accepted}"] += fold.highest_accepted != self.highest
        return +found
