"""A proposal before it is made: what is wrong with it, which version comes next, what it would meet. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from iwdc_console.locale import text
from iwdc_console.tui.model import codes
from iwdc_console.tui.model.api import Prediction
from iwdc_console.tui.model.evidence import status_word
from iwdc_console.tui.model.words import clean, fitted
from node.protocol.settings import Limits
from node.protocol.versions import BadVersion, parse

Kind = Literal["snapshot", "diff"]
Line = list[tuple[str, str]]
FIRST = "1.0.0"
MAX_HASH_CHARS = Limits().max_hash_chars
OK, UNKNOWN = "ok", "unknown"
VOTE_WORDS = ("accept", "reject", UNKNOWN)
LISTED = 7
"""As many voters have a line each."""


class Draft(NamedTuple):
    """What the form says. `base` is empty for a snapshot."""

    kind: Kind
    version: str
    hash: str
    base: str = ""

    def body(self) -> dict[str, str]:
        """The request's body."""
        if self.kind == "snapshot":
            return {"version": self.version, "hash": self.hash}
        return {"from": self.base, "to": self.version, "hash": self.hash}


class Change(NamedTuple):
    """How many files differ from the current version."""

    added: int
    removed: int
    changed: int


def problems(draft: Draft, current: str | None) -> dict[str, str]:
    """What is wrong, by field: `base`, `version`, `hash`."""
    found = {
        "base": _base_problem(draft) if draft.kind == "diff" else "",
        "version": _version_problem(draft, current),
        "hash": _hash_problem(draft.hash),
    }
    return {field: words for field, words in found.items() if words}


def _base_problem(draft: Draft) -> str:
    return "" if is_version(draft.base) else text("propose.bad_version")


def _version_problem(draft: Draft, current: str | None) -> str:
    if not is_version(draft.version):
        return text("propose.bad_version")
    older = draft.base if draft.kind == "diff" and is_version(draft.base) else current
    if older is not None and is_version(older) and parse(draft.version) <= parse(older):
        return text("propose.not_newer", version=older)
    return ""


def _hash_problem(value: str) -> str:
    if not value:
        return text("propose.no_hash")
    if len(value) > MAX_HASH_CHARS or not value.isprintable() or " " in value:
        return text("propose.bad_hash", most=MAX_HASH_CHARS)
    return ""


def is_version(words: str) -> bool:
    """Whether it is a catalogue version."""
    try:
        parse(words)
    except BadVersion:
        return False
    return True


def change_between(old: Mapping[str, str], new: Mapping[str, str]) -> Change:
    """How files by path and hash differ."""
    changed = sum(new[path] != hash_ for path, hash_ in old.items() if path in new)
    return Change(len(new.keys() - old.keys()), len(old.keys() - new.keys()), changed)


def next_version(current: str | None, change: Change | None, now: datetime) -> str:
    """The version after `current`: major if files are gone, minor if some came, else patch. A stamp is `now` in UTC."""
    if current is None or not is_version(current):
        return FIRST
    numbers, _, prerelease = current.partition("-")
    if "." not in numbers:
        after = datetime.strptime(current, "%Y%m%d-%H%M%S").replace(tzinfo=UTC) + timedelta(seconds=1)
        return max(now.astimezone(UTC), after).strftime("%Y%m%d-%H%M%S")
    major, minor, patch = map(int, numbers.split("."))
    if change is not None and change.removed:
        return f"{major + 1}.0.0"
    if change is not None and change.added:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch}" if prerelease else f"{major}.{minor}.{patch + 1}"


def prediction_lines(found: Prediction) -> list[Line]:
    """What it would meet: every check, then the votes as they are expected."""
    verdict: Line = (
        [(f"✓ {text('propose.would_pass')}", "text-success")]
        if found.would_accept
        else [(f"✗ {text('propose.would_fail')}", "text-error")]
    )
    quorum = found.quorum
    verdict.append(("   " + text("propose.quorum", healthy=quorum.healthy, required=quorum.required), "text-muted"))
    checks: Line = []
    for name, said in found.checks.items():
        word = codes.check_name(name)
        if said == OK:
            checks.append((f"✓ {word}  ", "text-success"))
        else:
            checks.append((f"✗ {word}: {codes.check(found, name)}  ", "text-error"))
    return [verdict, checks, *_votes(found.votes)]


def _vote(said: str) -> str:
    """`accept`, `reject: stale_version`, `no vote: unreachable`, `unknown`."""
    word, colon, why = said.partition(": ")
    if word == "no vote":
        return text("propose.no_vote", why=status_word(why))
    return text(f"vote.{word}") + colon + why if word in VOTE_WORDS else said


def _votes(votes: Mapping[str, str]) -> list[Line]:
    """One line per voter; of many, those who would accept stand together."""
    lines: list[Line] = []
    accept: Line = []
    width = max((len(clean(voter)) for voter in votes), default=0)
    for voter, vote in sorted(votes.items()):
        word = vote.partition(":")[0].strip()
        mark, tone = {"accept": ("✓", "text-success"), UNKNOWN: ("?", "text-muted")}.get(word, ("✗", "text-error"))
        if word == "accept" and len(votes) > LISTED:
            accept.append((f"{mark} {voter}  ", tone))
        else:
            lines.append([(f"  {mark} ", tone), (fitted(voter, width + 2), ""), (_vote(vote), tone)])
    return [*lines, *([accept] if accept else [])]
