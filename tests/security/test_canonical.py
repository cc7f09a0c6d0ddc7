"""The canonical form is fixed and unambiguous (P3)."""

from hypothesis import given
from hypothesis import strategies as st

from node.protocol.canonical import signed_bytes

KINDS = st.sampled_from(["snapshot", "diff", "rollback"])
TEXT = st.text(max_size=12)


def test_snapshot_form_is_as_documented() -> None:
    assert signed_bytes("prod-eu", "snapshot", None, "1.2.0", "abc123") == (
        b"iwdc-proposal-v1\ncluster=7:prod-eu\nkind=8:snapshot\nversion=5:1.2.0\nhash=6:abc123\n"
    )


def test_diff_form_is_as_documented() -> None:
    assert signed_bytes("default", "diff", "1.1.0", "1.2.0", "def456") == (
        b"iwdc-proposal-v1\ncluster=7:default\nkind=4:diff\nfrom=5:1.1.0\nversion=5:1.2.0\nhash=6:def456\n"
    )


def test_lengths_count_utf8_bytes() -> None:
    assert b"cluster=10:\xd1\x81\xd0\xba\xd0\xbb\xd0\xb0\xd0\xb4\n" in signed_bytes("склад", "snapshot", None, "1", "a")


@given(st.tuples(TEXT, KINDS, st.none() | TEXT, TEXT, TEXT), st.tuples(TEXT, KINDS, st.none() | TEXT, TEXT, TEXT))
def test_different_proposals_never_share_their_bytes(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    assert (signed_bytes(*one) == signed_bytes(*other)) == (one == other)


def test_a_value_cannot_pose_as_another_field() -> None:
    honest = signed_bytes("c", "snapshot", None, "1.0.0", "a")
    posing = signed_bytes("c\nkind=8:snapshot\nversion=5:1.0.0", "snapshot", None, "1.0.0", "a")
    assert honest != posing
    assert signed_bytes("c", "snapshot", None, "\ud800", "a") != honest


def test_content_is_signed_where_it_comes_with_the_proposal() -> None:
    bare = signed_bytes("c", "snapshot", None, "1.0.0", "a")
    assert signed_bytes("c", "snapshot", None, "1.0.0", "a", "key") == bare + b"content=3:key\n"
