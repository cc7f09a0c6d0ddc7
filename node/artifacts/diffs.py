"""Diff files: what leads from one version to the next, readable by IWDC's tools and exact for ours.

`{"meta":{"fromVersion","toVersion","generatedAt"},"summary":{<category>:{"added","removed","changed"}},<category>:{
"added":[obj],"removed":[obj],"changed":[{"from":obj,"to":obj}]}}`, with one addition in `meta` that IWDC's tools pass
over: objects do not say which file they stand in, nor how its bytes go, so `content` has the changes of the manifest
and the bytes of each new file. From the base and these alone the target is rebuilt, byte for byte, and nothing is taken
on trust: the base must be exactly the one the diff was made from, every file must have its hash, the whole its key.

The bytes are a function of the two versions (`generatedAt` is the target's `createdAt`), so the same diff made anywhere
has the same hash: the SHA-256 of the file.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node.artifacts.alignment import differences
from node.artifacts.blobs import check_blob, in_pieces
from node.artifacts.changes import Changes, changes_between, rebuild
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadDiff, ContentError, ContentMissing, TooMuch, WrongBase, typed
from node.artifacts.incoming import Incoming
from node.artifacts.limits import BLOCK_BYTES, ContentLimits
from node.artifacts.objects import CategoryChanges, Counts, compare_objects, summary
from node.artifacts.store import Holding, Store, is_version
from node.artifacts.system import write_durable


class Blob(msgspec.Struct, frozen=True, omit_defaults=True):
    """The bytes of one file: UTF-8 as `text`, anything else as `base64`."""

    text: str | None = None
    base64: str | None = None


class DiffContent(msgspec.Struct, frozen=True):
    """Our addition. `blobs`: hash -> bytes, of every file in `changes` that the base does not have."""

    changes: Changes
    blobs: dict[str, Blob]


class DiffMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What the diff leads from and to. `content` None: made by IWDC, for reading only."""

    from_version: str
    to_version: str
    generated_at: str
    content: DiffContent | None = None


class _Document(msgspec.Struct, frozen=True):
    meta: DiffMeta
    summary: dict[str, Counts]
    series: CategoryChanges
    models: CategoryChanges
    lengths: CategoryChanges


class _Read(msgspec.Struct, frozen=True):
    meta: DiffMeta


@dataclass(frozen=True, slots=True)
class Diff:
    """A diff file that was read. `hash` is the SHA-256 of its bytes, as its proposal carries it."""

    from_version: str
    to_version: str
    hash: str
    content: DiffContent | None


def compare(store: Store, base: Holding, target: Holding) -> dict[str, CategoryChanges]:
    """The objects that differ between two versions, by category.

    Raises TooMuch if the files that differ are too large to be compared, BadContent if one has rotted, ContentMissing,
    ContentFault.
    """
    old, new = store.manifest(base), store.manifest(target)
    gone, fresh = list[FileEntry](), list[FileEntry]()
    for one, other in differences(old.files, new.files):
        gone += [] if one is None else [one]
        fresh += [] if other is None else [other]
    check_size(f"bytes that differ between {old.version} and {new.version}", [*gone, *fresh], store.limits)
    return compare_objects(_contents(store, base, gone), _contents(store, target, fresh))


def make_diff(store: Store, base: Holding, target: Holding) -> bytes:
    """The diff file that leads from `base` to `target`. Raises as `compare`."""
    changes = changes_between(store.manifest(base), store.manifest(target))
    wanted = {entry.hash: entry for entry in changes.entries}
    for hashes in store.manifest(base).hashes():
        for known in wanted.keys() & set(hashes):
            del wanted[known]
    check_size(f"bytes that are new in {target.version}", wanted.values(), store.limits)
    blobs = {
        entry.hash: _packed(data)
        for entry, (_, data) in zip(wanted.values(), _contents(store, target, wanted.values()), strict=True)
    }
    objects = compare(store, base, target)
    meta = DiffMeta(base.version, target.version, changes.created_at, DiffContent(changes, dict(sorted(blobs.items()))))
    data = msgspec.json.encode(_Document(meta, summary(objects), **objects))
    _check_length(len(data), store.limits)
    return data


def check_size(what: str, entries: Iterable[FileEntry], limits: ContentLimits) -> None:
    """Raises TooMuch if these files are more than a diff may carry."""
    total = sum(entry.size for entry in entries)
    if total > limits.max_diff_bytes:
        raise TooMuch(f"{what} (a snapshot has no such bound)", total, "max_diff_bytes", limits.max_diff_bytes)


def _check_length(length: int, limits: ContentLimits) -> None:
    if length > limits.max_diff_bytes:
        raise TooMuch("bytes of the diff", length, "max_diff_bytes", limits.max_diff_bytes)


def _contents(store: Store, holding: Holding, entries: Iterable[FileEntry]) -> Iterator[tuple[str, bytes]]:
    """Path and verified bytes of each."""
    for entry in entries:
        data = store.read(holding, entry)
        check_blob(entry, data)
        yield entry.path, data


def _packed(data: bytes) -> Blob:
    try:
        return Blob(text=data.decode())
    except UnicodeDecodeError:
        return Blob(base64=base64.b64encode(data).decode())


def read_diff(data: bytes, limits: ContentLimits) -> Diff:
    """Read a diff file. Raises BadDiff, TooMuch."""
    _check_length(len(data), limits)
    try:
        meta = msgspec.json.decode(data, type=_Read).meta
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadDiff(f"the diff cannot be read: {error}") from error
    for version in (meta.from_version, meta.to_version):
        if not is_version(version):
            raise BadDiff(f"the diff names {version[:100]!r}, which is no version")
    content = meta.content
    if content is not None and content.changes.version != meta.to_version:
        raise BadDiff(f"the diff says that it leads to {meta.to_version!r}, and its content is another version's")
    return Diff(meta.from_version, meta.to_version, hashlib.sha256(data).hexdigest(), content)


def build_target(store: Store, diff: Diff) -> Holding:
    """Hold the version that `diff` leads to, rebuilt from the base that is here. Repeating it is harmless.

    Raises ContentMissing (no base here), WrongBase, BadDiff, BadPath, TooMuch, BadContent, NoSpace, ContentFault.
    """
    if diff.content is None:
        raise BadDiff(
            f"the diff {diff.from_version} -> {diff.to_version} has no content of files, only objects to read; "
            f"pull {diff.to_version} whole"
        )
    base = find_base(store, diff.from_version, diff.content.changes.base)
    target = rebuild(store.manifest(base), diff.content.changes, store.limits)
    if (known := store.find(target.key)) is not None:
        return known
    try:
        with store.receiving(target) as incoming:
            incoming.reuse([(store.manifest(base), base.files)])
            _fill(incoming, diff.content.blobs)
            return store.finish(incoming)
    except ContentError:
        store.abandon(target.key)
        raise


def _fill(incoming: Incoming, blobs: Mapping[str, Blob]) -> None:
    """Put what the diff brings."""
    for lacking in incoming.missing():
        place, entry = lacking
        blob = blobs.get(entry.hash)
        if blob is None:
            raise BadDiff(f"neither the diff nor its base has the content of {entry.path!r}")
        data = _unpacked(entry, blob)
        if not entry.blocks:
            incoming.put(lacking, data)
            continue
        check_blob(entry, data)
        with closing(incoming.large(lacking)) as large:
            for block in large.missing():
                incoming.write(large, block, in_pieces(data[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]))
            incoming.finish_large(place, large)


def _unpacked(entry: FileEntry, blob: Blob) -> bytes:
    try:
        return blob.text.encode() if blob.text is not None else base64.b64decode(blob.base64 or "", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadDiff(f"the diff's content of {entry.path!r} cannot be read: {error}") from error


def find_base(store: Store, version: str, tree: str) -> Holding:
    """The holding of `version` with this tree hash. Raises ContentMissing, WrongBase."""
    candidates = [each for each in store.holdings() if each.version == version]
    for each in candidates:
        if store.manifest(each).tree == tree:
            return each
    if not candidates:
        raise ContentMissing(f"the base {version} is not here; pull it, or the version that the diff leads to")
    raise WrongBase(f"the diff was made from other content than {version} has here; pull its target whole")


def save_diff(store: Store, data: bytes) -> Path:
    """Keep a diff file in its place, durable. Raises BadDiff, TooMuch, ContentFault."""
    diff = read_diff(data, store.limits)
    path = store.layout.diff(diff.from_version, diff.to_version)
    with typed(path):
        write_durable(path, data)
    return path
