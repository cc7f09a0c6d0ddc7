"""The questions of a diagnosis: every member is asked what it knows, all at once. What follows, `diagnosis` says."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from iwdc_console.client import Client
from iwdc_console.evidence import LEGACY, Evidence, Look
from iwdc_console.outcomes import ClientError, Unreachable

ASK_TIMEOUT_S = 3.0
MAX_AT_ONCE = 16
PROPOSALS = 200


def examine(client: Client, listed: Sequence[tuple[str, str]] = ()) -> Evidence:
    """Ask all members; where none tells who they are, those that are `listed` by id and URL. Changes nothing."""
    try:
        listed = [
            (item["id"], item["url"]) for item in client.get("distributed/instances").data if item["protocol"] != LEGACY
        ]
    except Unreachable as error:
        listed = listed or [(url, url) for url, _ in error.tried]
    with ThreadPoolExecutor(min(MAX_AT_ONCE, max(1, len(listed)))) as at_once:
        looks = list(at_once.map(lambda member: _look(*member), listed))
    answering = [look.url for look in looks if look.status is not None]
    return Evidence(
        looks,
        _list(answering, "distributed/proposals", limit=PROPOSALS),
        _list(answering, "distributed/conflicts"),
        versions=_list(answering, "snapshots"),
    )


def _look(name: str, url: str) -> Look:
    started, wall_ms = time.monotonic(), time.time() * 1000
    try:
        client = Client([url], ASK_TIMEOUT_S)
        url = client.nodes[0]  # as people give it to a command
        status = client.get("distributed/status").data
        took_ms = (time.monotonic() - started) * 1000
        return Look(status["id"], url, status, "", took_ms, status["at"] - wall_ms - took_ms / 2)
    except Unreachable as error:
        return Look(name, url, None, "; ".join(why for _, why in error.tried))
    except (ClientError, KeyError, TypeError) as error:
        return Look(name, url, None, str(error))


def _list(nodes: list[str], path: str, **query: object) -> list[dict[str, Any]]:
    if not nodes:
        return []
    try:
        answer: list[dict[str, Any]] = Client(nodes, ASK_TIMEOUT_S).get(path, **query).data
    except ClientError:
        return []
    return answer
