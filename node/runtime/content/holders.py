"""Which peers hold a content: all are asked at once, and the first that do are enough to begin."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from node.artifacts.store import is_version
from node.protocol.settings import Member
from node.runtime.content.asking import PeerFailed, ask_standing

ASK_S: Final = 5.0
"""What a peer gets to say whether it has it."""
GRACE_S: Final = 0.5
"""What the others get once one has said that it does: enough for two ways round the world, and one that stands still
(SIGSTOP) holds up nobody for longer.
"""


class Holders(NamedTuple):
    """Who holds it, and which version each says it is; what the others said, or that they did not, in words."""

    versions: Mapping[Member, str]
    problems: Mapping[str, str]


async def find_holders(members: Sequence[Member], key: str, ask_s: float = ASK_S) -> Holders:
    """Ask `members` whether they hold the content `key`."""
    asked = {asyncio.create_task(_version_at(member, key, ask_s)): member for member in members}
    versions: dict[Member, str] = {}
    problems: dict[str, str] = {}
    open_: set[asyncio.Task[str | None]] = {*asked}
    try:
        while open_:
            timeout_s = GRACE_S if versions else None
            done, open_ = await asyncio.wait(open_, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in done:
                try:
                    version = task.result()
                except PeerFailed as problem:
                    problems[asked[task].id] = str(problem)
                else:
                    if version is not None:
                        versions[asked[task]] = version
    finally:
        for task in open_:
            task.cancel()
        if open_:
            await asyncio.wait(open_)
    problems |= {asked[task].id: f"{asked[task].id}: no answer yet" for task in open_}
    return Holders({member: versions[member] for member in members if member in versions}, problems)


async def _version_at(member: Member, key: str, ask_s: float) -> str | None:
    """Which version a member says the content is, if it holds it. Raises PeerFailed."""
    standing = await ask_standing(member, key, ask_s)
    if standing.state != "held":
        return None
    if not is_version(standing.version):
        raise PeerFailed(member.id, f"says that it is version {standing.version[:100]!r}, which is none")
    return standing.version
