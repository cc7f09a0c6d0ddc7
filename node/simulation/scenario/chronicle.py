"""What happens, in words: who, when, what. Routine (beats, pulls, measurements) is left out."""

from dataclasses import dataclass
from typing import Any

from node.protocol.effects import Observe
from node.protocol.events import LEADER_ELECTED, SKIPPED_QUORUM, Event
from node.simulation.clients import Outcome
from node.simulation.scenario.outcomes import (
    tell_answer,
    tell_outcome,
    tell_request,
    was_taken,
    was_turned_down,
    went_well,
)
from node.simulation.world import World

UNTOLD = "steady"
"""The trace id of requests whose client tells by itself what came of them."""
TOGETHER_S = 1.0
"""What several see within this time is told once."""

HAS_QUORUM, LACKS_QUORUM = "quorum", "no quorum"
_QUORUM_MAY_CHANGE = ("INSTANCE_STATUS", "OWN_STATUS")


@dataclass(slots=True)
class Happening:
    """One thing that happened, to all of `who`. `t_s` counts from the beginning of the world."""

    t_s: float
    who: list[str]
    what: str

    @property
    def of_quorum(self) -> bool:
        """Whether it tells that quorum came or went."""
        return self.what.partition(",")[0] in (HAS_QUORUM, LACKS_QUORUM)

    def __str__(self) -> str:
        return f"{self.t_s:6.1f} s  {', '.join(self.who)}: {self.what}"


class Chronicle:
    """Listens to a world and keeps what a person wants to know."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._quorum: dict[str, bool] = {}
        self._clocks: dict[str, tuple[bool, str | None]] = {}
        self.happenings: list[Happening] = []
        self.routine = True
        """Whether votes and verdicts as they should be are told too."""
        self.answers = True
        """Whether answers as they should be are told too."""
        self.outcomes: list[tuple[float, Outcome]] = []
        self._trouble: dict[tuple[str, str], Happening] = {}
        world.ground.hear = self.hear

    def hear(self, who: str, what: object) -> None:
        """Note what happened to `who`."""
        match what:
            case str():
                self.note(who, what)
            case Outcome():
                self.outcomes.append((self._world.schedule.t, what))
                if getattr(what.request, "trace", "") == UNTOLD:
                    return
                if self.answers:
                    self.note(who, tell_outcome(what))
                elif not (went_well(what.answer) or was_taken(what) or was_turned_down(what.answer)):
                    self._note_trouble(what)
            case Event():
                self._hear_event(who, what)
            case Observe(name=name, trace=trace, fields=fields):
                if not self.routine and (name == "VOTE" or fields.get("verdict") == "accepted"):
                    return
                words = self._drift(who, fields) if name == "TIME_DRIFT_MEASURE" else _words(name, fields)
                if words:
                    self.note(who, self._name(who, words, fields.get("proposal"), trace))
                if name in _QUORUM_MAY_CHANGE:
                    self._look_at_quorum(who)

    def _hear_event(self, who: str, event: Event) -> None:
        """Only what an instance writes itself: it shows others' events too, and its own of a former disk."""
        process = self._world.hosts.get(who)
        if process is None or not process.up or event.journal != process.running.journal_id:
            return
        payload = event.payload
        if event.type == LEADER_ELECTED:
            self.note(who, f"leads term {payload['term']} ({payload['reason']})")
        elif event.type == SKIPPED_QUORUM:
            self.note(who, f"skips {payload['kind']} {payload.get('version') or payload.get('to')}")

    def note(self, who: str, what: str) -> None:
        """Add a line, or a name to a line that says the same."""
        t_s = self._world.schedule.t
        for earlier in reversed(self.happenings):
            if earlier.t_s < t_s - TOGETHER_S:
                break
            if earlier.what == what and who != "client" and who not in earlier.who:
                earlier.who.append(who)
                earlier.who.sort()
                return
        self.happenings.append(Happening(t_s, [who], what))

    def _note_trouble(self, outcome: Outcome) -> None:
        """Once for all nodes that gave the same answer to the same request."""
        request, answer = tell_request(outcome.request), tell_answer(outcome.answer)
        told = self._trouble.get((request, answer))
        if told is None or told.t_s < self._world.schedule.t - TOGETHER_S:
            self.note("client", f"{request} via {outcome.via}: {answer}")
            self._trouble[request, answer] = self.happenings[-1]
            return
        vias, rest = told.what.removeprefix(f"{request} via ").split(":", 1)
        if outcome.via not in vias.split(", "):
            told.what = f"{request} via {vias}, {outcome.via}:{rest}"

    def _name(self, who: str, words: str, label: Any, trace: str) -> str:
        """Call a proposal by what it wants in place of its label, which several may share."""
        if label is None:
            return words
        process = self._world.hosts.get(who)
        for shown in process.running.view_proposal(process.now, label) if process and process.up else ():
            if shown.trace_id == trace:
                place = shown.version if shown.kind == "snapshot" else f"{shown.from_} -> {shown.to}"
                return words.replace(label, f"{shown.kind} {place} ({shown.hash})")
        return words

    def _look_at_quorum(self, who: str) -> None:
        process = self._world.hosts.get(who)
        if process is None or not process.up:
            return
        sees = process.running.view_quorum(process.now)
        if sees.sufficient != self._quorum.get(who, False):
            self._quorum[who] = sees.sufficient
            word = HAS_QUORUM if sees.sufficient else LACKS_QUORUM
            apart = "" if sees.sufficient or sees.healthy < sees.required else ", but configured otherwise"
            self.note(who, f"{word}, {sees.healthy} of {sees.total} healthy and {sees.required} needed{apart}")

    def _drift(self, who: str, fields: dict[str, Any]) -> str | None:
        """Only when a clock begins to be wrong, or ends, or another one is suspected."""
        off_ms, suspect = fields["offset_ms"], fields["suspect"]
        wrong = abs(off_ms) > self._world.plan.limits.drift_warn_ms
        was, self._clocks[who] = self._clocks.get(who), (wrong, suspect)
        if was == (wrong, suspect) or (was is None and not wrong):
            return None
        if not wrong:
            return f"clock agrees with {fields['reference']}'s"
        blame = f"; {suspect} is the suspect" if suspect else ""
        return f"clock is {off_ms / 1000:+.1f} s off {fields['reference']}'s{blame}"


def _own(status: str, reasons: list[str]) -> str:
    word = {"unreachable": "may not vote", "healthy": "is well"}.get(status, f"is {status}")
    return word + _because(reasons)


def _because(reasons: Any) -> str:
    return f" ({', '.join(reasons)})" if reasons else ""


def _words(name: str, fields: dict[str, Any]) -> str | None:
    """An observation in words, None for routine."""
    get = fields.get
    match name:
        case "LEADER_HANDOVER":
            return f"hands over to {get('to')}"
        case "LEADER_HANDOVER_FAILED":
            return f"goes on leading, {get('to')} did not take over"
        case "LEADER_LOST":
            return f"hears no more of leader {get('leader')}"
        case "LEADER_RESIGNED":
            return f"leads no more, {get('why')}"
        case "INSTANCE_STATUS":
            return f"{get('instance')} is {get('status')}{_because(get('reasons'))}"
        case "OWN_STATUS":
            return _own(str(get("status")), [each for each in fields["reasons"] if each != "cannot_vote"])
        case "LOCK_EXPIRED":
            return f"lock {get('resource')} #{get('token')} of {get('owner')} has expired"
        case "QUORUM_DECISION" if "verdict" in fields:
            return f"{get('proposal')} is {get('verdict')}{_because([get('reason')] if get('reason') else [])}"
        case "VOTE":
            return f"votes {get('vote')} on {get('proposal')}{_because([get('reason')] if get('reason') else [])}"
        case "CONFLICT_DETECTED":
            state = "is open" if get("open") else f"is settled by {get('strategy')}"
            return f"conflict at {', '.join(fields['slots'])} {state}"
        case _:
            return _rare(name, fields)


def _rare(name: str, fields: dict[str, Any]) -> str | None:
    get = fields.get
    match name:
        case "ROUND_OPENED":
            return f"opens round {get('round')} for {get('proposal')}"
        case "FLOOR_CHOSEN":
            return f"sets the floor above {get('events')} events"
        case "FLOOR_REACHED":
            return f"everything up to event {get('events')} is final"
        case "JOURNAL_REPLACED":
            return f"begins a new journal, {get('why')}"
        case "RECOVERED":
            return "its disk is new" if get("new_cluster") else "has recovered what the others told it"
        case "RECOVERY_REFUSED":
            return f"is not taken in by {get('instance')}: {get('why')}"
        case "CONFIG_MISMATCH":
            return f"{get('instance')} runs another configuration"
        case "MEMBERS_SETTLED":
            return "all members run this configuration"
        case _:
            return None
