"""What goes into and comes out of a core, in short lines that a person can follow."""

from collections.abc import Iterable

import msgspec

from node.protocol.effects import Called, Effect, Emit, Input, Observe, Persist, Persisted, Received, Reply, Send, Tick
from node.protocol.messages import Heartbeat, HeartbeatAck, Message, Push
from node.protocol.records import ControlState

_MAX_CHARS = 400


def _brief(value: object) -> str:
    if isinstance(value, ControlState):
        locks = ", ".join(f"{r}#{k.token}" for r, k in sorted(value.locks.items()))
        return f"[token {value.token}; locks {locks or 'none'}; {'floor' if value.floor else 'no floor'}]"
    if isinstance(value, msgspec.Struct):
        return tell(value)
    if isinstance(value, msgspec.Raw):
        return f"{len(bytes(value))} bytes"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_brief(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_brief(v) for v in value) + ")"
    return str(value)


def tell(value: msgspec.Struct) -> str:
    """A struct by its name and those fields that say something."""
    fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
    text = ", ".join(f"{name}={_brief(field)}" for name, field in fields if field not in (None, "", (), {}, False))
    return f"{type(value).__name__}({text})"[:_MAX_CHARS]


def _tell_message(message: Message) -> str:
    match message:
        case Heartbeat():
            return f"beat {message.number} {message.status} term {message.term} leader {message.leader}"
        case HeartbeatAck(number):
            return f"ack {number}"
        case Push(events, more, answers):
            inside = ", ".join(f"{e.type} {e.journal[:6]}/{e.seq}" for e in events)
            return f"Push({inside}{', more' if more else ''}{f', answers {answers}' if answers else ''})"[:_MAX_CHARS]
        case _:
            return tell(message)


def tell_messages(messages: Iterable[Message]) -> str:
    """The content of an envelope."""
    return "; ".join(_tell_message(m) for m in messages)


def tell_input(given: Input) -> str:
    """An input, as it is handed to a core."""
    match given:
        case Tick():
            return "tick"
        case Persisted(number):
            return f"durable up to {number}"
        case Received(envelope):
            return f"< {envelope.sender}: {tell_messages(envelope.messages)}"
        case Called(call, request):
            return f"call {call}: {tell(request)}"
        case _:
            return tell(given)


def tell_effect(effect: Effect) -> str:
    """An effect, as it leaves."""
    match effect:
        case Send(to, message):
            return f"    > {to}: {_tell_message(message)}"
        case Reply(call, answer):
            return f"    answers {call}: {tell(answer)}"
        case Emit(events):
            return "    events " + ", ".join(f"{event.type} {event.journal[:6]}/{event.seq}" for event in events)
        case Observe(name, level, _, _, fields):
            return f"    {level} {name} {_brief(fields)}"
        case Persist(number, records):
            return f"    writes {number}: {'; '.join(tell(r) for r in records)}"[:_MAX_CHARS]
        case _:
            return f"    {tell(effect)}"
