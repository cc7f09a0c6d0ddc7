"""Jobs at a node: begun, watched with a bar on a terminal, and what their failure means to the caller."""

import sys
import time
from typing import Any

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.failures import AFTER_REJECTION, NO_QUORUM_REASONS, WHO_IS_MISSING, explained
from iwdc_console.cli.output import width
from iwdc_console.cli.text import cells, fit, pad, safe, size
from iwdc_console.client import Client
from iwdc_console.outcomes import Interrupted, NotFound, Unreachable

POLL_S = 0.2
BAR = 24
REJECTED_REASONS = frozenset({"would_be_rejected", "bad_content", "void"})
MOST_NAMED = 5
"""Of damaged files."""
HINTS = {
    "damaged": "Look again when they have come: iwdc-distributed snapshot verify {version}",
    "not_staged": "See who can be reached: iwdc-distributed instances. What was sent is kept: publish again.",
    "no_space": "Free the disk, or drop old versions: iwdc-distributed snapshot prune --keep 5",
    "would_be_rejected": "Nothing was sent. See: iwdc-distributed snapshot list, proposals",
}


class Bar:
    """One line on stderr that is written over, where stderr is a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = 0

    def show(self, what: str, done: int, total: int) -> None:
        """How far it is; `total` 0: not known."""
        if not self._on:
            return
        share = min(1.0, done / total) if total else 0.0
        bar = f"[{'#' * round(share * BAR):<{BAR}}] {share:4.0%}  " if total else ""
        line = fit(f"{bar}{safe(what)}", width(sys.stderr.fileno()) - 1)
        sys.stderr.write(f"\r{pad(line, max(self._shown, cells(line)))}")
        sys.stderr.flush()
        self._shown = cells(line)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{'':<{self._shown}}\r")
            sys.stderr.flush()
            self._shown = 0


def follow(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of a job that `client` has begun. Raises `Failure` with its reason, `Interrupted`."""
    bar = Bar()
    try:
        while job["phase"] not in ("done", "failed"):
            _show(bar, job)
            time.sleep(POLL_S)
            job = _look(client, job)
    except KeyboardInterrupt:
        raise Interrupted(_goes_on(job)) from None
    finally:
        bar.clear()
    if job["phase"] == "failed":
        raise _failure(job)
    return job


def _goes_on(job: dict[str, Any]) -> str:
    """What becomes of a job that nobody watches any more."""
    if job["phase"] in ("reading", "storing"):
        return "The node goes on with it; nothing is put to the vote."
    return f"The node goes on with it: {job['version']} may still be put to the vote."


def _look(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """How far the job is. Raises `Failure` when that cannot be known any more, and it may have come to a vote."""
    try:
        found: dict[str, Any] = client.get(f"snapshots/jobs/{job['id']}").data
    except (Unreachable, NotFound) as lost:
        if job["phase"] not in ("staging", "voting"):
            raise
        raise Failure(
            f"Version {job['version']}: contact with the node was lost while {job['phase']}: {lost}. "
            "The version may have been put to the vote.",
            Exit.UNKNOWN,
            "See: iwdc-distributed proposals. To publish again does nothing twice, and goes on where it was.",
        ) from lost
    return found


def _show(bar: Bar, job: dict[str, Any]) -> None:
    done, total = job.get("bytes", 0), job.get("totalBytes", 0)
    if job["phase"] == "staging":
        holders = ", ".join(f"{name} {how}" for name, how in job.get("holders", {}).items())
        bar.show(f"bringing {size(total)} to voters: {holders}", 0, 0)
    elif job["phase"] == "voting":
        bar.show("waiting for votes", 0, 0)
    else:
        bar.show(f"{job['phase']}: {job.get('files', 0)} files, {size(done)}", done, total)


def _failure(job: dict[str, Any]) -> Failure:
    reason, detail = str(job.get("reason")), str(job.get("detail"))
    code = Exit.FAILED
    if reason in NO_QUORUM_REASONS or reason == "not_staged":
        code = Exit.NO_QUORUM
    elif reason in REJECTED_REASONS:
        code = Exit.REJECTED
    elif reason in ("maybe", "stopping"):
        code = Exit.UNKNOWN
    found = job.get("verified") or {}
    named = [f"{how}: {safe(path)}" for how in ("missing", "corrupt") for path in found.get(how, ())]
    detail += "".join(f"\n  {each}" for each in named[:MOST_NAMED])
    detail += f"\n  and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    hint = (
        f"Nothing was sent. {AFTER_REJECTION['bad_signature']}"
        if "bad_signature" in detail
        else HINTS.get(reason, "").format(version=job["version"])
    )
    if not hint and code is Exit.NO_QUORUM:
        hint = WHO_IS_MISSING
    return Failure(f"Version {job['version']}: {explained(reason, detail)}", code, hint)
