"""No path in a manifest can leave its folder, or mean two things."""

import os
import unicodedata
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.artifacts.errors import BadPath
from node.artifacts.paths import MAX_PART_BYTES, MAX_PARTS, MAX_PATH_BYTES, check_path, check_paths, fold

_likely = st.lists(
    st.sampled_from(("a", "A", "b.json", "труба", "Ёлка", "x y", "con", "Con.json", "com¹", "⒈", "x.", "ﬁ", "")),
    max_size=3,
).map("/".join)

HOSTILE = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "series/../../x",
    "series/..",
    "./x",
    "series//x.json",
    "series/",
    "series/./x",
    "a\\..\\b",
    "C:/x",
    "c:x",
    "x.json:stream",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\u202eb",
    "a\u200bb",
    "a\ue000",
    "\ud800",
    "CON",
    "series/nul.json",
    "com1",
    "LPT9.tar.gz",
    "com¹.json",
    "conin$",
    "x.",
    "x ",
    "series/x. /y",
    "...",
    "e\u0301.json",
    "x" * (MAX_PART_BYTES + 1),
    "я" * (MAX_PART_BYTES // 2 + 1),
    "/".join(["x"] * (MAX_PARTS + 1)),
    "/".join(["x" * 200] * (MAX_PATH_BYTES // 200 + 1)),
]


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_hostile_path_is_refused_by_name(path: str) -> None:
    with pytest.raises(BadPath) as refused:
        check_path(path)
    assert refused.value.path == path
    assert "rename the file" in str(refused.value)


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_hostile_path_is_refused_among_usual_ones(path: str) -> None:
    with pytest.raises(BadPath) as refused:
        check_paths(["models/a.json", path, "series/труба 20°.json"])
    assert refused.value.path == path


@given(st.lists(st.one_of(_likely, st.text(max_size=6)), max_size=12))
def test_many_are_taken_as_each_is(paths: list[str]) -> None:
    def verdict(check: Callable[[], object]) -> bool:
        try:
            check()
        except BadPath:
            return False
        return True

    expected = all(verdict(partial(check_path, path)) for path in paths)
    folded = [fold(path) for path in paths]
    folders = {"/".join(path.split("/")[:end]) for path in paths for end in range(1, path.count("/") + 1)}
    names = folded + [fold(folder) for folder in folders]
    assert verdict(partial(check_paths, paths)) == (expected and len(names) == len(set(names)))


@pytest.mark.parametrize(
    "path",
    [
        "series/ппр-труба.json",
        "lengths/отвод 90°/2000 мм.json",
        "models/ёлка №5 (синяя).json",
        "models/日本.json",
        "a.b.c/..d/.hidden",
        "console.json",
        "com10.json",
        "x" * MAX_PART_BYTES,
    ],
)
def test_usual_path_is_taken(path: str) -> None:
    check_path(path)


@given(st.lists(st.one_of(st.sampled_from(("..", ".", "", "a", "CON", "x ")), st.text(max_size=6)), max_size=6))
def test_what_is_taken_stays_in_its_folder(parts: list[str]) -> None:
    path = "/".join(parts)
    try:
        check_path(path)
    except BadPath:
        return
    assert os.path.normpath(os.path.join("/root/of/version", path)) == f"/root/of/version/{path}"
    assert not path.startswith("/")
    assert unicodedata.normalize("NFC", path) == path
    assert path.encode().decode() == path
    assert not any(unicodedata.category(char).startswith("C") for char in path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.json", "A.json"),
        ("series/Труба.json", "series/труба.json"),
        ("straße", "STRASSE"),
        ("Series/a", "series/b"),
        ("ﬁ", "fi"),
        ("a", "a/b"),
        ("A", "a/b"),
        ("x/y/z", "x/Y"),
        ("a", "a"),
    ],
)
def test_clashes_are_refused_in_any_order(one: str, other: str) -> None:
    for paths in ([one, other], [other, one], ["0", one, "zz", other]):
        with pytest.raises(BadPath):
            check_paths(paths)


def test_neighbours_do_not_clash() -> None:
    check_paths(["a/b", "a/c", "ab", "a.b", "a-b/c", "lengths/m1/x", "lengths/m2/x"])
