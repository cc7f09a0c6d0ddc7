"""How a command ends. The codes are a contract: scripts branch on them."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes. An outcome is done, failed or *maybe*; maybe (`UNKNOWN`) is never shown as either of the others."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    """No node could be reached."""
    NOT_ALLOWED = 4
    NO_QUORUM = 5
    """No quorum, or no leader."""
    REJECTED = 6
    """The proposal was rejected, or accepted and lost its conflict."""
    LOCK = 7
    """The lock was not acquired, or was lost."""
    UNKNOWN = 8
    """Timed out, outcome unknown."""


class Failure(Exception):
    """A command cannot do what was asked. `main` prints `message` and `hint` to stderr and ends with `code`."""

    def __init__(self, message: str, code: Exit = Exit.FAILED, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
