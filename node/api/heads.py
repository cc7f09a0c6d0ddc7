"""Request heads that were read before.

Programs and members send the same heads again and again, and what one says depends on its bytes alone. So it is read
once, by the parser, and where it comes again in one piece with its body, and with nothing behind, it is looked up.
"""

from node.api.exchange import Request

MAX_HEADS = 512
MAX_HEAD_BYTES = 1024
END = b"\r\n\r\n"


class Heads:
    """The heads of the requests that a server was sent lately, at most `MAX_HEADS` of at most `MAX_HEAD_BYTES`."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Request, int]] = {}
        """A head -> what it says, without a body, and how many bytes of body follow it."""

    def find(self, data: bytes, client: str) -> Request | None:
        """The request that `data` is, if it is one from its first byte to its last and its head is known."""
        end = data.find(END) + len(END)
        known = self._known.get(data[:end])
        if known is None or len(data) - end != known[1]:
            return None
        said = known[0]
        return Request(said.method, said.target, said.headers, data[end:], said.keep_alive, said.version, client)

    def note(self, data: bytes, request: Request) -> None:
        """`data` began with `request`, whose body, if any, was as long as its head says."""
        end, length = data.find(END) + len(END), len(request.body)
        if end > MAX_HEAD_BYTES or len(data) - end != length:
            return
        if len(self._known) >= MAX_HEADS:
            del self._known[next(iter(self._known))]
        head = Request(request.method, request.target, request.headers, b"", request.keep_alive, request.version)
        self._known[data[:end]] = head, length
