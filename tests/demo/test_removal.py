"""A demo's folder goes, and nothing but it; its links work meanwhile."""

import asyncio
import threading
from pathlib import Path

import pytest

from iwdc_console.demo import host, removal
from iwdc_console.demo.faults import Wipe
from iwdc_console.demo.host import Host


def test_all_of_a_folder_goes_and_nothing_that_it_points_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("still there")
    folder = tmp_path / "folder"
    for place in (folder, folder / "a", folder / "a" / "b"):
        place.mkdir()
        for number in range(100):
            (place / f"{number}").write_text("x")
    (folder / "to a folder").symlink_to(kept)
    (folder / "a" / "to a file").symlink_to(kept / "file")
    (folder / "to nothing").symlink_to(tmp_path / "nowhere")
    removal.remove(folder)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept"]
    assert (kept / "file").read_text() == "still there"


def test_a_folder_that_another_removes_too_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number}").touch()
    both = [threading.Thread(target=removal.remove, args=(folder,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert not folder.exists()
    removal.remove(folder)


def test_links_go_on_while_a_disk_is_wiped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def started(self: Host, id_: str) -> None:
        self._became(id_, "running")

    async def run() -> None:
        loop, went_on = asyncio.get_running_loop(), threading.Event()

        def remove(folder: Path) -> None:
            assert folder == tmp_path / "instance-A"
            loop.call_soon_threadsafe(went_on.set)
            assert went_on.wait(60), "nothing else is done meanwhile"

        monkeypatch.setattr(host, "remove", remove)
        monkeypatch.setattr(Host, "_start", started)
        subject = Host(tmp_path, ["instance-A"], [1])
        subject._became("instance-A", "down")
        async with subject._network:
            await subject.carry_out(Wipe("instance-A"))
        assert went_on.is_set()

    asyncio.run(run())
