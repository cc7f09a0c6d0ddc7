"""`iwdc-console`: the live view of a cluster.

It shows what `iwdc-distributed status --watch` shows and takes the same options.
"""

import sys

from iwdc_console.cli.main import run

HELP = """\
Usage: iwdc-console [--node URL]... [--context NAME]

  The live view of a cluster: is it safe now, who is there, who leads, what is
  open. It is the view of `iwdc-distributed status --watch`; q or ctrl-c ends it.

  Example: iwdc-console --node http://127.0.0.1:3000
"""


def main() -> None:
    """Show the live view until q."""
    arguments = sys.argv[1:]
    if "--help" in arguments:
        sys.stdout.write(HELP)
        sys.exit(0)
    sys.exit(run(["status", "--watch", *arguments]))
