"""`iwdc-console`: the console on screen, alone, with a node beside it, or on a demo."""

import argparse
import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.output import say
from iwdc_console.cli.target import node_urls
from iwdc_console.client import node_root
from iwdc_console.demo.cluster import FEWEST, MOST, Cluster, DemoError
from iwdc_console.outcomes import BadUrl, ClientError
from iwdc_console.tui.company import Company

EPILOG = """\
Examples:
  iwdc-console --node http://127.0.0.1:3000
  iwdc-console --demo --nodes 5
  iwdc-console --context prod-eu --record night.iwdc
  iwdc-console --replay night.iwdc
  iwdc-console --embedded --config configs/node.toml --id instance-A
"""


def main() -> None:
    """Open the console. Every failure is a sentence and an exit code."""
    try:
        sys.exit(run(sys.argv[1:]))
    except Failure as failure:
        say(failure.message)
        if failure.hint:
            say(failure.hint)
        sys.exit(failure.code)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="iwdc-console",
        description="A terminal cockpit for a cluster: is it safe now, who is there, who leads, what is open.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--node", action="append", metavar="URL", help="a node to ask; may be given more than once")
    made.add_argument("--context", metavar="NAME", help="a named cluster, see: iwdc-distributed config")
    made.add_argument("--read-only", action="store_true", help="offer nothing that changes the cluster")
    ways = made.add_mutually_exclusive_group()
    ways.add_argument("--demo", action="store_true", help="start a cluster on this machine, to try and to break")
    sizes = range(FEWEST, MOST + 1)
    made.add_argument(
        "--nodes", type=int, choices=sizes, default=FEWEST, help=f"how many nodes the demo has ({FEWEST})"
    )
    ways.add_argument("--embedded", action="store_true", help="run a full node beside the console")
    made.add_argument("--config", type=Path, metavar="FILE", help="its node.toml; configs/node.toml if there is one")
    ways.add_argument("--record", type=Path, metavar="FILE", help="no screen: record what is observed, until ctrl-c")
    ways.add_argument("--replay", type=Path, metavar="FILE", help="show a recording; no node is asked")
    made.add_argument("--id", metavar="ID", help="which instance it is")
    return made


def run(arguments: Sequence[str]) -> int:
    """Open the console with these arguments; its exit code. Raises `Failure`."""
    given = parser().parse_args(arguments)
    if given.replay is not None:
        return _replay(given.replay)
    if given.record is not None:
        return _record(given.record, _nodes(given), given.context or "")
    with contextlib.ExitStack() as ends:
        if given.demo:
            demo = _demo(given.nodes, ends)
            return _open(demo.urls, "", Company(demo=demo), given.read_only)
        if given.embedded:
            company = _embedded(given.config, given.id, ends)
            node = company.node
            if node is not None:
                others = _nodes(given) if given.node or given.context else node.peers
                return _open([node.url, *others], given.context or "", company, given.read_only, home=node.url)
            return _open(_nodes(given), given.context or "", company, given.read_only)
        return _open(_nodes(given), given.context or "", Company(), given.read_only)


def _nodes(given: argparse.Namespace) -> list[str]:
    try:
        return [node_root(url) for url in node_urls(given.node, given.context)]
    except BadUrl as error:
        raise Failure(error.message, Exit.USAGE) from error


def _open(nodes: Sequence[str], context: str, company: Company, read_only: bool, home: str = "") -> int:
    gc.disable()  # what is made before the first paint stays: `tui/forgetting.py` begins after it
    from iwdc_console.tui import settings
    from iwdc_console.tui.app import Console
    from iwdc_console.tui.model.observation import Link, Observation
    from iwdc_console.tui.source.live import LiveSource

    chosen, notices = settings.load()
    source = LiveSource(nodes, context, poll_s=chosen.refresh_s, home=home)
    start = Observation(context=context, nodes=tuple(nodes), link=Link(node=nodes[0]))
    console = Console(source, start, company=company, settings=chosen, notices=notices, read_only=read_only)
    console.run(mouse=chosen.mouse)
    return console.return_code or 0


def _record(file: Path, nodes: Sequence[str], context: str) -> int:
    """Record without a screen; how much it was is said at the end."""
    from iwdc_console.tui import settings
    from iwdc_console.tui.recorder import record
    from iwdc_console.tui.recording.file import RecordingError
    from iwdc_console.tui.source.live import LiveSource

    chosen, _ = settings.load()
    say(f"recording {', '.join(nodes)} to {file}; ctrl-c ends it")
    try:
        found = asyncio.run(record(LiveSource(nodes, context, poll_s=chosen.refresh_s), file))
    except RecordingError as problem:
        raise Failure(str(problem)) from problem
    say(f"{found.frames} observations of {found.seconds:.0f} s in {file}, {found.size / 1000:.1f} kB")
    return 0


def _replay(file: Path) -> int:
    """The screens on a recording."""
    gc.disable()
    from iwdc_console.tui import settings
    from iwdc_console.tui.app import Console
    from iwdc_console.tui.notice import Notice
    from iwdc_console.tui.recording.file import RecordingError, load
    from iwdc_console.tui.source.replay import NoSource

    try:
        recording = load(file)
    except RecordingError as problem:
        raise Failure(str(problem)) from problem
    chosen, notices = settings.load()
    damage = []
    if recording.damage is not None:
        how, at_byte = recording.damage
        damage.append(Notice(f"notice.recording.{how}", {"file": file, "at": at_byte}))
    source, start = NoSource(recording.heading.context), recording.tape.frame(0).observation
    console = Console(source, start, settings=chosen, notices=[*notices, *damage], replay=recording.tape)
    console.run(mouse=chosen.mouse)
    return console.return_code or 0


def _demo(nodes: int, ends: contextlib.ExitStack) -> Cluster:
    say(f"starting {nodes} nodes on this machine")
    try:
        cluster = ends.enter_context(Cluster(nodes))
    except DemoError as problem:
        raise Failure(str(problem)) from problem
    threading.Thread(target=_fill, args=(cluster,), name="catalogue", daemon=True).start()
    return cluster


def _fill(cluster: Cluster) -> None:
    from iwdc_console.demo import catalogue

    # What keeps the nodes from coming together, or from accepting, is on the screen.
    with contextlib.suppress(DemoError, ClientError, OSError, catalogue.NotPublished):
        catalogue.publish(cluster)


def _embedded(config: Path | None, id_: str | None, ends: contextlib.ExitStack) -> Company:
    """The node beside us, or what keeps it from starting: the console opens all the same."""
    from iwdc_console.embedded import CannotStart, EmbeddedNode

    try:
        node = EmbeddedNode(config, id_)
    except (CannotStart, OSError) as problem:
        return Company(trouble=str(problem))
    ends.callback(node.stop)
    return Company(node=node)


if __name__ == "__main__":
    main()
