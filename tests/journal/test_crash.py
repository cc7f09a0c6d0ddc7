"""Real processes killed at any point, and real disks that refuse: nothing acknowledged is lost."""

import contextlib
import errno
import fcntl
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.journal import (
    DirectoryFault,
    DirectoryInUse,
    DirectoryLock,
    Journal,
    JournalCorrupt,
    JournalFault,
    JournalFull,
    directory,
    instance_id,
    log_file,
    offline,
    schema,
    store,
    wal,
)
from node.protocol.events import Event
from node.protocol.records import FloorReached, Vote
from tests.journal.samples import appended, event, floor, listing

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from pathlib import Path
from node.journal import Journal, schema, store
from node.protocol.records import FloorReached, Vote
from tests.journal.samples import appended, floor, lock_entries

schema.CHECKPOINT_PAGES, store.CONTROL_ENTRIES, store.PURGE_ROWS = 20, 15, 5
journal = Journal.open(Path(sys.argv[1]))
number = journal.load().hard.term
while True:
    number += 1
    records = [Vote(number, None), *appended(range(number * 3 - 2, number * 3 + 1)), *lock_entries(number, 1)]
    if number % 25 == 0:
        records.append(FloorReached(floor({"ja": number * 3 - 30}, number=number)))
    journal.commit(records)
    print(number, flush=True)
"""


def test_killed_at_any_point(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    rng = random.Random(7)
    acknowledged = 0
    for _ in range(8):
        kill_at = acknowledged + rng.randrange(1, 120)
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child, child.stdout:
            for line in child.stdout:
                acknowledged = int(line)
                if acknowledged == kill_at:
                    child.kill()
        with Journal.open(path) as journal:
            durable = journal.load()
            number = durable.hard.term
            assert number in (acknowledged, acknowledged + 1), "the last commit may be on the disk and not acknowledged"
            assert durable.index == durable.control.token + (durable.index % 3 == 0) == number
            low = 0 if durable.floor is None else durable.floor.vector["ja"]
            assert low == max(0, number // 25 * 75 - 30)
            assert list(durable.events) == [event(seq) for seq in range(low + 1, number * 3 + 1)]
            acknowledged = number
    assert acknowledged > 0


AFTER_A_CRASH = """
import sys, threading
from pathlib import Path
from node.journal import Journal
from node.protocol.records import Vote
from tests.journal.samples import appended

with Journal.open(Path(sys.argv[1])) as journal:
    print("open", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
    number = journal.vector["ja"]
    while not ended.is_set():
        number += 1
        journal.commit([Vote(number, None), *appended([number])])
        assert journal.read({"ja": number - 1}, 10, 10_000)[0][0].seq == number
    print(number, flush=True)
"""


def test_looking_at_a_node_that_came_back_from_a_crash_does_it_no_harm(tmp_path: Path) -> None:
    """Its locks on the log's index must outlive its check of the log: who comes and finds none cuts the index off."""
    path = tmp_path / "journal.sqlite"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        child.stdout.readline()
        child.kill()
    back = subprocess.Popen(
        [sys.executable, "-c", AFTER_A_CRASH, str(path)], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert back.stdout is not None
    with back:
        assert back.stdout.readline() == b"open\n"
        for _ in range(20):
            assert offline.verify(path).problems == ()
            list(offline.export(path))
        assert back.stdin is not None
        back.stdin.close()
        last = back.stdout.read()
    assert back.returncode == 0
    assert offline.verify(path).extents[0].last == int(last)


def test_killed_while_it_is_made(tmp_path: Path) -> None:
    """Whatever is left of a journal killed while it was being made can be opened."""
    script = "import sys; from pathlib import Path; from node.journal import Journal; print(flush=True); " + (
        "Journal.open(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    for lines in (1, 2):
        path = tmp_path / str(lines) / "journal.sqlite"
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )
        assert child.stdout is not None
        with child:
            for _ in range(lines):
                child.stdout.readline()
            child.kill()
        with Journal.open(path) as journal:
            journal.commit(appended([1]))
        with Journal.open(path) as journal:
            assert list(journal.load().events) == [event(1)]


# A disk that refuses.


def test_a_full_disk_changes_nothing_and_the_commit_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.commit([Vote(1, None), *appended([1])])
        writer = journal._writer
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        (unlimited,) = writer.execute("PRAGMA max_page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        records = [Vote(2, None), *appended(range(2, 40), padding=1_000)]
        before = listing(journal.load())
        for _ in range(3):
            with pytest.raises(JournalFull, match="Free space"):
                journal.commit(records)
            assert listing(journal.load()) == before
            assert journal.vector == {"ja": 1}
        journal.commit([Vote(2, "x")])
        writer.execute(f"PRAGMA max_page_count = {unlimited}")
        journal.commit(records)
        assert journal.vector == {"ja": 39}
        assert [found.seq for found in journal.list(limit=100)] == [*range(1, 40)], "none for a twin of what failed"
    with Journal.open(path) as journal:
        assert journal.load().hard == Vote(2, None)
        assert journal.vector == {"ja": 39}


@contextlib.contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """Writes beyond `limit` bytes of a file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failing_disk_changes_nothing_and_the_commit_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.commit([Vote(1, None), *appended([1])])
        before = listing(journal.load())
        records = [Vote(2, None), *appended(range(2, 20), padding=1_000)]
        size = path.with_name("journal.sqlite-wal").stat().st_size
        for room in (0, 1_000, 20_000):
            with largest_file(size + room), pytest.raises(JournalFault, match="Check the disk"):
                journal.commit(records)
            assert listing(journal.load()) == before
        journal.commit(records)
        journal.commit(appended([20]))
        after = listing(journal.load())
    with Journal.open(path) as journal:
        assert listing(journal.load()) == after
        assert journal.vector == {"ja": 20}


def test_what_a_failed_sync_may_have_lost_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system counts pages that it could not write as written, and says so only once."""
    path = tmp_path / "journal.sqlite"
    log = path.with_name("journal.sqlite-wal")
    synced: list[int] = []

    def failing(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 1:
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(descriptor)

    with Journal.open(path) as journal:
        journal.commit(appended([1]))
        monkeypatch.setattr(log_file, "_sync", failing)
        written: list[bytes] = []
        pwrite = os.pwrite

        def seen(descriptor: int, data: bytes, at: int) -> int:
            written.append(data)
            return pwrite(descriptor, data, at)

        monkeypatch.setattr(os, "pwrite", seen)
        with pytest.raises(JournalFault, match="Input/output error"):
            journal.commit(appended([2, 3]))
        assert journal.vector == {"ja": 1}
        content = log.read_bytes()
        journal.commit(appended([2, 3]))
        assert len(written) == 1
        assert content.endswith(written[0])
        assert 4_096 < len(written[0]) < 10_000, "what was on the disk before is not touched"
        assert log.read_bytes() == content
        assert journal.vector == {"ja": 3}
        journal.commit(appended([4]))
    with Journal.open(path) as journal:
        assert [e.seq for e in journal.load().events] == [1, 2, 3, 4]


def test_of_a_log_that_had_begun_anew_all_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.sqlite"
    log = path.with_name("journal.sqlite-wal")

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Journal.open(path) as journal:
        journal.commit(appended(range(1, 4), padding=9_000))
        monkeypatch.setattr(schema, "CHECKPOINT_PAGES", journal.log.frames)
        monkeypatch.setattr(log_file, "_sync", failing)
        with pytest.raises(JournalFault):
            journal.commit(appended(range(4, 40), padding=9_000))
        assert journal.log.frames > 80, "more than there were in the round before"
        monkeypatch.undo()
        content = log.read_bytes()
        truncated: list[int] = []
        monkeypatch.setattr(os, "ftruncate", lambda descriptor, size: truncated.append(size))
        journal.commit(appended(range(4, 40), padding=9_000))
        assert truncated == [0]
        assert log.read_bytes() == content
    with Journal.open(path) as journal:
        assert [e.seq for e in journal.load().events] == list(range(1, 40))


@pytest.mark.parametrize("frame", [0, 1, 2], ids=("the last page", "the one before", "the head"))
def test_what_even_the_system_has_lost_after_a_failed_sync_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: int
) -> None:
    path = tmp_path / "journal.sqlite"

    def failing(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal.open(path) as journal:
        journal.commit(appended([1]))
        monkeypatch.setattr(log_file, "_sync", failing)
        with pytest.raises(JournalFull, match="No space left on device"):
            journal.commit(appended([2], padding=9_000))
        at = 10 if frame == 2 else 32 + (journal.log.frames - 1 - frame) * 4_120 + 300
        os.pwrite(journal.log.descriptor, b"\0lost", at)
        with pytest.raises(JournalCorrupt, match="cannot be read any more"):
            journal.commit(appended([2], padding=9_000))
        assert journal.vector == {"ja": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = shutil.which("mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount is None or os.geteuid() != 0:
        pytest.skip("a real full disk needs root, to mount a small tmpfs")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture
def thin_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that has room while the disk below it has none, as long as there is `below/ballast`."""
    tools = [shutil.which(name) for name in ("mount", "mkfs.ext4")]
    if None in tools or os.geteuid() != 0:
        pytest.skip("a disk that fails needs root and mkfs.ext4, to mount a file in a small tmpfs")
    below, disk = tmp_path / "below", tmp_path / "disk"
    below.mkdir()
    disk.mkdir()
    with contextlib.ExitStack() as mounted:
        for command in (
            f"mount -t tmpfs -o size=12m tmpfs {below}",
            f"truncate -s 64M {below}/image",
            f"mkfs.ext4 -q -b 4096 -O ^has_journal -E lazy_itable_init=1,nodiscard {below}/image",
            f"mount -o loop {below}/image {disk}",
        ):
            made = subprocess.run(command.split(), capture_output=True, check=False)
            if made.returncode:
                pytest.skip(f"no such disk can be mounted here: {made.stderr.decode().strip()}")
            if command.startswith("mount"):
                mounted.callback(subprocess.run, ["umount", command.split()[-1]], check=True)
        yield disk


def fill(ballast: Path) -> None:
    """Leave no room beside it."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4_096)


def test_what_a_disk_could_not_keep_is_there_once_it_can(thin_disk: Path) -> None:
    """The kernel really fails to sync, and what it has in memory is not what the disk has."""
    path, ballast = thin_disk / "data" / "journal.sqlite", thin_disk.parent / "below" / "ballast"
    with Journal.open(path) as journal:
        for seq in (1, 2):
            journal.commit(appended([seq]))
        fill(ballast)
        seq = next(seq for seq in range(3, 100) if is_refused(journal, seq))
        assert is_refused(journal, seq), "the same disk has no room for it at the second try either"
        assert journal.vector == {"ja": seq - 1}
        ballast.unlink()
        journal.commit(appended([seq], padding=2_000))
        os.posix_fadvise(journal.log.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        assert wal.holds(path.with_name("journal.sqlite-wal").read_bytes(), journal.log.frames)
    with Journal.open(path) as journal:
        assert [found.seq for found in journal.load().events] == list(range(1, seq + 1))


def is_refused(journal: Journal, seq: int) -> bool:
    try:
        journal.commit(appended([seq], padding=2_000))
    except JournalFull:
        return True
    return False


def test_a_directory_that_goes_while_the_node_runs_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would go on writing to a file that has no name any more."""
    monkeypatch.setattr(store, "LOOK_S", 0.0)
    path = tmp_path / "data" / "journal.sqlite"
    path.parent.mkdir()
    with Journal.open(path) as journal:
        journal.commit(appended([1]))
        path.parent.rename(tmp_path / "elsewhere")
        with pytest.raises(JournalFault, match="was removed"):
            journal.commit(appended([2]))
        path.parent.mkdir()
        path.write_bytes(b"")
        with pytest.raises(JournalFault, match="another one was put in its place"):
            journal.commit(appended([2]))
        shutil.rmtree(path.parent)
        (tmp_path / "elsewhere").rename(path.parent)
        journal.commit(appended([2]))
    with Journal.open(path) as journal:
        assert journal.vector == {"ja": 2}


def test_a_really_full_disk(small_disk: Path) -> None:
    path = small_disk / "journal.sqlite"
    ballast = small_disk / "ballast"
    with Journal.open(path) as journal:
        ballast.write_bytes(b"x" * 400_000)
        seq = next(n for n in range(1, 1_000) if is_refused(journal, n))
        assert journal.vector == {"ja": seq - 1}
        assert len(list(journal.load().events)) == seq - 1
        ballast.unlink()
        journal.commit(appended([seq], padding=2_000))
    with Journal.open(path) as journal:
        found: list[Event] = list(journal.load().events)
        assert [e.seq for e in found] == list(range(1, seq + 1))


def test_the_log_beside_the_file_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CHECKPOINT_PAGES", 50)
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        for seq in range(1, 600):
            journal.commit([*appended([seq]), FloorReached(floor({"ja": max(0, seq - 9)}))])
            assert path.with_name("journal.sqlite-wal").stat().st_size < 80 * 4_200


# The directory.


def test_one_process_per_directory(tmp_path: Path) -> None:
    path = tmp_path / "data" / "journal.sqlite"
    with Journal.open(path):
        with pytest.raises(DirectoryInUse, match=f"in use by process {os.getpid()};") as caught:
            Journal.open(path)
        assert caught.value.pid == os.getpid()
        script = "from pathlib import Path; from node.journal import Journal; Journal.open(Path({!r}))"
        other = subprocess.run(
            [sys.executable, "-c", script.format(str(path))], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert f"in use by process {os.getpid()}" in other.stderr
    Journal.open(path).close()


def test_a_refused_journal_frees_the_directory(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"?" * 5_000)
    for _ in range(2):
        with pytest.raises(Exception, match="not a database"):
            Journal.open(path)
    DirectoryLock.take(tmp_path).release()


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryFault, match=r"file/data: .* expected a directory"):
        Journal.open(tmp_path / "file" / "data" / "journal.sqlite")


def test_the_instance_id_is_made_once(tmp_path: Path) -> None:
    made = instance_id(tmp_path / "data")
    assert len(made) == 36
    assert instance_id(tmp_path / "data") == made
    assert instance_id(tmp_path / "other") != made
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["instance.json"]


def test_the_v16_form_of_instance_json_is_read(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text(
        '{"instanceId":"8d7c0c5e-5a0b-4c55-8e30-2f7d9a1b3c4d","createdAt":"2025-01-01T00:00:00.000Z",'
        '"updatedAt":"2025-01-01T00:00:00.000Z"}'
    )
    assert instance_id(tmp_path) == "8d7c0c5e-5a0b-4c55-8e30-2f7d9a1b3c4d"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '"x"', "{}", '{"instanceId": ""}', '{"instanceId": 5}', pytest.param("[" * 100_000, id="deep")],
)
def test_a_bad_instance_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "instance.json").write_text(content)
    with pytest.raises(DirectoryFault, match=r"instance\.json: .*expected"):
        instance_id(tmp_path)


def test_a_look_at_a_directory_does_not_keep_its_node_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it lasts: it shares the lock, and whoever takes the directory waits for its end."""
    tried, lock = threading.Event(), directory._locked

    def tells(descriptor: int, kind: int) -> bool:
        had = lock(descriptor, kind)
        if kind == fcntl.LOCK_EX and not had:
            tried.set()
        return had

    DirectoryLock.take(tmp_path).release()
    monkeypatch.setattr(directory, "_locked", tells)
    look = os.open(tmp_path / directory.LOCK_NAME, os.O_RDONLY)
    assert lock(look, fcntl.LOCK_SH)
    with ThreadPoolExecutor(1) as node:
        taken = node.submit(DirectoryLock.take, tmp_path)
        assert tried.wait(60)
        os.close(look)
        taken.result(60).release()


@pytest.mark.slow
def test_looks_again_and_again_do_not_keep_a_node_from_starting(tmp_path: Path) -> None:
    looks = "import sys; from pathlib import Path; from node.journal.directory import is_held\n" + (
        "print(is_held(Path(sys.argv[1])), flush=True)\nwhile True: is_held(Path(sys.argv[1]))"
    )
    DirectoryLock.take(tmp_path).release()
    child = subprocess.Popen([sys.executable, "-c", looks, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        try:
            assert child.stdout.readline() == b"False\n"
            for _ in range(5_000):
                DirectoryLock.take(tmp_path).release()
        finally:
            child.kill()
