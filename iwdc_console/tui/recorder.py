"""Recording without a screen: everything a source tells goes into a file until a signal ends it."""

import asyncio
import signal
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from iwdc_console.tui.clock import Clock
from iwdc_console.tui.model.observation import PARTS
from iwdc_console.tui.recording.file import Writer
from iwdc_console.tui.recording.ring import LEAST_GAP_S
from iwdc_console.tui.source.source import Source


class Recorded(NamedTuple):
    """How much is in the file."""

    frames: int
    seconds: float
    size: int


async def record(source: Source, file: Path, clock: Clock | None = None) -> Recorded:
    """Record until TERM, INT or HUP. Raises `RecordingError` when the file cannot be written."""
    clock = clock or Clock()
    began_s = last_s = clock.mono_s()
    writer = Writer(file, source.context, int(clock.wall_ms()))
    source.want(frozenset(PARTS) - {"trace"})
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("recording runs in a task")
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        async with aclosing(source.observations()) as observations:
            async for observation in observations:
                now_s = clock.mono_s()
                if not writer.frames or now_s - last_s >= LEAST_GAP_S:
                    writer.add(observation, now_s, int(clock.wall_ms()))
                    last_s = now_s
    except asyncio.CancelledError:
        task.uncancel()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        writer.close()
    return Recorded(writer.frames, clock.mono_s() - began_s, writer.size)
