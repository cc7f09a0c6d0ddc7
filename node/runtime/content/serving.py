"""Giving content to peers, in threads: pieces of files, straight from the disk to the socket.

The length is announced before the first byte is read. A file that has gone or shrunk since is padded with zeros: the
peer finds the wrong hash, names this node and fetches it elsewhere.
"""

import os
import socket
import threading
from collections.abc import Sequence
from typing import Final

from node.artifacts.manifest import Manifest
from node.artifacts.store import Holding
from node.runtime.content.pace import Pace
from node.runtime.content.shapes import MAX_PARTS_BYTES, Part

SMALL_BYTES: Final = 256 * 1024
"""Smaller pieces are gathered; larger ones the system copies from file to socket itself."""
CHUNK_BYTES: Final = 256 * 1024
FILE_BYTES: Final = 4 * 1024 * 1024


class BadParts(Exception):
    """The pieces asked for are not in the content."""


def size_of(manifest: Manifest, parts: Sequence[Part]) -> int:
    """How many bytes the pieces have. Raises BadParts."""
    total = 0
    for index, offset, length in parts:
        if index >= manifest.count or offset + length > manifest.entry(index).size:
            raise BadParts(f"part [{index}, {offset}, {length}]: not in the content")
        total += length
    if total > MAX_PARTS_BYTES:
        raise BadParts(f"the parts have {total:,} bytes, at most {MAX_PARTS_BYTES:,} are given at once")
    return total


def send_parts(holding: Holding, manifest: Manifest, parts: Sequence[Part], pace: Pace, sock: socket.socket) -> None:
    """Write the pieces. Raises OSError when the peer is gone."""
    gathered = bytearray()
    never = threading.Event()
    for index, offset, length in parts:
        path = holding.path(manifest.entry(index))
        if length < SMALL_BYTES:
            gathered += _read(path, offset, length)
        else:
            sock.sendall(gathered)
            gathered.clear()
            for start in range(offset, offset + length, FILE_BYTES):
                piece = min(FILE_BYTES, offset + length - start)
                pace.take(piece, never)
                _send_file(path, start, piece, sock)
        if len(gathered) >= CHUNK_BYTES:
            pace.take(len(gathered), never)
            sock.sendall(gathered)
            gathered.clear()
    sock.sendall(gathered)


def _read(path: str, offset: int, length: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return bytes(length)
    try:
        return os.pread(descriptor, length, offset).ljust(length, b"\0")
    except OSError:
        return bytes(length)
    finally:
        os.close(descriptor)


def _send_file(path: str, offset: int, length: int, sock: socket.socket) -> None:
    sent = 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        descriptor = -1
    if descriptor >= 0:
        with open(descriptor, "rb", buffering=0) as file:
            sent = sock.sendfile(file, offset, length)
    while sent < length:
        padding = min(CHUNK_BYTES, length - sent)
        sock.sendall(bytes(padding))
        sent += padding
