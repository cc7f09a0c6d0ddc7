"""Routes: which handler answers a method and a path, and what it takes. A handler's annotations are the one truth.

A handler is a function of one `Call[Query, Body]`; what it returns, or what that comes to once the core was asked or
it was awaited, is the answer's `data`. Its docstring is its summary. A path is matched segment by segment before
percent-decoding, so a `%2F` stays inside its segment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import unquote_to_bytes

import msgspec

from node.api.answers import Refused, bad_request
from node.api.call import Asked, Call
from node.protocol.requests import Refusal

NOT_FOUND, NOT_ALLOWED = 404, 405
NAME = "{}"
"""Stands for any name in a path."""
REMEMBERED = 256
"""Paths whose routes are remembered, as programs ask for the same again and again."""
MAX_SHOWN = 200
"""Characters of a client's path that an answer repeats."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `span` is the name of the span it leaves; `max_body` overrides the usual bound, bytes."""

    method: str
    path: str
    handler: Callable[[Call[Any, Any]], Any]
    span: str | None = None
    max_body: int | None = None
    query: type[msgspec.Struct] | None = field(init=False)
    body: Any = field(init=False)
    answer: Any = field(init=False)
    decode: Callable[[bytes], Any] | None = field(init=False)
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        hints = get_type_hints(self.handler)
        query, body = (None if kind is type(None) else kind for kind in get_args(hints["call"]))
        for name, value in (
            ("query", query),
            ("body", body),
            ("answer", _answer(hints["return"])),
            ("decode", None if body is None else msgspec.json.Decoder(body).decode),
            ("segments", tuple(self.path.split("/")[1:])),
        ):
            object.__setattr__(self, name, value)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the path, `{resource}` being `resource`."""
        return tuple(part[1:-1] for part in self.segments if part.startswith("{"))

    @property
    def summary(self) -> str:
        """One line for people."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]


def _answer(kind: Any) -> Any:
    """What a handler answers, where the core has to be asked as well as where not."""
    return get_args(kind)[0] if get_origin(kind) is Asked else kind


Methods = dict[str, Route]


class Router:
    """Finds routes. A path costs one look-up for each set of places that names have in paths of its length."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._literal: dict[bytes, Methods] = {}
        self._by_places: dict[int, dict[tuple[int, ...], dict[tuple[str, ...], Methods]]] = {}
        for route in routes:
            places = tuple(at for at, part in enumerate(route.segments) if part.startswith("{"))
            literal = tuple(NAME if part.startswith("{") else part for part in route.segments)
            same_length = self._by_places.setdefault(len(route.segments), {})
            same_length.setdefault(places, {}).setdefault(literal, {})[route.method] = route
            if not places:
                self._literal.setdefault(route.path.encode(), {})[route.method] = route
        self.find = lru_cache(REMEMBERED)(self._find)
        """The route and the values of its path's names, for method and path. Raises `Refused` (400, 404, 405)."""
        self._max_body = {route.path.encode(): route.max_body for route in routes if route.max_body is not None}

    def _find(self, method: str, target: bytes) -> tuple[Route, tuple[str, ...]]:
        values: tuple[str, ...] = ()
        methods = self._literal.get(target)
        if methods is None:
            methods, values = self._match(target)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = sorted({*methods, *(("HEAD",) if "GET" in methods else ())})
            raise Refused(
                Refusal("method_not_allowed", f"{method} is not served here, only {', '.join(allowed)}"),
                NOT_ALLOWED,
                b"allow: %b\r\n" % ", ".join(allowed).encode(),
            )
        return route, values

    def max_body(self, target: bytes) -> int | None:
        """The bound a target's route sets itself."""
        return self._max_body.get(target)

    def _match(self, target: bytes) -> tuple[Methods, tuple[str, ...]]:
        try:
            if b"%" in target:
                given = [unquote_to_bytes(part).decode("utf-8") for part in target.split(b"/")[1:]]
            else:
                given = target.decode("utf-8").split("/")[1:]
        except UnicodeDecodeError:
            raise bad_request("path: expected percent-encoded UTF-8") from None
        if target.startswith(b"/"):
            for places, found in self._by_places.get(len(given), {}).items():
                literal, values = given.copy(), []
                for at in places:
                    values.append(given[at])
                    literal[at] = NAME
                methods = found.get(tuple(literal))
                if methods is not None and all(values):
                    return methods, tuple(values)
        raise Refused(Refusal("not_found", self._not_found(target)), NOT_FOUND)

    def _not_found(self, target: bytes) -> str:
        shown = target.decode("utf-8", "backslashreplace")[:MAX_SHOWN]
        near = get_close_matches(shown, {route.path for route in self.routes}, 1)
        return f"there is nothing at {shown}" + (f"; did you mean {near[0]}?" if near else "")
