"""Versions and their content, for people and programs: what is where, publishing, checking, going back.

A path is taken only from this machine: whoever may name folders of a node may read them.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from node.api.answers import Refused, bad_request, encode, headers
from node.api.bodies import Own, Query, Text
from node.api.call import BodyT, Call, QueryT
from node.api.contents import service
from node.api.exchange import Stream
from node.artifacts.blobs import check_blob
from node.artifacts.entries import CATEGORIES, FileEntry
from node.artifacts.errors import ContentError, ContentMissing
from node.artifacts.layout import META_NAME
from node.artifacts.manifest import Manifest
from node.artifacts.portions import portions
from node.artifacts.store import Holding, Store, is_version
from node.config.instances import is_loopback
from node.protocol.requests import Refusal
from node.runtime.content.comparison import Comparison, compare_versions
from node.runtime.content.overview import VersionView, overview
from node.runtime.content.publishing import JobView, Stored
from node.runtime.content.shapes import Here, Standing

BATCH = 64
BEAT_S = 15.0
CONTENT_STATUS = 409


class StoreBody(Own):
    """`path`: a folder on the node's own machine, absolute."""

    path: Text
    version: Text


class DiffOf(Own):
    """Two versions that are here."""

    from_: Text = msgspec.field(name="from")
    to: Text


class ChangesQuery(Query, frozen=True):
    """`base`: the version to start from; `limit`: how many objects and files of each list are given."""

    base: Text
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class PublishStored(Stored, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a job said it stored, and a signature of it."""

    signature: Text | None = None


class VerifyBody(Own):
    """`sample`: the part of the files that is read, up to 1."""

    version: Text
    sample: Annotated[float, Meta(gt=0, le=1)] = 1.0


class PruneBody(Own):
    """`keep`: how many of the newest versions stay."""

    keep: Annotated[int, Meta(ge=1)]
    dry_run: bool = False


class PullBody(Own):
    """A version that was accepted with its content."""

    version: Text


class Pruned(msgspec.Struct, frozen=True, rename="camel"):
    """Versions that were dropped, or would be."""

    versions: list[str]
    dry_run: bool


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """A version whose content is here."""

    version: str
    key: str
    root: str
    created_at: str
    files: int
    bytes: int
    types: dict[str, int]


async def versions(call: Call[None, None]) -> list[VersionView]:
    """All versions, and who has their content."""
    with _content_faults():
        return await overview(call.engine, service(call))


async def here(call: Call[None, None]) -> Here:
    """All content of this node."""
    with _content_faults():
        return await service(call).here()


async def store(call: Call[None, StoreBody]) -> JobView:
    """Take a folder of this machine as the content of a version: begins a job."""
    _local(call)
    path = Path(_version_of(call.body.version) and call.body.path)
    if not path.is_absolute():
        raise bad_request(f"path: expected an absolute path, got {call.body.path!r}", "path", "not_absolute")
    return service(call).publisher.store(path, call.body.version)


async def make_diff(call: Call[None, DiffOf]) -> JobView:
    """Make the diff between two versions that are here: begins a job."""
    return service(call).publisher.make_diff(_version_of(call.body.from_), _version_of(call.body.to))


async def publish(call: Call[None, PublishStored]) -> JobView:
    """Bring stored content to enough voters and put it to the vote: begins a job."""
    body = call.body
    stored = Stored(body.kind, _version_of(body.version), body.hash, body.content, body.base)
    return service(call).publisher.publish(stored, body.signature, call.trace)


async def job(call: Call[None, None]) -> JobView:
    """How far a job is."""
    found = service(call).publisher.job(call.path[0])
    if found is None:
        raise Refused(Refusal("not_here", "no such job here; the node may have been restarted since: begin again"))
    return found


async def verify(call: Call[None, VerifyBody]) -> JobView:
    """Read and hash the files of a version, all or a part: begins a job."""
    return service(call).publisher.verify(_version_of(call.body.version), call.body.sample)


async def prune(call: Call[None, PruneBody]) -> Pruned:
    """Drop old versions at this node."""
    return Pruned(await service(call).keeper.prune(call.body.keep, call.body.dry_run), call.body.dry_run)


async def pull(call: Call[None, PullBody]) -> Standing:
    """Fetch the content of an accepted version to this node."""
    version, kept = _version_of(call.body.version), service(call)
    wanted = call.engine.core.parts.contents.of(version)
    if wanted is None:
        raise Refused(Refusal("not_here", f"no accepted version {version} that content came with is known"))
    kept.keeper.pull(wanted)
    return await kept.standing(wanted.content.key)


async def summary(call: Call[None, None]) -> Summary:
    """What a version here consists of, though it may not be accepted yet."""
    kept, version = service(call), _version_of(call.path[0])
    with _content_faults():
        return await kept.keeper.run(lambda: _summary(kept.keeper.store.manifest(kept.publisher.holding(version))))


def _summary(manifest: Manifest) -> Summary:
    types: dict[str, int] = {}
    for entry in manifest.entries:
        types[entry.type] = types.get(entry.type, 0) + 1
    size = (manifest.count, manifest.size_bytes)
    return Summary(manifest.version, manifest.key, manifest.root, manifest.created_at, *size, types)


async def changes(call: Call[ChangesQuery, None]) -> Comparison:
    """What differs between two versions that are here."""
    kept, base, version = service(call), _version_of(call.query.base), _version_of(call.path[0])

    def compare() -> Comparison:
        holding = kept.publisher.holding
        return compare_versions(kept.keeper.store, holding(base), holding(version), call.query.limit)

    with _content_faults():
        return await kept.keeper.run(compare)


async def data(call: Call[None, None]) -> Stream:
    """The snapshot's data: its meta, and the objects of each category."""
    store, holding = await _holding(call)
    chunks = _data(call, store, holding)
    return Stream(chunks, b"application/json", headers(call.trace, call.now.wall_ms), b" ", BEAT_S)


async def _data(call: Call[None, None], store: Store, holding: Holding) -> AsyncGenerator[bytes, None]:
    manifest = await asyncio.to_thread(store.manifest, holding)
    meta = [entry for entry in manifest.others if entry.path == META_NAME]
    described = (await asyncio.to_thread(_objects, store, holding, meta))[0] if meta else b"null"
    said = (encode(manifest.version), encode(manifest.root), described)
    yield b'{"success":true,"data":{"version":%b,"root":%b,"meta":%b' % said
    for category in CATEGORIES:
        yield b',"%b":[' % category.encode()
        separator = b""
        for entries in portions((entry for entry in manifest.files if entry.type == category), BATCH):
            yield separator + b",".join(await asyncio.to_thread(_objects, store, holding, entries))
            separator = b","
        yield b"]"
    yield b'},"meta":{"timestamp":%d,"traceId":"%b"}}' % (call.now.wall_ms, call.trace.encode())


def _objects(store: Store, holding: Holding, entries: list[FileEntry]) -> list[bytes]:
    """The JSON of files; null for one that is none, or not what it was."""
    found = []
    for entry in entries:
        try:
            content = store.read(holding, entry)
            check_blob(entry, content)
            msgspec.json.decode(content, type=msgspec.Raw)
        except (ContentError, ValueError, RecursionError):
            content = b"null"
        found.append(content)
    return found


def _local(call: Call[QueryT, BodyT]) -> None:
    if not is_loopback(call.request.client):
        detail = "a folder is taken only from a client on the node's own machine; run the command there"
        raise Refused(Refusal("not_local", detail, "path"))


@contextlib.contextmanager
def _content_faults() -> Iterator[None]:
    try:
        yield
    except ContentMissing as problem:
        raise Refused(Refusal("not_here", str(problem))) from problem
    except ContentError as problem:
        raise Refused(Refusal("content_fault", str(problem)), CONTENT_STATUS) from problem


def _version_of(text: str) -> str:
    if not is_version(text) or os.sep in text:
        detail = f"version: {text!r} is neither like 1.2.0 nor like 20250131-120000"
        raise bad_request(detail, "version", "bad_version")
    return text


async def _holding(call: Call[None, None]) -> tuple[Store, Holding]:
    store, version = service(call).keeper.store, _version_of(call.path[0])
    with _content_faults():
        found = await service(call).keeper.run(lambda: store.installed(version))
    if found is None:
        raise Refused(Refusal("not_here", f"version {version} is not here; pull it, or ask another instance"))
    return store, found
