"""All versions, and who has their content: what this node knows, and what the others say."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from node.artifacts.store import is_version
from node.protocol.settings import Member
from node.protocol.versions import parse
from node.runtime.content.asking import PeerFailed, ask_here
from node.runtime.content.shapes import Here
from node.runtime.content.voided import is_void

if TYPE_CHECKING:
    from node.runtime.content.service import ContentService
    from node.runtime.driver import Engine

MAX_VERSIONS = 200
ANSWER_S = 1.5
"""What a member gets to answer: people wait for the answers of the others."""


class AtInstance(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A version's content at one instance. `state`: `has`, `other` (another content of this version), `fetching`,
    `waiting`, `bad`, `missing`, `unlisted` (a folder without a manifest of ours), `unknown` (it does not answer).
    `applied`: it is the working data; `applying`: these are being made of it just now. `problem`: what holds it up,
    `reason` a word for it.
    """

    state: str
    percent: int = 0
    applied: bool = False
    problem: str | None = None
    reason: str | None = None
    applying: bool = False


class VersionView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One version. `state`: `current`, `accepted`, `void` (accepted once, and rolled back), or `stored` (not put to the
    vote, or not accepted yet).
    """

    version: str
    state: str
    instances: dict[str, AtInstance]
    key: str | None = None
    hash: str | None = None
    files: int = 0
    bytes: int = 0


async def overview(engine: "Engine", service: "ContentService") -> list[VersionView]:
    """The newest versions of which any instance has something, from the newest."""
    members = service.keeper.members
    own = await service.here()
    others = await asyncio.gather(*(_ask(each) for each in members))
    told: dict[str, Here | None] = {own.instance: own, **{m.id: h for m, h in zip(members, others, strict=True)}}
    known: dict[str, None] = {}
    for here in told.values():
        if here is not None:
            known |= dict.fromkeys([*(each.version for each in here.held), *(each.version for each in here.under_way)])
            known |= dict.fromkeys(here.unlisted)
    named = sorted(filter(is_version, known), key=parse, reverse=True)
    return [_view(engine, version, told) for version in named[:MAX_VERSIONS]]


async def _ask(member: Member) -> Here | None:
    try:
        return await ask_here(member, ANSWER_S)
    except PeerFailed:
        return None


def _view(engine: "Engine", version: str, told: dict[str, Here | None]) -> VersionView:
    fold = engine.core.parts.fold
    wanted, settled = engine.core.parts.contents.of(version), fold.leading_to(version)
    answered = [here for here in told.values() if here is not None]
    held = [each for here in answered for each in here.held if each.version == version]
    coming = [each for here in answered for each in here.under_way if each.version == version]
    fetching = [each for each in coming if each.state != "bad"]
    keys = [*(each.key for each in fetching), *(each.key for each in held), *(each.key for each in coming)]
    key = wanted.content.key if wanted is not None else next(iter(keys), None)
    sample = next((each for each in held if each.key == key), None)
    size = next((each.total_bytes for each in coming if each.key == key), 0)
    current = fold.current is not None and fold.current[0] == version
    return VersionView(
        version,
        "current" if current else "stored" if settled is None else "void" if is_void(fold, version) else "accepted",
        {name: _at(version, key, here, current) for name, here in told.items()},
        key,
        settled.payload.hash if settled is not None else sample.root if sample is not None else None,
        sample.files if sample is not None else wanted.content.files if wanted is not None else 0,
        sample.bytes if sample is not None else wanted.content.bytes if wanted is not None else size,
    )


def _at(version: str, key: str | None, here: Here | None, current: bool) -> AtInstance:
    if here is None:
        return AtInstance("unknown")
    applied = here.applied is not None and here.applied.key == key
    keys = {each.key for each in here.held if each.version == version}
    if key in keys:
        applying = here.applying == key
        held_up = current and not applied and not applying
        problem, reason = (here.problem, here.reason) if held_up else (None, None)
        return AtInstance("has", 100, applied, problem, reason, applying)
    for each in here.under_way:
        if each.key == key:
            percent = 100 * each.done_bytes // max(1, each.total_bytes)
            return AtInstance(each.state, percent, applied, each.problem, each.reason)
    return AtInstance("other" if keys else "unlisted" if version in here.unlisted else "missing", 0, applied)
