"""Who asks: the name that people and scripts go by unless they give another."""

import os
import socket


def default_owner() -> str:
    """`user@host`: the same in every shell of one user, so that what one acquires another can release."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
