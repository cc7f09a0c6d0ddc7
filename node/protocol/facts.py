"""What events tell of proposals, and the floor beneath (S3, C1).

What was told is a set of atoms, and the state is a function of that set and of the floor alone: where a fact comes to
count that had been passed over, all start over from their floor.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from node.protocol import events
from node.protocol.ballot import ProposalState
from node.protocol.bundle import Bundle
from node.protocol.checkpoint import (
    Checkpoint,
    floor_time,
    forgets,
    is_above,
    keep,
    passed,
    read,
    without,
    write,
)
from node.protocol.decisions import Change, Decisions
from node.protocol.events import Event, VersionVector
from node.protocol.placing import Placing, facts_above
from node.protocol.proposal import (
    PROPOSAL_TYPES,
    Atom,
    Opening,
    Resolution,
    VoteAtom,
    lies_above,
    read_births,
    read_opening,
    read_resolution,
)
from node.protocol.settings import Limits, Strategy


class Facts:
    """All that is known above a floor, what the floor kept, and the decisions that follow."""

    def __init__(self, strategy: Strategy, limits: Limits) -> None:
        self._strategy: Strategy = strategy
        self._limits = limits
        self._vector: VersionVector = {}
        self.floor = Checkpoint()
        self.taken = 0
        """How many proposals came as events since these facts were made."""
        self._start()

    def _start(self) -> None:
        self.decisions = Decisions(self._strategy, self.floor.highest, self.floor.voids)
        self._placing = Placing(self.decisions, self._vector)

    # Events in

    def apply(self, event: Event) -> tuple[Change, ...]:
        """Take in an event and say which proposals it made known or decided. Repeats and other types change nothing.

        An event at or below the floor is ignored (C1). Never raises on a bad payload: it is ignored as well.
        """
        kind = event.type
        if event.seq <= self._vector.get(event.journal, 0):
            return ()
        placing = self._placing
        changes: list[Change] = []
        news: Sequence[Sequence[ProposalState]] = ()
        if kind == events.VOTES:
            news = placing.add_votes(event, changes)
        elif kind in PROPOSAL_TYPES:
            births = read_births(event)
            self.taken += len(births)
            news = placing.add_births(births, changes)
        elif kind == events.ROUND_OPENED:
            opened = read_opening(event)
            if opened is not None:
                placing.add_opening(opened, changes)
        elif kind == events.CONFLICT_RESOLVED:
            resolution = read_resolution(event)
            if resolution is not None:
                placing.resolve(resolution)
        for each in news:
            placing.told.add(each, event.journal, event.seq, event.hlc, event.origin)
        if placing.must_restart:
            return self._restart()
        return tuple(changes)

    def bundle(self, key: str) -> Bundle | None:
        """The bundle that begins with this proposal."""
        return self._placing.bundle(key)

    def _restart(self) -> tuple[Change, ...]:
        before = {key: p.verdict for key, p in self.decisions.register.by_key.items()}
        self._load(self._placing.atoms(self.decisions.register.by_key.values()))
        return tuple(
            Change((p,), p.verdict, key not in before)
            for key, p in self.decisions.register.by_key.items()
            if before.get(key) != p.verdict
        )

    # The floor

    def checkpoint(self, vector: VersionVector) -> msgspec.Raw:
        """The state of the events at or below `vector`, for `reset` (C1). `vector` must cover the present floor."""
        apart, mixed = self._parted(vector)
        source = Facts(self._strategy, self._limits)
        source._vector, source.floor = self._vector, without(self.floor, {p.key for p in apart})
        atoms = [atom for atom in self._placing.atoms(mixed) if not is_above(atom, vector)]
        source._load(atoms)
        source.decisions.borrow(apart)
        latest = self._placing.told.last_words(self._vector, vector, [*self.floor.early_votes, *atoms])
        floor = write(source._checkpoint(vector, latest))
        source.decisions.release()
        return floor

    def _parted(self, vector: VersionVector) -> tuple[list[ProposalState], list[ProposalState]]:
        """Proposals that are as they would be without what lies above `vector`, and those to be decided anew.

        Most lie below with all their votes, and nothing else can touch them.
        """
        decisions = self.decisions
        if not self._placing.is_plain:
            return [], list(decisions.register.by_key.values())
        apart: list[ProposalState] = []
        mixed: list[ProposalState] = []
        reach = self._placing.told.reach(vector, self.floor.kept, decisions.register.by_key)
        # A plain loop: a floor is made of thousands, and the node stands still meanwhile.
        for p in reach.below:
            # What shares its votes is alone in its slots.
            if p in reach.astride or p.openings or not (p.tally.sharers > 1 or decisions.is_alone(p)):
                mixed.append(p)
            else:
                apart.append(p)
        return apart, mixed

    def _checkpoint(self, vector: VersionVector, latest: Mapping[str, int]) -> Checkpoint:
        lineage = self.decisions.lineage
        hlc = floor_time(self.floor.hlc, latest.values())
        # A vote may come long before its proposal. One that lies below the floor, or is unknown a whole floor later,
        # will not come any more.
        former = self.floor.hlc
        votes = self._placing.early_votes
        early = [atom for atom in votes if lies_above(atom.key, vector) or atom.cast.hlc > former]
        early.sort(key=lambda atom: (atom.cast.order, atom.key))
        openings = self._placing.early_openings
        openings.sort(key=lambda opening: (opening.journal, opening.seq))
        resolutions = [r for r in self.decisions.resolutions.values() if self._may_act(r)]
        resolutions.sort(key=lambda r: (r.hlc, r.id))
        bound = self._limits.max_open_proposals
        known = list(self.decisions.register.by_key.values())
        kept = keep(known, lineage, hlc, latest, self.decisions.highest_order, self._limits)
        return Checkpoint(
            hlc,
            self.decisions.highest,
            lineage.current.payload.version if lineage.current is not None else None,
            kept,
            tuple((void.low_text, void.high_text) for void in lineage.voids),
            tuple(early[-bound:]),
            tuple(openings[-bound:]),
            tuple(resolutions[-bound:]),
            forgets(known, kept, self.floor.forgotten),
        )

    def _may_act(self, resolution: Resolution) -> bool:
        p = self.decisions.register.by_key.get(resolution.key)
        return p is None or (p.settled is None and p.verdict != "rejected")

    def reset(self, vector: VersionVector, checkpoint: msgspec.Raw) -> None:
        """Install a floor: its state, joined with what is known here above `vector` (C1).

        Own atoms at or below `vector` that are not in the checkpoint are dropped. Raises `ValueError` when the
        checkpoint does not read as one.
        """
        floor = read(checkpoint)
        if self._advance(vector, floor):
            return
        atoms = self._placing.atoms(self.decisions.register.by_key.values())
        self._vector, self.floor = dict(vector), floor
        self._load([atom for atom in atoms if is_above(atom, self._vector)])

    def _advance(self, vector: VersionVector, floor: Checkpoint) -> bool:
        """Install a floor without starting over, if it only makes final what was decided here in the same way."""
        decisions, placing = self.decisions, self._placing
        if not placing.is_plain or placing.early_openings or floor.early_openings or floor.resolutions:
            return False
        if any(vector.get(journal, 0) < seq for journal, seq in self._vector.items()):
            return False
        reach = placing.told.reach(vector, self.floor.kept, decisions.register.by_key)
        passage = passed(decisions.register.by_key, reach, decisions.highest_order, vector, floor)
        if passage is None:
            return False
        later = [atom for p in passage.heard_later for atom in facts_above(p, vector)]
        decisions.finish(floor.kept, passage.forgotten, floor.voids)
        self._vector, self.floor = dict(vector), floor
        loose = placing.advance(self._vector)
        placing.told.advance(vector, set(passage.heard_later), passage.heard_earlier)
        nothing: list[Change] = []
        for atom in (*floor.early_votes, *loose, *later):
            if isinstance(atom, VoteAtom):
                placing.take_again((atom,), nothing)
            elif isinstance(atom, Opening):
                placing.add_opening(atom, nothing)
        decisions.refresh()
        return True

    def _load(self, atoms: Iterable[Atom]) -> None:
        """Start over: the floor, then the atoms, those first that count against their doubles."""
        self.decisions.release()
        self._start()
        self._install(self.floor)
        self._placing.take(atoms)

    def _install(self, floor: Checkpoint) -> None:
        decisions, placing = self.decisions, self._placing
        for kept in floor.kept:
            decisions.restore(kept)
        decisions.resolutions |= {r.id: r for r in floor.resolutions}
        nothing: list[Change] = []
        for atom in floor.early_votes:
            placing.take_again((atom,), nothing)
        for opening in floor.early_openings:
            placing.add_opening(opening, nothing)
        decisions.refresh()
