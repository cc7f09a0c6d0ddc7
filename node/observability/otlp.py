"""Spans to an OpenTelemetry collector: OTLP over HTTP with JSON, as the specification has it (`POST /v1/traces`).

A few dozen lines instead of the SDK and its exporter, which weigh more than a node: here a span costs the node one
append, and a thread does the rest. What cannot be delivered waits, up to a bound, and is then dropped, the oldest
first: a collector that is away costs traces, never a proposal.
"""

import http.client
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from node.observability.traces import Kept, Span, span_of

PATH: Final = "/v1/traces"
EVERY_S = 2.0
TIMEOUT_S = 5.0
BATCH = 512
MAX_WAITING = 10_000
"""Spans that wait for the collector; beyond it the oldest are dropped."""
SERVICE: Final = "iwdc-distributed"
INTERNAL: Final = 1
"""`SPAN_KIND_INTERNAL`."""


def document(spans: Iterable[Span], resource: dict[str, str]) -> dict[str, Any]:
    """Spans as the body of an OTLP request; `resource` says who made them."""
    told = [
        {
            "traceId": span.trace,
            "spanId": span.id,
            **({} if span.parent is None else {"parentSpanId": span.parent}),
            "name": span.name,
            "kind": INTERNAL,
            "startTimeUnixNano": _nanos(span.start_ms),
            "endTimeUnixNano": _nanos(span.start_ms + span.duration_ms),
            "attributes": [_attribute(name, value) for name, value in span.fields.items()],
        }
        for span in spans
    ]
    scope = {"scope": {"name": SERVICE}, "spans": told}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [_attribute(*item) for item in resource.items()]}, "scopeSpans": [scope]}
        ]
    }


def _nanos(unix_ms: float) -> str:
    """To the microsecond: a float holds no more."""
    return str(int(unix_ms * 1000) * 1000)


def _attribute(name: str, value: object) -> dict[str, Any]:
    return {"key": name, "value": _value(value)}


def _value(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}


class Exporter:
    """Brings spans to the collector at `endpoint`, `http(s)://host:port`.

    `lost`, with the reason, and `well` are called once per change, from its thread.
    """

    def __init__(
        self, endpoint: str, instance: str, cluster: str, lost: Callable[[str], None], well: Callable[[], None]
    ) -> None:
        url = urlsplit(endpoint)
        self._kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = url.hostname or "", url.port
        self._path = url.path.rstrip("/").removesuffix(PATH) + PATH
        self._resource = {"service.name": SERVICE, "service.instance.id": instance, "iwdc.cluster": cluster}
        self._lost, self._well = lost, well
        self._waiting: deque[Kept] = deque(maxlen=MAX_WAITING)
        self._failing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp-export", daemon=True)
        self._thread.start()

    def offer(self, kept: Kept) -> None:
        """Take a span. Never blocks."""
        self._waiting.append(kept)

    def close(self) -> None:
        """Try once more to deliver what waits, and end."""
        self._ended.set()
        self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            why = self._post(msgspec.json.encode(document(map(span_of, batch), self._resource), enc_hook=str))
            if why is None:
                if self._failing:
                    self._failing = False
                    self._well()
                continue
            if not self._failing:
                self._failing = True
                self._lost(why)
            # What came meanwhile is newer: the oldest give way.
            room = MAX_WAITING - len(self._waiting)
            self._waiting.extendleft(reversed(batch[max(0, len(batch) - room) :]))
            return

    def _post(self, body: bytes) -> str | None:
        """Deliver one batch; why it failed, or None. What the collector calls wrong is not sent again."""
        connection = self._kind(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", self._path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as problem:
            return str(problem) or type(problem).__name__
        finally:
            connection.close()
        return f"the collector answers {answer.status}" if answer.status in (429, 502, 503, 504) else None
