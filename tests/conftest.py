"""What all tests share."""

import faulthandler
import gc
import itertools
import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

HANG_S, SLOW_HANG_S = 600, 1800
"""Far beyond what a test takes, or one marked `slow`, also on a machine that is busy with ten other things."""
STDERR = pytest.StashKey[int]()
NUMBERS = itertools.count()
GC_THRESHOLD = (50_000, 20, 20)
"""As in a node and a simulated world."""

# The machines that run this are busy with other things as well: an example may take long and be right.
settings.register_profile("project", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(*GC_THRESHOLD)
    config.stash[STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)  # not yet captured
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # In the background of a script ctrl-c is ignored, and would be by every command that a test interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: no search for garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that hangs ends the run, and says where it hung."""
    limit_s = SLOW_HANG_S if item.get_closest_marker("slow") else HANG_S
    faulthandler.dump_traceback_later(limit_s, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _folders_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and state of who runs the tests are neither read nor written, nor are those of another test."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(NUMBERS))  # made by whoever writes there
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite`: write down what the scenario scripts print now."""
    parser.addoption("--rewrite", action="store_true", help="rewrite the scenario scripts' golden output")
