"""From a command to the console: it takes this process over, so that commands load nothing of it."""

import os
import sys
from typing import NoReturn


def open_console(*arguments: str) -> NoReturn:
    """Become `iwdc-console` with these arguments."""
    os.execv(sys.executable, [sys.executable, "-m", "iwdc_console.console", *arguments])
