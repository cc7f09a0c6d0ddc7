"""What types cannot say of a client's values: bounds that are settings, and what a name may be. All raise `Refused`."""

from node.api.answers import Refused, bad_request
from node.api.call import BodyT, Call, QueryT
from node.runtime.given import unfit

TOO_LARGE = 413


def name(call: Call[QueryT, BodyT], field: str, value: str) -> str:
    """A name people and metrics will see: printable, and not too long."""
    bound = call.engine.settings.limits.max_name_chars
    if len(value) > bound:
        detail = f"{field}: expected at most {bound} characters, got {len(value)}"
        raise bad_request(detail, field, "too_long", str(bound))
    if not value.isprintable():
        raise bad_request(f"{field}: expected printable characters, got {value!r}", field, "not_printable")
    return value


def word(field: str, value: str) -> str:
    """What is copied from one command into the next: printable, and nothing that a shell would cut apart."""
    if not is_word(value):
        raise bad_request(f"{field}: expected printable characters without spaces", field, "not_printable")
    return value


def is_word(value: str) -> bool:
    """Whether it may be a `word`, for whoever would have to put a name to each of many fields."""
    return value.isprintable() and " " not in value


def wait_s(call: Call[QueryT, BodyT], wait: float) -> float:
    """How long a client wants to wait, seconds."""
    return _at_most("wait", wait, call.engine.settings.limits.max_wait_s)


def ttl_s(call: Call[QueryT, BodyT], ttl: float) -> float:
    """A lock's time to live, seconds."""
    return _at_most("ttl", ttl, call.engine.settings.limits.max_lock_ttl_s)


def limit(call: Call[QueryT, BodyT], given: int) -> int:
    """How many entries a client asks for."""
    if given > call.limits.max_listed:
        raise bad_request(f"limit: expected at most {call.limits.max_listed}, got {given}", "limit")
    return given


def payload(call: Call[QueryT, BodyT], field: str, content: dict[str, object]) -> dict[str, object]:
    """What the log takes: it can be encoded as msgpack, is not too large and not too deep."""
    refusal = unfit(field, content, call.limits.max_nesting, call.engine.settings.limits.max_payload_bytes)
    if refusal is not None:
        raise Refused(refusal, TOO_LARGE if refusal.reason == "too_large" else None)
    return content


def _at_most(field: str, seconds: float, bound: float) -> float:
    if not seconds <= bound:
        detail = f"{field}: expected at most {bound:g} seconds, got {seconds:g}"
        raise bad_request(detail, field, "too_large", f"{bound:g}")
    return seconds
