"""Recordings on disk: JSON Lines, compressed as gzip members, one for the heading and one for each block.

The file only grows. Every line is flushed as it is written, so a recording cut short tells all up to its last whole
line. `zcat FILE` shows the lines.
"""

import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from iwdc_console.tui.model.milestones import Milestone
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.recording.lines import Frame, Line, decode, encode
from iwdc_console.tui.recording.tape import FRAMES_PER_BLOCK, MAX_BLOCK_BYTES, Block, Tape
from node.documents import open_file

FORMAT = "iwdc-console-recording"
VERSION = 1
_GZIP = 31
"""`wbits` of zlib for a gzip member."""
_CHUNK_BYTES = 64 * 1024
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a line that is none raises."""


class RecordingError(Exception):
    """A recording that cannot be written or read. The message names the file, what is wrong and what to do."""


class Heading(msgspec.Struct, frozen=True):
    """The first line: what the file is, how it is written, of which cluster."""

    format: str
    version: int
    context: str = ""
    started_ms: int = 0


class Writer:
    """Appends frames to a new file. Raises `RecordingError`."""

    def __init__(self, file: Path, context: str, started_ms: int) -> None:
        self._file = file
        try:
            self._out: BinaryIO = file.open("xb", buffering=0)
        except FileExistsError as error:
            raise RecordingError(f"{file} exists already; choose another name") from error
        except OSError as error:
            raise RecordingError(f"{file} cannot be written: {error.strerror}") from error
        self.frames = 0
        self.size = 0
        self._last: Observation | None = None
        self._in_block = 0
        self._block_bytes = 0
        self._member = zlib.compressobj(wbits=_GZIP)
        self._write(msgspec.json.encode(Heading(FORMAT, VERSION, context, started_ms)) + b"\n")
        self._end_block()

    def add(self, observation: Observation, at_s: float, at_ms: int) -> None:
        """Append one observation; it is in the file when this returns."""
        line = encode(Frame(observation, at_s, at_ms), self._last, begins=not self._in_block)
        self._write(line)
        self._last = observation
        self.frames += 1
        self._in_block += 1
        self._block_bytes += len(line)
        if self._in_block >= FRAMES_PER_BLOCK or self._block_bytes > MAX_BLOCK_BYTES:
            self._end_block()

    def close(self) -> None:
        """End the file in good order."""
        if self._in_block:
            self._end_block()
        self._out.close()

    def _write(self, line: bytes) -> None:
        self._put(self._member.compress(line) + self._member.flush(zlib.Z_SYNC_FLUSH))

    def _end_block(self) -> None:
        self._put(self._member.flush())
        self._member = zlib.compressobj(wbits=_GZIP)
        self._in_block, self._block_bytes = 0, 0

    def _put(self, content: bytes) -> None:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[self._out.write(rest) :]
        except OSError as error:
            raise RecordingError(f"{self._file} cannot be written: {error.strerror}; it is whole up to here") from error
        self.size += len(content)


class Damage(NamedTuple):
    """Where a file ends before its time: `cut` short there, or `damaged`."""

    how: Literal["cut", "damaged"]
    at_byte: int


class Recording(NamedTuple):
    """What a file holds; all of it unless there is a `damage`."""

    heading: Heading
    tape: Tape
    damage: Damage | None = None


class _Member(NamedTuple):
    """One gzip member: where it lies, its whole lines, and what is wrong with it."""

    offset: int
    length: int
    lines: tuple[bytes, ...]
    damage: Damage | None


def load(file: Path) -> Recording:
    """Read a recording: times and milestones at once, frames when they are looked at. Raises `RecordingError`."""
    heading: Heading | None = None
    blocks: list[Block] = []
    damage: Damage | None = None
    try:
        for member in _members(file):
            damage = member.damage
            if heading is None:
                heading = _heading(file, member.lines)
                continue
            block, bad = _block(file, member)
            blocks.append(block)
            if bad:
                damage = bad
                break
    except OSError as error:
        raise RecordingError(f"{file} cannot be read: {error.strerror}") from error
    if heading is None:
        raise RecordingError(f"{file} is no recording of a console; expected a file made with --record")
    tape = Tape(blocks)
    if not tape:
        raise RecordingError(f"{file} holds no observation: it was ended before a node answered")
    return Recording(heading, tape, damage)


def _block(file: Path, member: _Member) -> tuple[Block, Damage | None]:
    """The block of a member, up to its first line that cannot be read; of a damaged one the lines are kept."""
    times: list[int] = []
    milestones: list[Milestone] = []
    damage = member.damage
    for line in member.lines:
        try:
            told = decode(line)
        except UNREADABLE:
            damage = Damage("damaged", member.offset)
            break
        times.append(told.at_ms)
        milestones += told.milestones
    whole = partial(_read, file, member.offset, member.length)
    left = partial(_decoded, member.lines[: len(times)])
    return Block(tuple(times), tuple(milestones), left if damage else whole), damage


def _decoded(lines: Sequence[bytes]) -> list[Line]:
    return [decode(line) for line in lines]


def _heading(file: Path, lines: Sequence[bytes]) -> Heading:
    try:
        heading = msgspec.json.decode(lines[0] if lines else b"", type=Heading)
    except UNREADABLE:
        heading = None
    if heading is None or heading.format != FORMAT:
        raise RecordingError(f"{file} is no recording of a console; expected a file made with --record")
    if heading.version > VERSION:
        raise RecordingError(
            f"{file} is written in format {heading.version} of recordings and this console reads formats up to"
            f" {VERSION}; replay it with a newer console"
        )
    return heading


def _members(file: Path) -> Iterator[_Member]:
    """The members of a file one after the other; the last one may be cut short or damaged."""
    with open_file(file) as source:
        offset, waiting = 0, b""
        damage: Damage | None
        while waiting := waiting or source.read(_CHUNK_BYTES):
            member, fed, content, damage = zlib.decompressobj(wbits=_GZIP), 0, bytearray(), None
            while waiting and not member.eof:
                try:
                    content += member.decompress(waiting)
                except zlib.error:
                    damage = Damage("damaged", offset + fed)
                    break
                fed += len(waiting) - len(member.unused_data)
                waiting = member.unused_data if member.eof else source.read(_CHUNK_BYTES)
            if not member.eof and not damage:
                damage = Damage("cut", offset + fed)
            *lines, _ = bytes(content).split(b"\n")
            yield _Member(offset, fed, tuple(lines), damage)
            if damage:
                return
            offset += fed


def _read(file: Path, offset: int, length: int) -> list[Line]:
    with open_file(file) as source:
        source.seek(offset)
        content = zlib.decompressobj(wbits=_GZIP).decompress(source.read(length))
    return _decoded(content.splitlines())
