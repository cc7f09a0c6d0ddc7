"""Members asked how content stands with them: short questions, and any can be given up at any time."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from node.protocol.settings import Member
from node.runtime.content.shapes import CONTENTS, HERE, Here, Stage, Standing
from node.runtime.oneshot import NoAnswer, exchange

MAX_ANSWER_BYTES: Final = 1024 * 1024
OK: Final = 200

T = TypeVar("T")


class PeerFailed(Exception):
    """A peer could not be asked, or its answer makes no sense: `why`. `slow`: it did not answer in time."""

    def __init__(self, peer: str, why: str, slow: bool = False) -> None:
        super().__init__(f"{peer}: {why}")
        self.why = why
        self.slow = slow


class _Answered(msgspec.Struct, Generic[T]):
    data: T


_standing = msgspec.json.Decoder(_Answered[Standing]).decode
_here = msgspec.json.Decoder(_Answered[Here]).decode


async def ask_standing(member: Member, key: str, answer_s: float) -> Standing:
    """How content stands there. Raises PeerFailed."""
    return await _ask(member, "GET", f"{CONTENTS}/{key}", None, answer_s, _standing)


async def ask_to_stage(member: Member, stage: Stage, answer_s: float) -> Standing:
    """Have it hold content. Raises PeerFailed."""
    path = f"{CONTENTS}/{stage.content.key}/stage"
    return await _ask(member, "POST", path, msgspec.json.encode(stage), answer_s, _standing)


async def ask_here(member: Member, answer_s: float) -> Here:
    """All its content. Raises PeerFailed."""
    return await _ask(member, "GET", HERE, None, answer_s, _here)


async def _ask(
    member: Member, method: str, path: str, body: bytes | None, answer_s: float, decode: Callable[[bytes], _Answered[T]]
) -> T:
    try:
        status, content = await exchange(member.url, method, f"/{path}", body, answer_s, MAX_ANSWER_BYTES)
    except NoAnswer as problem:
        raise PeerFailed(member.id, str(problem), problem.slow) from problem
    if status != OK:
        raise PeerFailed(member.id, f"answered {status} to {path}: {reason_of(content)}")
    try:
        return decode(content).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerFailed(member.id, f"its answer cannot be read: {error}") from error


def reason_of(refusal: bytes) -> str:
    """What the body of a refusal says."""
    try:
        return str(msgspec.json.decode(refusal)["error"])[:300]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return "no reason given"
