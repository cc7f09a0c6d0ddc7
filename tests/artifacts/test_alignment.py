"""Two lists side by side: equal runs and what differs, together all of both, whatever their lengths."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.artifacts.alignment import SAMPLE, Same, aligned, differences, seem_unlike
from node.artifacts.entries import Entries, FileEntry
from node.artifacts.manifest import compose
from tests.artifacts.trees import CREATED_AT

Listed = dict[int, int]
"""Number of a file -> what is in it."""


def entries_of(files: Listed) -> Entries:
    entries = [FileEntry(f"series/{number:04}.json", f"{data:064}", data, "series") for number, data in files.items()]
    return compose("1.0.0", CREATED_AT, sorted(entries, key=lambda entry: entry.path)).files


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Listed, Listed]:
    """Two lists that are mostly one, as versions are: with files changed, removed and added anywhere."""
    old = dict.fromkeys(range(draw(st.integers(0, 1_500))), 0)
    edits = draw(st.dictionaries(st.integers(0, 1_600), st.sampled_from((0, 1, None)), max_size=60))
    new = old | {number: data for number, data in edits.items() if data is not None}
    first, length = draw(st.integers(0, 1_500)), draw(st.integers(0, 700))
    doomed = {number for number, data in edits.items() if data is None} | set(range(first, first + length))
    return old, {number: data for number, data in new.items() if number not in doomed}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs(), st.booleans())
def test_all_of_both_in_order(pair: tuple[Listed, Listed], turned: bool) -> None:
    old, new = map(entries_of, pair[::-1] if turned else pair)
    olds, news = list(old), list(new)
    at_old = at_new = 0
    for each in aligned(old, new):
        if isinstance(each, Same):
            assert (each.one, each.other) == (at_old, at_new)
            assert olds[at_old : at_old + each.length] == news[at_new : at_new + each.length]
            at_old, at_new = at_old + each.length, at_new + each.length
            continue
        one, other = each
        assert one != other
        assert one is None or other is None or one.path == other.path
        if one is not None:
            assert olds[at_old] == one
            at_old += 1
        if other is not None:
            assert news[at_new] == other
            at_new += 1
    assert (at_old, at_new) == (len(olds), len(news))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs())
def test_what_differs_is_told_by_path(pair: tuple[Listed, Listed]) -> None:
    old, new = ({entry.path: entry for entry in entries_of(each)} for each in pair)
    expected = [(old.get(path), new.get(path)) for path in sorted(old | new) if old.get(path) != new.get(path)]
    found = list(differences(entries_of(pair[0]), entries_of(pair[1])))
    assert found == expected


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pairs())
def test_equal_lists_never_seem_unlike_and_strange_ones_always_do(pair: tuple[Listed, Listed]) -> None:
    old, new = pair
    known = [number for number in old if number in new and new[number] == old[number]]
    if new and all(number in known for number in new):
        assert not seem_unlike(entries_of(old), entries_of(new))
    if not known:
        assert seem_unlike(entries_of(old), entries_of(new))


def test_one_entry_in_so_many_is_enough_to_be_alike() -> None:
    old = dict.fromkeys(range(10 * SAMPLE), 0)
    new = {number: int(number % 10 != 0) for number in old}
    assert not seem_unlike(entries_of(old), entries_of(new))
