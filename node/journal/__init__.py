"""The durable store of a node: one SQLite file in its data directory. See `store`."""

from node.journal.directory import JOURNAL_NAME, DirectoryLock, claim, instance_id
from node.journal.errors import (
    DirectoryFault,
    DirectoryInUse,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFault,
    JournalFormat,
    JournalFull,
    JournalOrder,
)
from node.journal.store import Journal

__all__ = [
    "JOURNAL_NAME",
    "DirectoryFault",
    "DirectoryInUse",
    "DirectoryLock",
    "Journal",
    "JournalClosed",
    "JournalCorrupt",
    "JournalError",
    "JournalFault",
    "JournalFormat",
    "JournalFull",
    "JournalOrder",
    "claim",
    "instance_id",
]
