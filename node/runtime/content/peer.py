"""One peer, asked for bytes of content over a connection of its own: blocking, for threads."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from node.artifacts.changes import Changes
from node.protocol.settings import Member
from node.runtime.content.asking import MAX_ANSWER_BYTES, OK, PeerFailed, reason_of
from node.runtime.content.shapes import CHANGES_TYPE, CONTENTS, MAX_CHANGES_BYTES, Part, Parts

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 1024


class _Patient(socket.socket):
    """A connection whose other end has so long for anything, and then for each `SLOWEST_BYTES_PER_S` of so long again:
    one that gives a byte now and then would be waited for as long as it likes. What is waited for here does not count.
    """

    def __init__(self, connected: socket.socket, patience_s: float) -> None:
        super().__init__(connected.family, connected.type, connected.proto, connected.detach())
        self.settimeout(patience_s)
        self._patience_s = patience_s
        self.waits_since: float | None = None
        """Since when it is waited for the other end (monotonic s); None: it is not."""
        self._given_up_s: float | None = None
        self.begin()

    def begin(self) -> None:
        """Something is asked."""
        self._waited_s, self._got = 0.0, 0

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        """As the system's. Raises TimeoutError."""
        began = self.waits_since = time.monotonic()
        try:
            count = super().recv_into(buffer, nbytes, flags)
        finally:
            self.waits_since = None
        if self._given_up_s is not None:
            raise TimeoutError(f"gave nothing for {self._given_up_s:.0f} s, and others have it")
        self._waited_s += time.monotonic() - began
        self._got += count
        if self._waited_s >= self._patience_s:
            if self._got < self._patience_s * SLOWEST_BYTES_PER_S:
                raise TimeoutError(f"gave {self._got:,} bytes in {self._waited_s:.0f} s")
            self.begin()
        return count

    def give_up(self, silent_s: float) -> None:
        """From another thread: wait no longer if nothing has come for so long."""
        since = self.waits_since
        if since is not None and (silent := time.monotonic() - since) >= silent_s:
            self._given_up_s = silent
            with contextlib.suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)


class Answer:
    """The body of one answer, read piece by piece; it has exactly the length that was expected."""

    def __init__(self, peer: str, response: http.client.HTTPResponse) -> None:
        self._peer = peer
        self._response = response

    def read_into(self, view: memoryview) -> int:
        """Fill a part of `view`, at least one byte. Raises PeerFailed."""
        with _failing(self._peer):
            count = self._response.readinto(view)
        if not count:
            raise PeerFailed(self._peer, "the answer ended too early")
        return count


class Peer:
    """A connection to one member. Not for several threads at once."""

    def __init__(
        self, member: Member, connect_s: float = CONNECT_TIMEOUT_S, answer_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        url = urlsplit(member.url)
        self.id = member.id
        self._root = url.path
        self._answer_s = answer_s
        self._connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=connect_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def give_up(self, silent_s: float) -> None:
        """From another thread, before it is closed: fail what is asked if nothing has come for so long."""
        connected = self._connection.sock
        if isinstance(connected, _Patient):
            connected.give_up(silent_s)

    def manifest(self, key: str, base: str | None, most: int) -> bytes | Changes:
        """The manifest document, or what differs from the one with the key `base`. Raises PeerFailed."""
        query = f"?{urlencode({'base': base})}" if base is not None else ""
        response = self._ask("GET", f"{CONTENTS}/{key}/manifest{query}", b"")
        if response.headers["content-type"] != CHANGES_TYPE:
            return self._read(response, most)
        if response.length is None or response.length > MAX_CHANGES_BYTES:
            self._connection.close()
            if base is None:
                raise PeerFailed(self.id, "gave changes where a manifest was asked for")
            return self.manifest(key, None, most)
        body = self._read(response, MAX_CHANGES_BYTES)
        try:
            return msgspec.json.decode(body, type=Changes)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PeerFailed(self.id, f"the changes of a manifest cannot be read: {error}") from error

    def diff(self, base: str, version: str, most: int) -> bytes:
        """A diff file. Raises PeerFailed."""
        return self._read(self._ask("GET", f"diffs/{quote(base, '')}/{quote(version, '')}", b""), most)

    def parts(self, key: str, parts: list[Part]) -> Answer:
        """Pieces of files. Raises PeerFailed."""
        response = self._ask("POST", f"{CONTENTS}/{key}/parts", msgspec.json.encode(Parts(parts)))
        if response.length != sum(length for _, _, length in parts):
            self._connection.close()
            raise PeerFailed(self.id, f"answered {response.length} bytes, which is not what was asked for")
        return Answer(self.id, response)

    def _ask(self, method: str, path: str, body: bytes) -> http.client.HTTPResponse:
        headers: Mapping[str, str] = {"content-type": "application/json"} if body else {}
        with _failing(self.id):
            if self._connection.sock is None:
                self._connection.connect()
                self._connection.sock = _Patient(cast(socket.socket, self._connection.sock), self._answer_s)
            cast(_Patient, self._connection.sock).begin()
            self._connection.request(method, f"{self._root}/{path}", body or None, headers)
            response = self._connection.getresponse()
        if response.status != OK:
            refusal = self._read(response, MAX_ANSWER_BYTES)
            raise PeerFailed(self.id, f"answered {response.status} to {path}: {reason_of(refusal)}")
        return response

    def _read(self, response: http.client.HTTPResponse, most: int) -> bytes:
        with _failing(self.id):
            body = response.read(most + 1)
        if len(body) > most:
            self._connection.close()
            raise PeerFailed(self.id, f"answered more than {most:,} bytes")
        return body


@contextlib.contextmanager
def _failing(peer: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PeerFailed(peer, why) from error
