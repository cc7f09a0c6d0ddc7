"""A file is on the disk when the kernel says so, and whoever cannot have that hears so at once."""

import asyncio
import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node.runtime import kernel_sync
from node.runtime.kernel_sync import KernelSync
from tests.runtime.scripted import DEADLINE_S, until

Scenario = Callable[[KernelSync, list[OSError | None]], Awaitable[None]]


def with_kernel(scenario: Scenario) -> None:
    async def whole() -> None:
        ended: list[OSError | None] = []
        kernel = KernelSync.open(asyncio.get_running_loop(), ended.append)
        if kernel is None:
            pytest.skip("this system cannot sync without a thread")
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(kernel, ended)
        finally:
            kernel.ignore()
            kernel.close()

    asyncio.run(whole())


def test_it_syncs_one_file_after_another(tmp_path: Path) -> None:
    async def scenario(kernel: KernelSync, ended: list[OSError | None]) -> None:
        for number in range(1, 20):
            with (tmp_path / str(number)).open("wb") as file:
                file.write(b"x" * 10_000)
                file.flush()
                assert kernel.sync(file.fileno())
                await until(lambda count=number: len(ended) == count, "word of the kernel")  # type: ignore[misc]
        assert ended == [None] * 19

    with_kernel(scenario)


def test_what_cannot_be_synced_is_told_at_once(tmp_path: Path) -> None:
    async def scenario(kernel: KernelSync, ended: list[OSError | None]) -> None:
        reader, writer = os.pipe()
        assert not kernel.sync(writer)
        os.close(reader)
        os.close(writer)
        assert not kernel.sync(writer)

    with_kernel(scenario)


def test_an_error_of_the_disk_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kernel_sync._system

    async def scenario(kernel: KernelSync, ended: list[OSError | None]) -> None:
        def failing(number: int, *arguments: object) -> int:
            found = system(number, *arguments)
            if number == kernel._getevents:
                outcome = arguments[3]
                assert isinstance(outcome, ctypes.Array)
                struct.pack_into("<q", outcome, 16, -errno.EIO)
            return found

        monkeypatch.setattr(kernel_sync, "_system", failing)
        with (tmp_path / "file").open("wb") as file:
            assert kernel.sync(file.fileno())
            await until(lambda: len(ended) == 1, "word of the kernel")
        [error] = ended
        assert error is not None
        assert (error.errno, error.strerror) == (errno.EIO, os.strerror(errno.EIO))

    with_kernel(scenario)


def test_who_ignores_it_hears_no_more(tmp_path: Path) -> None:
    async def scenario(kernel: KernelSync, ended: list[OSError | None]) -> None:
        with (tmp_path / "file").open("wb") as file:
            assert kernel.sync(file.fileno())
            kernel.ignore()
        await asyncio.sleep(0.05)
        assert ended == []

    with_kernel(scenario)


@pytest.mark.parametrize("given", ["another system", "another machine", "32 bits", "a sandbox"])
def test_elsewhere_there_is_none(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if given == "another system":
        monkeypatch.setattr(sys, "platform", "darwin")
    elif given == "another machine":
        monkeypatch.setattr(platform, "machine", lambda: "s390x")
    elif given == "32 bits":
        monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    else:
        monkeypatch.setattr(kernel_sync, "_system", lambda number, *arguments: -1)

    async def opened() -> KernelSync | None:
        return KernelSync.open(asyncio.get_running_loop(), lambda error: None)

    assert asyncio.run(opened()) is None
