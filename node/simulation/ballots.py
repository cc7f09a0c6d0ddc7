"""A second count of the votes, from the events alone and as plainly as can be, to hold against the cores'."""

from collections import defaultdict
from typing import Any

from node.protocol.events import DIFF_PROPOSAL, ROLLBACK_PROPOSAL, SNAPSHOT_PROPOSAL, VOTES, Event
from node.protocol.proposal import CONFLICTING_VOTE, proposal_key
from node.protocol.shapes import ProposalView
from node.simulation.violation import Violation

Place = tuple[str, int]
"""Journal and sequence number of an event."""


class Ballots:
    """Who accepted what, and what that decides (P4). With `exclusive`, no slot may see two contents accepted."""

    def __init__(self, exclusive: bool) -> None:
        self._exclusive = exclusive
        self._proposals: dict[str, dict[str, Any]] = {}
        self._places: dict[Place, tuple[str, ...]] = {}
        self._accepts: defaultdict[str, dict[int, dict[str, Place]]] = defaultdict(dict)
        """Proposal and round -> who accepted it, and in which event."""
        self._owners: dict[str, tuple[str, tuple[object, ...]]] = {}
        self._accepted: set[str] = set()
        self._maimed: set[str] = set()
        self._keyed: dict[tuple[str, str], str] = {}
        self._cast: dict[tuple[str, str, int], Place] = {}
        self._refused: set[tuple[str, str]] = set()
        """Journal and proposal that its voter refused for a reason of its own."""

    def take(self, event: Event) -> None:
        """Count an event that has become durable somewhere."""
        place = (event.journal, event.seq)
        if place in self._places:
            return
        payload = event.payload
        if event.type in (SNAPSHOT_PROPOSAL, DIFF_PROPOSAL, ROLLBACK_PROPOSAL):
            bodies = payload.get("proposals", [payload])
            keys = tuple(proposal_key(event.id, index) for index in range(len(bodies)))
            self._places[place] = keys
            for key, body in zip(keys, bodies, strict=True):
                self._proposals[key] = body
                repeated = body.get("idempotencyKey")
                if repeated and self._keyed.setdefault((event.journal, repeated), key) != key:
                    raise Violation("P6", event.origin, f"proposes {key} for {repeated}, as it had done before")
                if body.get("vote") == "accept":
                    self._accepts[key].setdefault(0, {})[event.origin] = place
                self._decide(key)
        elif event.type == VOTES:
            self._places[place] = tuple(vote["proposal"] for vote in payload["votes"])
            for vote in payload["votes"]:
                key, round_ = vote["proposal"], vote["round"]
                if self._cast.setdefault((event.journal, key, round_), place) != place:
                    raise Violation("P3", event.origin, f"votes again on {key} in round {round_}")
                if vote["vote"] != "accept":
                    if vote.get("reason") != CONFLICTING_VOTE:
                        self._refused.add((event.journal, key))
                elif (event.journal, key) in self._refused:
                    raise Violation("P3", event.origin, f"accepts {key} in round {round_}, and had refused it")
                else:
                    self._accepts[key].setdefault(round_, {}).setdefault(event.origin, place)
                    self._decide(key)

    def forget(self, place: Place) -> None:
        """An event is gone with the only disk that held it: it counts no more."""
        for key in self._places.pop(place, ()):
            self._maimed.add(key)
            for votes in self._accepts[key].values():
                for voter in [v for v, at in votes.items() if at == place]:
                    del votes[voter]

    def maimed(self, key: str) -> bool:
        """Whether votes on this proposal, or itself, went down with a disk."""
        return key in self._maimed

    def _decide(self, key: str) -> None:
        payload = self._proposals.get(key)
        if payload is None or key in self._accepted:
            return
        for votes in self._accepts[key].values():
            if len(votes.keys() & set(payload["voters"])) >= payload["required"]:
                self._accepted.add(key)
                self._bind(key, payload)
                return

    def _bind(self, key: str, payload: dict[str, Any]) -> None:
        content = (payload["kind"], payload.get("base"), payload["version"], payload["hash"])
        if not self._exclusive or payload["kind"] == "rollback" or key in self._maimed:
            return
        for slot in slots(payload):
            winner, won = self._owners.setdefault(slot, (key, content))
            if won != content and winner not in self._maimed:
                raise Violation("promise 4", slot, f"{winner} {won} and {key} {content} are both accepted")

    def founded(self, view: ProposalView, where: str) -> None:
        """An answer that says `accepted` rests on votes that are on disks."""
        if view.state == "accepted" and view.key not in self._accepted and view.key not in self._maimed:
            raise Violation("promise 3", where, f"{view.key} is called accepted before its votes are durable")

    def agree(self, view: ProposalView, where: str) -> None:
        """A core's verdict is what the votes say."""
        if view.key in self._maimed or view.key not in self._proposals:
            return
        if (view.state == "accepted") != (view.key in self._accepted):
            counted = "accepted" if view.key in self._accepted else "not accepted"
            raise Violation("promise 3", where, f"{view.key} is {view.state}, but by the votes it is {counted}")


def slots(payload: dict[str, Any]) -> tuple[str, ...]:
    """What a proposal binds (P2)."""
    match payload["kind"]:
        case "snapshot":
            return (f"version:{payload['version']}",)
        case "diff":
            return (_successor(payload), f"version:{payload['version']}")
        case _:
            return (_successor(payload),)


def _successor(payload: dict[str, Any]) -> str:
    """A base that a rollback made current again gets a new successor, named after the rollback."""
    restored = payload.get("restored")
    return f"successor-of:{payload.get('base')}{f'@{restored}' if restored else ''}"
