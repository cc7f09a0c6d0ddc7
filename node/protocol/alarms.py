"""What an operator should know although a node works, or why it does not take part: as codes, and in words."""

from collections.abc import Iterable, Iterator

from node.protocol.membership import CANNOT_VOTE, Membership
from node.protocol.parts import Parts
from node.protocol.quorum import splits_evenly
from node.protocol.settings import Member
from node.protocol.shapes import Alarm, Entry


def alarms(parts: Parts) -> Iterator[Alarm]:
    """What there is to know now of a node that takes part; why one does not, `Recovery.alarm` says."""
    voters = len(parts.members.voters)
    if splits_evenly(voters, parts.settings.rule):
        yield Alarm("even_split", voters=voters)
    for name, peer in sorted(parts.members.peers.items()):
        if "config_mismatch" in peer.reasons:
            yield Alarm("other_configuration", (name,), parts.members.differing(name))
        if parts.recovery.ready and peer.quoted not in ("", parts.journal_id):
            yield Alarm("other_disk", (name,), journal=peer.quoted)
        if peer.member.votes and peer.refused:
            yield Alarm("refuses", (name,))
    suspect = parts.timesync.suspect()
    if suspect:
        yield Alarm("suspect_clock", (suspect,))


def in_words(alarm: Alarm, own: Member) -> str:
    """An alarm of the node `own` as a sentence; what an operator may do about it is a whole line of the shell."""
    names = ", ".join(alarm.instances)
    match alarm.code:
        case "listening":
            return f"just started: listening for {names}, at most {alarm.left_ms / 1000:.0f} s more"
        case "recovering_needs":
            lost = alarm.instances if len(alarm.instances) == 1 else ("ID",)
            return f"recovering: waiting for {names}; if a disk is lost for good, {_going_on(lost, own)}"
        case "recovering_alike":
            without = f"to go on without what their lost disks knew, {_going_on(alarm.instances, own)}"
            return f"recovering: {names} must recover too; {without}"
        case "recovering":
            return "recovering: fetching what the others hold"
        case "even_split":
            can = "one alone" if alarm.voters == 2 else "both sides of an even split"
            many = "two" if alarm.voters == 2 else alarm.voters
            return f"rule half with {many} voters: {can} can accept; conflicts are settled after healing"
        case "other_configuration":
            return f"{names} runs another configuration: {'; '.join(map(entry_in_words, alarm.entries))}"
        case "other_disk":
            whose = f"{names} takes another disk to be {own.id}'s (journal {alarm.journal}) and refuses this one"
            return f"{whose}; see unknown_journal in docs/operations.md"
        case "refuses":
            return f"{names} refuses connections"
        case "suspect_clock":
            return f"the clock of {names} is suspect: see `iwdc-distributed drift`"
    raise AssertionError(alarm.code)


def no_writing(members: Membership) -> str:
    """Of a node whose disk takes no writes: that it is so, and why."""
    why = [reason for reason in members.reasons if reason != CANNOT_VOTE]
    return f"this node cannot write its journal ({', '.join(why) or CANNOT_VOTE})"


def _going_on(without: Iterable[str], own: Member) -> str:
    lost = " ".join(f"--without {name}" for name in without)
    return f"`iwdc-distributed node recover {lost} --node {own.url.removesuffix('/api/v1')}`"


def entry_in_words(entry: Entry) -> str:
    """What two members have for one key."""
    return f"{entry.key}: here {entry.here or 'missing'}, there {entry.there or 'missing'}"
