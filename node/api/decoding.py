"""A client's query and body into the types a handler takes. What does not fit is refused with the field's name."""

import re
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import parse_qsl

import msgspec

from node.api.answers import Refused, bad_request
from node.api.routing import Route

MAX_PARAMETERS = 32
QUERIES = 64
"""How many are remembered, as programs ask the same again and again."""
NULL, EMPTY = b"null", b'""'
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_AT = re.compile(r" - at `\$\.?(.*)`$")
_QUOTED = re.compile(r"`([^`]*)`")


def read_query(route: Route, text: bytes) -> msgspec.Struct | None:
    """The query parameters. Raises `Refused`."""
    if route.query is not None:
        return _query(route.query, text)
    for name in _parameters(text):
        raise bad_request(f"{name}: no query parameters are taken here", name)
    return None


@lru_cache(QUERIES)
def _query(kind: type[msgspec.Struct], text: bytes) -> msgspec.Struct:
    try:
        return msgspec.convert(_parameters(text), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), kind) from None


def _parameters(text: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:
        raise bad_request(f"query: expected name=value pairs in percent-encoded UTF-8 ({error})") from None
    given = dict(pairs)
    for name, _ in pairs:
        if [n for n, _ in pairs].count(name) > 1:
            raise bad_request(f"{name}: given more than once", name)
    return given


def read_body(route: Route, body: bytes) -> Any:
    """The body. Raises `Refused`; its sentences for what is missing or unreadable are v1.6's."""
    if route.decode is None:
        return None
    try:
        return route.decode(body or b"{}")
    except msgspec.ValidationError as error:
        missing = _missing(route.body, body)
        if missing:
            raise bad_request(f"Missing required fields: {', '.join(missing)}", missing[0]) from None
        raise _invalid(str(error), route.body) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise bad_request("Invalid JSON") from None
    except RecursionError:
        raise bad_request("Invalid JSON: nested too deep") from None


def _missing(kind: Any, body: bytes) -> list[str]:
    """Required fields that are absent, null or empty."""
    if not _is_struct(kind):
        return []
    try:
        given = _fields(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []  # no object, or none that can be read to its end: the finding itself says more
    required = [one.encode_name for one in msgspec.structs.fields(kind) if one.required]
    return [name for name in required if bytes(given.get(name, NULL)) in (NULL, EMPTY)]


def _invalid(problem: str, kind: Any) -> Refused:
    """msgspec's finding in our words: field first, then what was expected."""
    at = _AT.search(problem)
    if at is not None:
        found, field = problem[: at.start()].replace("`", ""), at[1]
        if found.startswith("Invalid enum value"):
            found += f", expected {' or '.join(_words(kind, field.rpartition('.')[2]))}"
        return bad_request(f"{field}: {found}", field)
    quoted = _QUOTED.search(problem)
    if "unknown field" in problem and quoted is not None:
        return bad_request(f"{quoted[1]}: unknown, expected {', '.join(_names(kind)) or 'nothing'}", quoted[1])
    return bad_request(problem.replace("`", ""))


def _words(kind: Any, field: str) -> tuple[str, ...]:
    """The words that a field takes, wherever it stands in a type."""
    if _is_struct(kind):
        for each in msgspec.structs.fields(kind):
            found = get_args(each.type) if each.encode_name == field else _words(each.type, field)
            if found:
                return found
        return ()
    return next(filter(None, (_words(inner, field) for inner in get_args(kind))), ())


def _names(kind: Any) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(kind)] if _is_struct(kind) else []


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
