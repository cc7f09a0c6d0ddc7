"""Jobs of a node, begun from the console and watched until they end.

The node goes on with a job though nobody watches. When it is lost from sight the outcome is `maybe`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from iwdc_console.client import segment
from iwdc_console.locale import text
from iwdc_console.tui import orders
from iwdc_console.tui.model.api import Job
from iwdc_console.tui.model.codes import vote
from iwdc_console.tui.model.outcome import failure
from iwdc_console.tui.orders import Order, Outcome

POLL_S: Final = 0.3
PATIENCE_S: Final = 20.0
"""A node that does not answer for this long is lost from sight."""
UNDECIDED: Final = frozenset({"maybe", "stopping"})


async def follow(node: str, begin: Order, told: Callable[[Job], None]) -> Outcome:
    """Begin a job at `node` and tell how far it is. The outcome's data are the job's own, where it ended well."""
    outcome = await orders.give((node,), begin)
    if outcome.kind != "done":
        return outcome
    heard_s = time.monotonic()
    while True:
        try:
            job = msgspec.convert(outcome.data, Job)
        except msgspec.ValidationError as error:
            return Outcome("maybe", text("orders.maybe", why=str(error)), outcome.data)
        told(job)
        if job.ended:
            return _ended(job, outcome.data)
        await asyncio.sleep(POLL_S)
        seen = await orders.give((node,), _look(job.id))
        if seen.kind == "done":
            outcome, heard_s = seen, time.monotonic()
        elif seen.reason == "not_here" or time.monotonic() - heard_s > PATIENCE_S:
            return Outcome("maybe", text("orders.maybe", why=seen.words), seen.data)


def _look(job: str) -> Order:
    return lambda client: client.get(f"snapshots/jobs/{segment(job)}")


def _ended(job: Job, data: object) -> Outcome:
    if job.phase == "failed":
        why = failure(job.reason, job.detail)
        if job.reason in UNDECIDED:
            return Outcome("maybe", text("orders.maybe", why=text("orders.unheard.job")), data)
        return Outcome("refused", f"{text('progress.failed', version=job.version)} {why}", data)
    if job.proposal is not None and job.proposal.state == "rejected":
        return Outcome("refused", text("orders.rejected", why=vote(job.proposal.reason or "")), data)
    return Outcome("done", text("orders.done"), data)


def store(folder: str, version: str) -> Order:
    """Take a folder of the node's own machine as the content of a version."""
    return lambda client: client.post("snapshots/store", {"path": folder, "version": version})


def publish(stored: dict[str, object]) -> Order:
    """Bring stored content to enough voters and put it to the vote."""
    return lambda client: client.post("snapshots/publish", stored)


def verify(version: str, sample: float) -> Order:
    """Read and hash the files of a version, a part of them or all."""
    return lambda client: client.post("snapshots/verify", {"version": version, "sample": sample})


def compare(version: str, base: str) -> Order:
    """What differs between two versions, in numbers; changes nothing."""
    return lambda client: client.get(f"snapshots/{segment(version)}/changes", base=base, limit=1)
