"""A node as a process of its own: orders by signal, the ready line, exit codes, and what only a process may set."""

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from node.api.server import make_room_for_connections
from node.artifacts.system import give_back_memory
from node.config import Config
from node.embedded import Node, StartFailed

GC_THRESHOLD = (500_000, 100, 20)
"""More objects than what a node knows grows by between two floors: that many more can only be garbage."""
LOOK_EVERY_S = 60.0
LOOK_SHARE = 1 / 1_000
"""Part of the time that looks for garbage may take: what a node works on is freed by itself, and they find little."""


def run_node(config: Config) -> int:
    """Run a node as this process until SIGTERM or SIGINT; the exit code: 0 stopped on order, 1 failed.

    SIGHUP is ignored: a rotated log file is noticed without it. Prints one line when the node is ready. A fault that
    kills the process at once, such as SIGBUS, leaves the stacks of its threads on stderr.
    """
    faulthandler.enable()
    give_back_memory()
    make_room_for_connections()
    try:
        import uvloop
    except ImportError:
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    else:
        new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_run(config))


async def _run(config: Config) -> int:
    loop = asyncio.get_running_loop()
    ordered = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ordered.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    node = Node(config)
    try:
        await node.start()
    except StartFailed as problem:
        return _failed(f"node {config.settings.id} cannot start: {problem}")
    handler = node.engine.log.handler()
    logging.getLogger().addHandler(handler)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    looks = asyncio.create_task(_look_for_garbage(), name="looks for garbage")
    quorum = node.quorum()
    waiting = "" if quorum.sufficient else "waiting for "
    _tell(
        sys.stdout,
        f"node {config.settings.id} ready on {node.url}, cluster {config.settings.cluster}, "
        f"{waiting}quorum {quorum.healthy}/{quorum.total}",
    )
    ended, stopping = asyncio.ensure_future(node.wait_stopped()), asyncio.ensure_future(ordered.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    fault = ended.result() if ended.done() else None
    for task in (ended, stopping, looks):
        task.cancel()
    logging.getLogger().removeHandler(handler)
    await node.stop()
    return 0 if fault is None else _failed(f"node {config.settings.id} stopped: {fault}")


async def _look_for_garbage() -> None:
    """A look goes through all that is known while nothing else is done: the longer one takes, the later the next."""
    loop = asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        gc.collect()
        await asyncio.sleep(max(LOOK_EVERY_S, (loop.time() - began_s) / LOOK_SHARE))


def _failed(message: str) -> int:
    _tell(sys.stderr, message)
    return 1


def _tell(stream: TextIO, line: str) -> None:
    """Say it where somebody may read. A full disk or a reader that has gone is no reason to end, now or at the exit."""
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
