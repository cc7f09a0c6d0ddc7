"""What is said of a node's job: storing a folder, bringing it to voters, the vote, a check of files."""

import re

from iwdc_console.locale import number, text
from iwdc_console.tui.model.api import Job
from iwdc_console.tui.model.bars import bar
from iwdc_console.tui.model.outcome import failure
from iwdc_console.tui.model.overview import STATES, text_or
from iwdc_console.tui.model.quantity import size

Line = list[tuple[str, str]]

PHASES = ("waiting", "reading", "storing", "staging", "voting", "done", "failed")
BAR = 24
MOST_NAMED = 3
_SILENT = re.compile(r"no answer \(for (?P<seconds>\d+) s(; before, (?P<before>.*))?\)")


def lines(job: Job, width: int, most: int) -> list[Line]:
    """What it does and how far it is, or what came of it."""
    phase = text(f"progress.{job.phase}", version=job.version) if job.phase in PHASES else job.phase
    tone = {"done": "text-success", "failed": "text-error"}.get(job.phase, "")
    if job.ended:
        return [[(phase, tone), (f"  {_came_of(job)}", "")], *_damage(job)][:most]
    head: Line = []
    if job.total_bytes and job.phase != "voting":
        done = 0 if job.phase == "staging" else job.bytes
        filled, empty = bar(done, job.total_bytes, BAR)
        head = [] if job.phase == "staging" else [(filled, "status-healthy"), (empty, "text-muted"), ("  ", "")]
    counted = text("progress.counted", files=number(job.files), size=size(job.bytes)) if job.files else ""
    holders: Line = [(f"{name} {_held(how)}   ", "") for name, how in sorted(job.holders.items())]
    found = [[*head, (phase, "bold"), (f"  {counted}", "text-muted")], holders]
    return [line for line in found if line][:most]


def _held(how: str) -> str:
    """How much of the content a member has, or that it does not answer; what is wrong besides stays as it was said."""
    if how == "asked":
        return text("progress.asked")
    silent = _SILENT.fullmatch(how)
    if silent is None:
        return how
    words = text("progress.silent", seconds=silent["seconds"])
    return f"{words} ({silent['before']})" if silent["before"] else words


def said(job: Job) -> str:
    """How far a job is that goes on, in a sentence."""
    return "".join(words for line in lines(job, 0, 1) for words, _ in line)


def _came_of(job: Job) -> str:
    if job.verified is not None and job.phase == "done":
        words = text("progress.sound", count=number(job.verified.checked))
        extra = job.verified.extra
        return words + (" " + text("progress.extra", names=_named(extra)) if extra else "")
    if job.phase == "failed":
        return failure(job.reason, job.detail)
    if job.proposal is not None:
        state = job.proposal.state
        return text("progress.verdict", version=job.version, state=text_or(f"state.{state}", state, STATES))
    return text("progress.counted", files=number(job.files), size=size(job.bytes))


def _damage(job: Job) -> list[Line]:
    found = job.verified
    if found is None:
        return []
    told = (("missing", found.missing), ("corrupt", found.corrupt))
    return [[(text(f"progress.{name}", names=_named(paths)), "text-error")] for name, paths in told if paths]


def _named(paths: tuple[str, ...]) -> str:
    rest = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" +{rest}" if rest > 0 else "")
