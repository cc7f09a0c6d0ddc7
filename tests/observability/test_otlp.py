"""Spans reach an OpenTelemetry collector as the specification says, and a collector that is away costs nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from node.observability import otlp
from node.observability.otlp import Exporter, document
from node.observability.traces import HEARTBEAT_SEND, PROPOSE_SNAPSHOT, Span, TraceRing
from node.protocol.effects import Now, Observe

TRACE = "0af7651916cd43dd8448eb211c80319c"
WAIT_S = 30.0


class Collector:
    """Takes what is posted and answers with `status`; `came` is set by each request."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.came = threading.Semaphore(0)
        self.port = 0

    @property
    def names(self) -> list[str]:
        """The spans it accepted, by name."""
        return [
            span["name"]
            for body in self.bodies
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handle(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if collector.status == 200:
                collector.bodies.append(body)
                collector.paths.append(self.path)
            self.send_response(collector.status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            collector.came.release()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handle)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Told:
    """What the exporter says of the collector."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.well = threading.Event()

    def exporter(self, port: int) -> Exporter:
        return Exporter(f"http://127.0.0.1:{port}", "instance-A", "prod", self.lost.append, self.well.set)


def span(name: str, number: int = 0) -> Span:
    return Span(TRACE, f"{number:016x}", None, name, "instance-A", 1_700_000_000_000.5, 2.25, {})


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "EVERY_S", 0.01)


def test_a_span_is_told_as_the_specification_has_it() -> None:
    fields: dict[str, object] = {"votes": 2, "late": True, "offset": 0.5, "reason": "stale_version", "who": ["A"]}
    child = Span(TRACE, "b7ad6b7169203331", "8448eb211c80319c", "VOTE", "instance-A", 1_700_000_000_000.5, 2.25, fields)
    (resource,) = document([child], {"service.name": "s"})["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "s"}}]
    (told,) = resource["scopeSpans"][0]["spans"]
    assert told == {
        "traceId": TRACE,
        "spanId": "b7ad6b7169203331",
        "parentSpanId": "8448eb211c80319c",
        "name": "VOTE",
        "kind": 1,
        "startTimeUnixNano": "1700000000000500000",
        "endTimeUnixNano": "1700000000002750000",
        "attributes": [
            {"key": "votes", "value": {"intValue": "2"}},
            {"key": "late", "value": {"boolValue": True}},
            {"key": "offset", "value": {"doubleValue": 0.5}},
            {"key": "reason", "value": {"stringValue": "stale_version"}},
            {"key": "who", "value": {"arrayValue": {"values": [{"stringValue": "A"}]}}},
        ],
    }


def test_what_is_recorded_reaches_the_collector_but_not_what_is_routine() -> None:
    with collecting() as collector:
        exporter = Told().exporter(collector.port)
        ring = TraceRing(100, exporter.offer)
        ring.record(span(PROPOSE_SNAPSHOT))
        ring.record_observe(Observe(HEARTBEAT_SEND, "debug", "", 1.0, {}), Now(1.0, 1e12), "instance-A")
        ring.record_observe(Observe("VOTE", "debug", TRACE, 1.0, {}), Now(1.0, 1e12), "instance-A")
        exporter.close()
        assert collector.names == [PROPOSE_SNAPSHOT, "VOTE"]
        assert set(collector.paths) == {"/v1/traces"}


def test_a_collector_that_comes_back_gets_what_waited() -> None:
    told = Told()
    with collecting() as collector:
        collector.status = 503
        exporter = told.exporter(collector.port)
        exporter.offer(span("FIRST"))
        assert collector.came.acquire(timeout=WAIT_S)
        exporter.offer(span("SECOND"))
        collector.status = 200
        assert told.well.wait(WAIT_S)
        exporter.close()
        assert collector.names == ["FIRST", "SECOND"]
        assert told.lost == ["the collector answers 503"]


def test_what_waits_for_a_collector_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAX_WAITING", 10)
    monkeypatch.setattr(otlp, "BATCH", 4)
    told = Told()
    with collecting() as collector:
        collector.status = 503
        exporter = told.exporter(collector.port)
        for number in range(25):
            exporter.offer(span(f"S{number}"))
        assert collector.came.acquire(timeout=WAIT_S)
        collector.status = 200
        assert told.well.wait(WAIT_S)
        exporter.close()
        assert collector.names[-1] == "S24"
        assert len(collector.names) <= 14
        assert collector.names == [f"S{number}" for number in range(25 - len(collector.names), 25)]


def test_a_collector_that_is_not_there_is_told_once_and_ends_nothing() -> None:
    told = Told()
    exporter = told.exporter(1)
    exporter.offer(span("ONE"))
    exporter.close()
    assert len(told.lost) == 1
