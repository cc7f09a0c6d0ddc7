"""Trees of files for tests: strategies, and the way to the disk and back."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from hypothesis import strategies as st

from node.artifacts.checks import check_tree
from node.artifacts.entries import category
from node.artifacts.errors import BadPath
from node.artifacts.intake import take_tree
from node.artifacts.layout import META_NAME, Layout
from node.artifacts.limits import ContentLimits
from node.artifacts.store import Holding, Store

CREATED_AT = "2026-11-23T10:00:00.000Z"
SMALL = ContentLimits(reserve_bytes=1)

Tree = Mapping[str, bytes]

OLD: dict[str, bytes] = {
    "series/труба.json": b'{"series":"ppr","title":"\xd0\xa2\xd1\x80\xd1\x83\xd0\xb1\xd0\xb0"}',
    "models/отвод-90.json": b'{"slug":"otvod-90","price":10}',
    "lengths/отвод-90/2000.json": b'{"slug":"2000","price":3}',
    "seo/index.json": b'{"title":"old"}',
}
NEW: dict[str, bytes] = {
    "series/труба.json": OLD["series/труба.json"],
    "models/отвод-90.json": b'{"slug":"otvod-90","price":11}',
    "models/отвод-45.json": b'{"slug":"otvod-45","price":8}',
    "seo/index.json": b'{"title":"new"}',
    "seo/logo.bin": bytes(range(256)),
}


def _fitting(tree: Tree) -> Tree:
    """The files of `tree` that one manifest may have; one more where none counts for the root."""
    fit: dict[str, bytes] = {}
    for path, data in tree.items():
        try:
            check_tree([*fit, path])
        except BadPath:
            continue
        fit[path] = data
    return fit if any(map(category, fit)) else fit | {"series/a.json": b"{}"}


_names = st.one_of(
    st.sampled_from(("a", "b", "1000", "труба", "отвод-90", "Ёлка", "x.y", "ß", "日本")),
    st.text("aB. -яЁ😀\u0301/\\\0", min_size=1, max_size=5),
)
_paths = st.one_of(
    st.builds("{}/{}.json".format, st.sampled_from(("series", "models", "lengths", "lengths/m1", "seo")), _names),
    st.builds("{}/{}".format, _names, _names),
)
_values = st.one_of(st.integers(-5, 5), st.text("aя😀\0", max_size=4), st.none())
_objects = st.dictionaries(st.sampled_from(("slug", "series", "model_code", "id", "price", "title")), _values)


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


_contents = st.one_of(
    st.binary(max_size=40),
    st.one_of(_objects, st.lists(_objects, max_size=3)).map(_encoded),
)

trees = st.dictionaries(_paths, _contents, max_size=8).map(_fitting)
"""Any tree that a version may be."""


def lay(folder: Path, tree: Tree) -> Path:
    """Write a tree below `folder`."""
    for path, data in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def found_in(folder: Path) -> dict[str, bytes]:
    """The tree below `folder`, without a snapshot's `meta.json`."""
    return {
        os.path.relpath(os.path.join(place, name), folder): Path(place, name).read_bytes()
        for place, _, names in os.walk(folder)
        for name in names
        if os.path.join(place, name) != os.path.join(folder, META_NAME)
    }


def store_at(root: Path, limits: ContentLimits = SMALL) -> Store:
    """A store ready for use."""
    store = Store(Layout(root), limits)
    store.recover()
    return store


def installed(store: Store, folder: Path, version: str, tree: Tree) -> Holding:
    """A version that consists of `tree`; `folder` is for its source."""
    return store.install(take_tree(store, lay(folder, tree), version, CREATED_AT).key)
