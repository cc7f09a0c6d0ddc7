"""What members ask one another about content: who has it, its manifest, its bytes, and to hold it before a vote."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from node.api.answers import Refused, bad_request, headers
from node.api.bodies import Query
from node.api.bulk import Bulk
from node.api.call import BodyT, Call, QueryT
from node.artifacts.blobs import read_file
from node.artifacts.errors import ContentError
from node.artifacts.store import Holding, is_key, is_version
from node.protocol.requests import Refusal
from node.runtime.content.service import ContentService
from node.runtime.content.serving import BadParts, Piece, size_of
from node.runtime.content.shapes import BYTES_TYPE, CHANGES_TYPE, MANIFEST_TYPE, Parts, Stage, Standing

if TYPE_CHECKING:
    from node.artifacts.store import Store


T = TypeVar("T")


class ManifestQuery(Query, frozen=True):
    """`base`: the key of a manifest that the asker has; what differs from it may be given instead."""

    base: str | None = None


def service(call: Call[QueryT, BodyT]) -> ContentService:
    """The content of this node. Raises Refused where it keeps none."""
    found = call.engine.content
    if not isinstance(found, ContentService):
        raise Refused(Refusal("not_here", "this node keeps no content"))
    return found


async def standing(call: Call[None, None]) -> Standing:
    """How a content stands at this node."""
    return await service(call).standing(_key(call))


async def stage(call: Call[None, Stage]) -> Standing:
    """Hold content that will be proposed; ask again until it is held."""
    kept, wanted = service(call), call.body.wanted()
    if wanted.content.key != _key(call) or not is_version(wanted.version):
        raise bad_request("content: expected the key in the path, and a version", "content")
    found = await kept.standing(wanted.content.key)
    if found.state == "held":
        return found
    staged = kept.keeper.stage(wanted)
    if staged is None:
        raise Refused(Refusal("too_many", "too many contents are staged here; wait for their verdicts"))
    return staged


async def manifest(call: Call[ManifestQuery, None]) -> Bulk:
    """The manifest of a content, or what differs from one that the asker has."""
    base, sender = call.query.base, service(call).keeper.sender

    def look(store: "Store", holding: Holding) -> tuple[bytes, bytes]:
        found = store.manifest(holding)
        for each in store.bases(holding.version) if base is not None else ():
            if each.key == base and (changes := sender.changes(store.manifest(each), found)) is not None:
                return CHANGES_TYPE.encode(), changes
        return MANIFEST_TYPE.encode(), found.document

    content_type, body = await _looked(call, look)

    def send(sock: socket.socket) -> None:
        sock.sendall(body)

    return Bulk(len(body), send, content_type, headers(call.trace, call.now.wall_ms))


async def parts(call: Call[None, Parts]) -> Bulk:
    """Pieces of a content's files, one after another."""
    wanted, sender = call.body.parts, service(call).keeper.sender

    def look(_: "Store", holding: Holding) -> tuple[Holding, list[Piece]]:
        return holding, sender.pieces(holding, wanted)

    try:
        holding, pieces = await _looked(call, look)
    except BadParts as problem:
        raise bad_request(str(problem), "parts") from problem

    def send(sock: socket.socket) -> None:
        sender.send(holding, pieces, sock)

    return Bulk(size_of(pieces), send, BYTES_TYPE.encode(), headers(call.trace, call.now.wall_ms))


async def diff(call: Call[None, None]) -> Bulk:
    """A diff file."""
    kept, (base, version) = service(call), call.path
    if not (is_version(base) and is_version(version)):
        raise bad_request("path: expected two versions")
    path = kept.keeper.store.layout.diff(base, version)
    try:
        data = await kept.keeper.run(lambda: read_file(str(path)))
    except OSError as problem:
        raise Refused(Refusal("not_here", f"the diff {base} -> {version} is not here")) from problem

    def send(sock: socket.socket) -> None:
        sock.sendall(data)

    return Bulk(len(data), send, b"application/json", headers(call.trace, call.now.wall_ms))


def _key(call: Call[QueryT, BodyT]) -> str:
    key = call.path[0]
    if not is_key(key):
        raise bad_request("key: expected 64 lower-case hex digits", "key")
    return key


async def _looked(call: Call[QueryT, BodyT], look: "Callable[[Store, Holding], T]") -> T:
    """Look at content of this node, in a thread. Raises Refused where there is none, and what `look` does."""
    store: Store = service(call).keeper.store
    key = _key(call)

    def find() -> T:
        found = store.find(key)
        if found is None:
            raise Refused(Refusal("not_here", f"content {key} is not here"))
        return look(store, found)

    try:
        return await service(call).keeper.run(find)
    except ContentError as problem:
        raise Refused(Refusal("content_fault", str(problem)), 500) from problem
