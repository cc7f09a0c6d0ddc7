"""What is committed is there again, in the same form; floors, order, queries."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.journal import Journal, JournalClosed, JournalFull, JournalOrder, log_file, schema, store
from node.protocol.control_state import apply_entry, copy_state
from node.protocol.events import Event
from node.protocol.records import (
    Appended,
    Configured,
    ControlAppended,
    ControlReplaced,
    ControlState,
    Durable,
    FloorReached,
    Grant,
    Identity,
    LockRecord,
    PeerJournal,
    Record,
    Vote,
)
from tests.journal.samples import appended, event, floor, listing, lock_entries

FLOOR = floor({"ja": 2, "jb": 1}, current="1.0.0", settled=[["1.0.0", "abc", {"k": None}]])
STATE = ControlState(4, {"r": LockRecord("r", "o", "A", 4, 30_000, "q4")}, {"q3": ("r", 3)}, FLOOR)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


def image(commits: Sequence[Sequence[Record]]) -> Durable:
    """What a disk holds after these commits, by the contract's own words."""
    durable = Durable()
    events: list[Event] = []
    for record in (record for commit in commits for record in commit):
        match record:
            case Vote():
                durable.hard = record
            case Identity():
                durable.identity = record
            case Configured():
                durable.configured = record
            case PeerJournal():
                durable.peer_journals[record.instance] = record
            case FloorReached():
                durable.floor = record.floor
            case ControlReplaced():
                durable.stamp, durable.index, durable.control = record.stamp, record.index, copy_state(record.state)
            case ControlAppended():
                durable.stamp, durable.index = record.stamp, record.index
                apply_entry(durable.control, record.entry)
            case Appended():
                events.append(record.event)
    low = durable.floor.vector if durable.floor else {}
    durable.events = [e for e in events if e.seq > low.get(e.journal, 0)]
    return durable


EVERY_KIND: list[list[Record]] = [
    [Identity("ja", False)],
    [Vote(1, None), Vote(1, "instance-A"), Identity("ja", True)],
    [PeerJournal("instance-B", "jx"), PeerJournal("instance-C", "jc"), PeerJournal("instance-B", "jb", True)],
    [Configured("d1", {"instance-A": "http://a"}, False), Configured("d2", {"instance-A": "http://b"}, True)],
    [*appended([1, 2]), *appended([1], "jb"), *appended([3])],
    [ControlReplaced(1, 0, ControlState()), *lock_entries(1, 3)],
    [ControlReplaced(2, 7, STATE), ControlAppended(2, 8, Grant(LockRecord("s", "p", "B", 5, 1_000, "q5")))],
    [FloorReached(FLOOR), *appended([2, 3], "jb")],
]


def test_a_new_journal_is_blank(journal: Journal) -> None:
    assert listing(journal.load()) == listing(Durable())
    assert journal.vector == {}
    assert journal.list(limit=1) == []


def test_every_kind_of_record_comes_back(path: Path) -> None:
    for count in range(len(EVERY_KIND) + 1):
        expected = listing(image(EVERY_KIND[:count]))
        with Journal.open(path) as journal:
            assert listing(journal.load()) == expected
            if count < len(EVERY_KIND):
                journal.commit(EVERY_KIND[count])
                assert listing(journal.load()) == listing(image(EVERY_KIND[: count + 1]))


def test_loading_gives_a_state_of_its_own_each_time(journal: Journal) -> None:
    journal.commit([ControlReplaced(1, 1, STATE)])
    journal.load().control.locks.clear()
    assert journal.load().control == STATE


def test_events_of_a_load_can_be_read_again_and_beside_commits(journal: Journal) -> None:
    journal.commit(appended(range(1, 1_500)))
    events = journal.load().events
    reading = iter(events)
    first = next(reading)
    journal.commit(appended(range(1_500, 1_600)))
    assert [first, *reading][:1_499] == [event(n) for n in range(1, 1_500)]
    assert len(list(events)) >= 1_499


def test_a_new_identity_leaves_all_events(path: Path) -> None:
    """The events of the lost or rolled-back disk stay, as another journal's (D1)."""
    with Journal.open(path) as journal:
        journal.commit([Identity("ja", True), *appended([1, 2])])
        journal.commit([Identity("jn", False), *appended([1], "jn")])
    with Journal.open(path) as journal:
        assert journal.load().identity == Identity("jn", False)
        assert journal.vector == {"ja": 2, "jn": 1}


@pytest.mark.parametrize(
    "records",
    [
        appended([2]),
        appended([4]),
        [*appended([3]), *appended([3])],
        appended([2], "jb"),
        [ControlAppended(1, 3, Grant(LockRecord("r", "o", "A", 1, 1, "q")))],
        [ControlAppended(1, 1, Grant(LockRecord("r", "o", "A", 1, 1, "q")))],
    ],
    ids=["again", "gap", "twice in one", "new journal not from 1", "entry gap", "entry again"],
)
def test_what_does_not_follow_is_refused_and_changes_nothing(journal: Journal, records: list[Record]) -> None:
    journal.commit([*appended([1, 2]), *lock_entries(1, 1)])
    before = listing(journal.load())
    with pytest.raises(JournalOrder, match="does not follow"):
        journal.commit([Vote(9, "x"), *records])
    assert listing(journal.load()) == before
    journal.commit(appended([3]))
    assert journal.vector == {"ja": 3}


@pytest.mark.parametrize(
    ("records", "statements"),
    [
        (appended(range(3, 9)), ["INSERT INTO events"]),
        (list(lock_entries(1, 5)), ["INSERT INTO control"]),
        (appended(range(3, 203)), ["BEGIN", *["INSERT INTO events"] * 4, "COMMIT"]),
        (
            [*appended(range(3, 5)), *lock_entries(1, 2)],
            ["BEGIN", "INSERT INTO events", "INSERT INTO control", "COMMIT"],
        ),
        ([*appended(range(1, 3), "jb"), Vote(4, "B")], None),
    ],
    ids=("events", "entries", "many", "both", "a new journal"),
)
def test_a_commit_takes_few_statements(
    path: Path, journal: Journal, records: list[Record], statements: list[str] | None
) -> None:
    """Between two statements the writing thread waits for the interpreter; one alone is a transaction of its own."""
    commits = [appended(range(1, 3)), records]
    journal.commit(commits[0])
    seen: list[str] = []
    journal._writer.set_trace_callback(seen.append)
    journal.commit(records)
    if statements is not None:
        assert len(seen) == len(statements)
        assert all(each.startswith(begin) for each, begin in zip(seen, statements, strict=True))
    journal.close()
    with Journal.open(path) as again:
        assert listing(again.load()) == listing(image(commits))


def test_what_is_written_counts_once_it_is_settled(path: Path, journal: Journal) -> None:
    journal.commit(appended([1]))
    journal.write([*appended([2]), *lock_entries(1, 1)])
    assert journal.vector == {"ja": 1}
    assert [found.seq for found in journal.list(limit=10)] == [1]
    assert journal.read({"ja": 0}, 10, 1_000_000) == ([event(1)], False)
    for other in (journal.write, journal.commit):
        with pytest.raises(JournalOrder, match="not on the disk yet"):
            other(appended([3]))
    journal.settle()
    journal.settle()
    assert journal.vector == {"ja": 2}
    journal.commit([*appended([3]), *lock_entries(2, 1)])
    journal.close()
    with Journal.open(path) as again:
        assert [found.seq for found in again.load().events] == [1, 2, 3]
        assert again.load().index == 2


def test_what_takes_long_is_not_brief(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that begins anew, its end, a floor to work off, a whole state: each syncs, deletes or writes much."""
    few = appended([1])
    assert not journal.is_brief(few)
    journal.commit([Vote(1, None)])
    assert journal.is_brief(few)
    whole = (ControlReplaced(1, 1, ControlState()), FloorReached(floor({})), ControlAppended(1, 1, floor({})))
    assert not any(journal.is_brief([state]) for state in whole)
    assert not journal.is_brief(appended(range(1, 500)))
    assert journal.is_brief([next(lock_entries(1, 1))])
    journal.commit([*few, FloorReached(floor({"ja": 1}))])
    assert not journal.is_brief(appended([2]))
    journal.commit(appended([2]))
    assert journal.is_brief(appended([3]))
    monkeypatch.setattr(schema, "CHECKPOINT_PAGES", journal.log.frames)
    assert not journal.is_brief(appended([3]))
    journal.commit(appended([3]))
    monkeypatch.undo()
    assert journal.log.frames < 10, "the log has begun anew"
    assert journal.is_brief(appended([4]))


def test_every_commit_is_synced_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(log_file, "_sync", synced.append)
    for number in range(1, 5):
        journal.commit(appended([number]))
        assert synced == [journal.log.descriptor] * number


def test_a_commit_of_one_statement_that_fails_changes_nothing(journal: Journal) -> None:
    journal.commit(appended(range(1, 3)))
    journal._writer.execute("PRAGMA max_page_count = 1").fetchall()
    with pytest.raises(JournalFull):
        journal.commit(appended(range(3, 60), padding=1000))
    assert journal.vector == {"ja": 2}
    assert not journal._writer.in_transaction
    journal._writer.execute("PRAGMA max_page_count = 4294967294").fetchall()
    journal.commit(appended(range(3, 60), padding=1000))
    assert journal.vector == {"ja": 59}


# The control log.


def test_control_entries_are_folded_into_a_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CONTROL_ENTRIES", 10)
    entries = list(lock_entries(1, 57))
    commits: list[list[Record]] = [[entry] for entry in entries]
    gathered = []
    with Journal.open(path) as journal:
        for number, commit in enumerate(commits, 1):
            journal.commit(commit)
            assert listing(journal.load()) == listing(image(commits[:number]))
            gathered.append(entries_on_disk(path))
    assert max(gathered) < 57 > 2 * min(gathered), "folded more than once"
    # The more there is in a checkpoint, the more entries are worth another one.
    assert all(count <= max(10, checkpoint_size(image(commits[:at]))) + 1 for at, count in enumerate(gathered, 1))
    with Journal.open(path) as journal:
        assert listing(journal.load()) == listing(image(commits))


def test_a_checkpoint_follows_the_log_that_replaced_another(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CONTROL_ENTRIES", 10)
    commits: list[list[Record]] = [[entry] for entry in lock_entries(1, 8)]
    # In one commit: entries of one leader, the next one's log, and entries on that.
    commits.append([*lock_entries(9, 2), ControlReplaced(3, 20, STATE), *lock_entries(21, 3, 3)])
    commits += [[entry] for entry in lock_entries(24, 12, 3)]
    with Journal.open(path) as journal:
        for number, commit in enumerate(commits, 1):
            journal.commit(commit)
            assert listing(journal.load()) == listing(image(commits[:number]))
    assert entries_on_disk(path) < 15
    assert STATE.token == 4, "what was given is not what is kept"
    with Journal.open(path) as journal:
        assert listing(journal.load()) == listing(image(commits))


def entries_on_disk(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        (count,) = conn.execute("SELECT count(*) FROM control").fetchone()
        return int(count)


def checkpoint_size(durable: Durable) -> int:
    return len(durable.control.locks) + len(durable.control.marks)


# The floor (C1).


def test_a_floor_hides_at_once_and_deletes_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PURGE_ROWS", 10)
    with Journal.open(path) as journal:
        journal.commit([*appended(range(1, 101)), *appended(range(1, 6), "jb")])
        journal.commit([FloorReached(floor({"ja": 90, "jb": 5, "jz": 3}))])
        for number in range(1, 12):
            above = [event(n) for n in range(91, 101)]
            assert list(journal.load().events)[:10] == above
            assert journal.read({"ja": 0, "jb": 0, "jz": 0}, 1_000, 1 << 20)[0][:10] == above
            assert journal.list(limit=1_000)[:10] == above
            assert journal.vector == {"ja": 100, "jb": 5, "jz": 3} | ({"jc": number - 1} if number > 1 else {})
            journal.commit(appended([number], "jc"))
        assert len(journal.list(limit=1_000)) == 21
    with Journal.open(path) as journal:
        assert journal.vector == {"ja": 100, "jb": 5, "jz": 3, "jc": 11}
        journal.commit([*appended([101]), *appended([6], "jb"), *appended([4], "jz")])
        assert journal.vector == {"ja": 101, "jb": 6, "jz": 4, "jc": 11}


def test_what_the_floor_covers_is_not_stored(journal: Journal) -> None:
    journal.commit([FloorReached(floor({"ja": 5}))])
    journal.commit([*appended([4, 5, 6])])
    assert [e.seq for e in journal.load().events] == [6]


def test_the_file_stays_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SPARE_PAGES", 50)
    with Journal.open(path) as journal:
        seq = 0

        def append(commits: int) -> None:
            nonlocal seq
            for _ in range(commits):
                journal.commit(appended(range(seq + 1, seq + 51), padding=500))
                seq += 50

        append(100)
    full = path.stat().st_size
    with Journal.open(path) as journal:
        for _ in range(4):
            journal.commit([FloorReached(floor({"ja": seq - 50}))])
            append(90)
    assert path.stat().st_size <= full * 1.1, "freed pages are used again"
    with Journal.open(path) as journal:
        journal.commit([FloorReached(floor({"ja": seq}))])
        for term in range(1, 80):
            journal.commit([Vote(term, None)])
    assert path.stat().st_size < full / 5, "spare pages are given back"


# Reading.


def test_read_gives_what_lies_beyond(journal: Journal) -> None:
    journal.commit([*appended(range(1, 8)), *appended(range(1, 4), "jb"), *appended([1], "jc")])
    events, more = journal.read({"ja": 5, "jb": 0, "unknown": 0, "jc": 1}, 100, 1 << 20)
    assert (events, more) == ([event(6), event(7), event(1, "jb"), event(2, "jb"), event(3, "jb")], False)
    assert journal.read({"ja": 7}, 100, 1 << 20) == ([], False)
    assert journal.read({"ja": 99}, 100, 1 << 20) == ([], False)
    assert journal.read({}, 100, 1 << 20) == ([], False)


@settings(max_examples=30, deadline=None)
@given(limit=st.integers(1, 9), max_bytes=st.integers(1, 2_000), start=st.integers(0, 12))
def test_read_in_pieces_gives_the_whole(journal_of_twelve: Journal, limit: int, max_bytes: int, start: int) -> None:
    have = {"ja": start, "jb": 0}
    got: list[Event] = []
    more = True
    while more:
        events, more = journal_of_twelve.read(have, limit, max_bytes)
        assert 0 < len(events) <= limit
        assert len(events) == 1 or sum(len(msgspec.msgpack.encode(e)) for e in events) <= max_bytes
        got += events
        for found in events:
            assert found.seq == have[found.journal] + 1
            have[found.journal] = found.seq
    assert got == [event(n) for n in range(start + 1, 13)] + [event(n, "jb") for n in range(1, 4)]


@pytest.fixture(scope="module")
def journal_of_twelve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.open(tmp_path_factory.mktemp("twelve") / "journal.sqlite") as opened:
        opened.commit([*appended(range(1, 13)), *appended(range(1, 4), "jb")])
        yield opened


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.lists(st.sampled_from(["ja", "jb", "jc"]), min_size=1, max_size=6),
            st.dictionaries(st.sampled_from(["ja", "jb", "jc", "jd"]), st.integers(1, 4), min_size=1),
            st.sampled_from(["start anew", "fails"]),
        ),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_events_are_found_whatever_was_written_covered_and_deleted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[str] | dict[str, int] | str], rng: Random
) -> None:
    """Events of several journals, floors also beyond what is held, deleted bit by bit; starts, commits that fail."""
    path = tmp_path_factory.mktemp("any") / "journal.sqlite"
    low: dict[str, int] = {}
    heads: dict[str, int] = {}
    kept: list[Event] = []
    opened = Journal.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PURGE_ROWS", 1)
        for step in steps:
            if step == "start anew":
                opened.close()
                opened = Journal.open(path)
            elif step == "fails":
                with pytest.raises(JournalOrder):
                    opened.commit(
                        [*(Appended(event(heads.get(j, 0) + 1, j)) for j in ("ja", "je")), Appended(event(9, "jx"))]
                    )
            elif isinstance(step, dict):
                # In one commit with an event before it and one after it.
                first, last = event(heads.get("ja", 0) + 1, "ja"), event(1, f"j{len(heads)}{len(kept)}")
                kept.append(first)
                heads["ja"] = first.seq
                low |= {j: max(low.get(j, 0), min(low.get(j, 0), heads.get(j, 0)) + by) for j, by in step.items()}
                heads |= {j: max(heads.get(j, 0), seq) for j, seq in low.items()}
                opened.commit([Appended(first), FloorReached(floor(low)), Appended(last)])
                kept.append(last)
                heads[last.journal] = 1
            else:
                fresh = []
                for journal in step:
                    heads[journal] = heads.get(journal, 0) + 1
                    fresh.append(event(heads[journal], journal))
                opened.commit([Appended(each) for each in fresh])
                kept += fresh
            kept = [each for each in kept if each.seq > low.get(each.journal, 0)]
            assert opened.vector == heads
            assert list(opened.load().events) == opened.list(limit=1_000) == kept
            have = {journal: rng.randrange(head + 2) for journal, head in heads.items()}
            beyond = [each for each in kept if each.seq > have[each.journal]]
            assert opened.list(since=have, limit=5) == beyond[:5]
            assert opened.list(since=have, limit=5, newest=True) == beyond[-5:]
            beyond.sort(key=lambda each: [*have].index(each.journal))
            assert opened.read(have, 5, 1 << 20) == (beyond[:5], len(beyond) > 5)
    opened.close()


MIXED = [
    event(1, "ja", type="A", origin="instance-A", trace="t1"),
    event(1, "jb", type="B", origin="instance-B", trace="t1"),
    event(2, "ja", type="B", origin="instance-A", trace="t2"),
    event(2, "jb", type="A", origin="instance-B", trace="t2"),
    event(3, "ja", type="C", origin="v16-node", trace="instance-B"),
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"limit": 2}, [0, 1]),
        ({"limit": 2, "newest": True}, [3, 4]),
        ({"types": ["A"]}, [0, 3]),
        ({"types": ["A", "C"]}, [0, 3, 4]),
        ({"types": ["A", "C"], "limit": 1, "newest": True}, [4]),
        ({"origin": "instance-B"}, [1, 3]),
        ({"trace": "t2"}, [2, 3]),
        ({"trace": "t2", "types": ["B"], "origin": "instance-A"}, [2]),
        ({"since": {"ja": 1}}, [1, 2, 3, 4]),
        ({"since": {"ja": 2, "jb": 2, "elsewhere": 5}}, [4]),
        ({"since": {"ja": 3, "jb": 9}}, []),
        ({"types": ["a"]}, []),
        ({"types": ["'; DROP TABLE events"]}, []),
    ],
)
def test_list(journal: Journal, question: dict[str, object], expected: list[int]) -> None:
    journal.commit([Appended(e) for e in MIXED])
    asked = {"limit": 100} | question
    assert journal.list(**asked) == [MIXED[i] for i in expected]  # type: ignore[arg-type]


def test_an_id_stored_before_is_kept_and_not_listed(path: Path) -> None:
    """A v1.6 event that came through two of us: both logs stay whole, people see it once (V1)."""
    first, twin, late_twin = event(1, "ja", id="same"), event(1, "jb", id="same"), event(2, "jb", id="same")
    with Journal.open(path) as journal:
        journal.commit([Appended(first), Appended(twin)])
        journal.commit([Appended(late_twin)])
        assert journal.list(limit=10) == [first]
        assert journal.read({"ja": 0, "jb": 0}, 10, 1 << 20) == ([first, twin, late_twin], False)
    with Journal.open(path) as journal:
        assert journal.list(limit=10) == [first]
        journal.commit([Appended(event(2, "ja", id="same")), FloorReached(floor({"ja": 1}))])
        assert journal.list(limit=10) == []
        journal.commit([Appended(again := event(3, "ja", id="same"))])  # the first was deleted before
        assert journal.list(limit=10) == [again]


@pytest.mark.parametrize("anew", [False, True])
def test_an_id_whose_twin_is_deleted_is_still_known(path: Path, anew: bool) -> None:
    """Also after a start: what is deleted is what the file says, not what came first of what is left."""
    journal = Journal.open(path)
    journal.commit([Appended(event(1, "ja", id="same")), Appended(event(1, "jb", id="same"))])
    journal.commit([FloorReached(floor({"ja": 1}))])
    journal.commit([Vote(1, None)])  # deletes
    journal.commit([Appended(again := event(2, "ja", id="same"))])
    assert journal.list(limit=10) == [again]
    if anew:
        journal.close()
        journal = Journal.open(path)
    journal.commit([FloorReached(floor({"ja": 1, "jb": 1}))])
    journal.commit([Vote(2, None)])
    journal.commit([Appended(event(3, "ja", id="same")), Appended(event(2, "jb", id="same"))])
    assert journal.list(limit=10) == [again]
    journal.close()


def test_readers_beside_the_writer_see_whole_commits(journal: Journal) -> None:
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            events, _ = journal.read({"ja": 0}, 10_000, 1 << 30)
            listed = journal.list(limit=5, newest=True)
            if len(events) % 10 or (listed and listed[-1].seq % 10):
                wrong.append(f"{len(events)} events, newest {listed[-1].seq}")

    reader = threading.Thread(target=read)
    reader.start()
    for commit in range(60):
        journal.commit(appended(range(commit * 10 + 1, commit * 10 + 11)))
    done.set()
    reader.join()
    assert wrong == []
    assert journal.list(limit=1_000) == [event(number) for number in range(1, 601)]


def test_closing_twice_is_closing_once(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    journal.close()
    for use in (lambda: journal.commit(appended([1])), lambda: journal.read({}, 1, 1), journal.load):
        with pytest.raises(JournalClosed, match="was closed"):
            use()
    with Journal.open(path):
        pass
    assert not path.with_name("journal.sqlite-wal").exists()
