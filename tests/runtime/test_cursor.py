"""Cursors are opaque, equal on every node, and never trusted (V3)."""

import base64
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.runtime.cursor import MAX_CURSOR_CHARS, MAX_SEQ, BadCursor, decode_cursor, encode_cursor

vectors = st.dictionaries(st.text(min_size=1, max_size=40), st.integers(0, MAX_SEQ), max_size=20)


@given(vectors)
def test_round_trip(vector: dict[str, int]) -> None:
    text = encode_cursor(vector)
    assert decode_cursor(text) == vector
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(vectors)
def test_equal_vectors_give_equal_text(vector: dict[str, int]) -> None:
    assert encode_cursor(dict(reversed(list(vector.items())))) == encode_cursor(vector)


@given(st.text(max_size=80))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    vector = {}
    with contextlib.suppress(BadCursor):
        vector = decode_cursor(text)
    assert all(0 <= seq <= MAX_SEQ for seq in vector.values())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("ключ", "not base64url"),
        ("a b", "not base64url"),
        ("A", "not base64url"),
        (_text(b"\x09\x80"), "format 9, this node reads format 1"),
        (_text(b"\x01"), "damaged"),
        (_text(b"\x01\x91\x01"), "damaged"),
        (_text(b"\x01" + msgspec.msgpack.encode({"j": -1})), "out of range"),
        (_text(b"\x01" + msgspec.msgpack.encode({"j": 2**64 - 1})), "out of range"),
        (_text(b"\x01" + b"\x91" * 5000), "damaged"),
        ("A" * (MAX_CURSOR_CHARS + 1), "at most"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(BadCursor, match=problem):
        decode_cursor(text)
