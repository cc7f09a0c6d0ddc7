"""The fold: events -> decisions -> slots -> current version (P1, P2, P4, P5, S1, S2, S3, C1).

The state is a function of the set of events and of the floor, whatever the order and however often they arrive.
`facts.py` takes events and floors in, `decisions.py` draws the conclusions; here questions are answered.
"""

from collections.abc import Container

import msgspec

from node.protocol.ballot import ProposalState, bound_by
from node.protocol.bundle import Bundle
from node.protocol.checkpoint import has_forgotten
from node.protocol.conflicts import Conflict
from node.protocol.decisions import Change, Stall
from node.protocol.events import Event, VersionVector
from node.protocol.facts import Facts
from node.protocol.proposal import Content
from node.protocol.settings import Limits, Strategy
from node.protocol.shapes import ProposalKind
from node.protocol.versions import VersionKey


class Fold:
    """State of the catalogue as the events tell it. Not thread-safe; pure."""

    def __init__(self, strategy: Strategy, limits: Limits) -> None:
        self._facts = Facts(strategy, limits)

    def apply(self, event: Event) -> tuple[Change, ...]:
        """Take in an event and say which proposals it made known or decided. Repeats and other types change nothing.

        An event at or below the floor is ignored (C1). Never raises on a bad payload: it is ignored as well.
        """
        return self._facts.apply(event)

    def checkpoint(self, vector: VersionVector) -> msgspec.Raw:
        """The state of the events at or below `vector`, for `reset` (C1). `vector` must cover the present floor."""
        return self._facts.checkpoint(vector)

    def reset(self, vector: VersionVector, checkpoint: msgspec.Raw) -> None:
        """Install a floor: its state, joined with what this fold knows above `vector` (C1).

        Own atoms at or below `vector` that are not in the checkpoint are dropped. Raises `ValueError` when the
        checkpoint does not read as one.
        """
        self._facts.reset(vector, checkpoint)

    @property
    def taken(self) -> int:
        """How many proposals came as events since this fold was made."""
        return self._facts.taken

    def get(self, key: str) -> ProposalState | None:
        """The proposal with this key (event id), or None."""
        return self._facts.decisions.register.by_key.get(key)

    def bundle(self, key: str) -> Bundle | None:
        """The proposals that came with this one, the first of them, and share every fate so far."""
        return self._facts.bundle(key)

    def by_label(self, label: str) -> list[str]:
        """Keys of all proposals that carry this `proposalId` (P1), the earliest first."""
        return self._facts.decisions.register.labelled(label)

    def by_idempotency_key(self, idempotency_key: str) -> str | None:
        """Key of the earliest proposal made under this `Idempotency-Key`, whatever its verdict (P6)."""
        return self._facts.decisions.register.repeated(idempotency_key)

    def find(self, kind: ProposalKind, base: str | None, version: str, hash_: str) -> str | None:
        """Key of a proposal of this content: the earliest accepted, or else the pending one that ends last (P6)."""
        found = self._facts.decisions.find((kind, base, version, hash_))
        return None if found is None or self.is_unsure(found) else found.key

    @property
    def keys(self) -> list[str]:
        """Keys of all known proposals, the earliest first."""
        return self._facts.decisions.register.in_order()

    def newest(self, limit: int) -> list[ProposalState]:
        """The newest proposals, the newest first, without those that nobody can judge."""
        register = self._facts.decisions.register
        unsure = sum(self.is_unsure(p) for p in register.pending.values())
        return [p for p in register.newest(limit + unsure) if not self.is_unsure(p)][:limit]

    def is_unsure(self, p: ProposalState) -> bool:
        """Whether a proposal is open only as far as is still known: floors forgot what may have had it rejected (C1).

        Nobody is shown it until its own votes decide, or a floor.
        """
        base = p.payload.base
        if p.verdict != "pending" or not has_forgotten(self._facts.floor.forgotten, p.payload):
            return False
        # Nothing was accepted in the place of what comes next after the current version.
        comes_next = base is not None and self.current is not None and self.current[0] == base
        return not comes_next or p.payload.restored != self.restored(str(base))

    @property
    def above_floor(self) -> int:
        """How many proposals are known besides those that the floor kept."""
        return len(self._facts.decisions.register.by_key) - len(self._facts.floor.kept)

    @property
    def open_keys(self) -> list[str]:
        """Keys of pending proposals, expired ones among them."""
        return list(self._facts.decisions.register.pending)

    @property
    def open_count(self) -> int:
        """How many proposals are pending."""
        return len(self._facts.decisions.register.pending)

    @property
    def current(self) -> tuple[str, str] | None:
        """The current version and the hash that settled it (S2)."""
        return self._facts.decisions.current

    def current_without(self, keys: Container[str]) -> tuple[str, str] | None:
        """The greatest version that others than these proposals lead to."""
        last = self._facts.decisions.lineage.greatest(but=keys)
        return None if last is None else (last.payload.version, last.payload.hash)

    @property
    def head(self) -> ProposalState | None:
        """The snapshot or diff that led to the current version."""
        return self._facts.decisions.lineage.current

    def leading_to(self, version: str) -> ProposalState | None:
        """The settled snapshot or diff that leads to a version, rolled back or not."""
        return self._facts.decisions.lineage.by_version.get(version)

    @property
    def highest_accepted(self) -> str | None:
        """The greatest version ever accepted by a snapshot or diff, rolled back or lost or not (P3)."""
        return self._facts.decisions.highest

    @property
    def highest_order(self) -> VersionKey | None:
        """Its place in the order of versions."""
        return self._facts.decisions.highest_order

    def known_version(self, version: str) -> bool:
        """Whether a settled snapshot or diff leads to this version, rolled back or not."""
        return version in self._facts.decisions.lineage.by_version

    def is_reachable(self, version: str) -> bool:
        """Whether one can go to this version: through settled snapshots and unbroken diffs, not rolled back (S2)."""
        return version in self._facts.decisions.lineage.reachable

    def base_hash(self, version: str) -> str | None:
        """The hash that settled a version: `baseHash` of a diff made from it. None when unknown."""
        settled = self._facts.decisions.lineage.by_version.get(version)
        return settled.payload.hash if settled is not None else None

    def restored(self, version: str) -> str | None:
        """Key of the last settled rollback to a version: `restored` of what is built on it now (P2). None: no such."""
        rollback = self._facts.decisions.lineage.restored.get(version)
        return rollback.key if rollback is not None else None

    def settled(self, key: str) -> bool | None:
        """True: accepted and won its slots; False: accepted and lost; None: not accepted, or its conflict is open."""
        p = self._facts.decisions.register.by_key.get(key)
        return p.settled if p is not None else None

    def bound_by(self, key: str, voter: str, round_: int) -> str | None:
        """The slot in which `voter` is bound to another content, so it may not accept `key` in this round (P3, P5).

        None: it is free to accept. Raises `KeyError` for an unknown key.
        """
        slot = bound_by(self._facts.decisions.register.by_key[key], voter, round_)
        return slot.name if slot is not None else None

    def binding(self, voter: str, slot: str, round_: int) -> Content | None:
        """The content that `voter` accepted in a slot in exactly this round."""
        known = self._facts.decisions.slots.get(slot)
        if known is None:
            return None
        found = [c for r, c in known.bindings(voter) if r == round_]
        return min(found, key=lambda c: (c[0], c[1] or "", c[2], c[3]), default=None)

    def is_free(self, slot: str) -> bool:
        """Whether nothing is known to compete for a slot."""
        return slot not in self._facts.decisions.slots

    def contended(self, key: str) -> tuple[str, ...]:
        """The slots in which this proposal and one of other content are both accepted."""
        contended = self._facts.decisions.contended
        p = self._facts.decisions.register.by_key.get(key) if contended else None
        return () if p is None else tuple(slot.name for slot in p.slots if slot.name in contended)

    def conflicts(self) -> list[Conflict]:
        """Slots with two or more accepted contents, open and settled ones, by name (S1)."""
        return self._facts.decisions.conflicts()

    def stalled(self, hlc: int) -> list[Stall]:
        """Slots split so that no content can be accepted any more, with what to put to the vote next, sorted (P5).

        Proposals whose deadline lies before `hlc` are not put to the vote again.
        """
        return self._facts.decisions.stalls(hlc)

    def digest(self) -> str:
        """Short hex of the state: equal on all nodes with the same events and floor (S3)."""
        return self._facts.decisions.digest()
