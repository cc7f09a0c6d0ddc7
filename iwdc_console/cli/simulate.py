"""`simulate`: a failure rehearsed in virtual time, with the very code that the nodes run, before it happens."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Json, Output
from iwdc_console.cli.output import Format, say, show
from iwdc_console.cli.views import rehearsal as views
from iwdc_console.cli.views.screen import current_screen

if TYPE_CHECKING:
    from node.simulation.scenario.setup import Setup
    from node.simulation.scenario.timeline import Timeline

MINUTES = 10.0


def simulate(
    what_if: Annotated[
        str | None, typer.Option("--what-if", metavar="COMMANDS", help="What happens to a cluster at rest, under load.")
    ] = None,
    scenario: Annotated[Path | None, typer.Option("--scenario", metavar="FILE", help="A scenario script.")] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", metavar="S", help="The faults and load that a seed draws.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            min=0.1,
            max=600,
            metavar="M",
            help=f"Virtual minutes of a seed's faults; {MINUTES:g} if not said.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Your node.toml: its timings, rule and strategy.")
    ] = None,
    instances: Annotated[
        str | None, typer.Option("--instances", metavar="FILE", help="Your instances.json: its members.")
    ] = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Rehearse a failure in virtual time: who leads, when quorum goes, what clients feel, how long recovery takes.

    No node is asked and nothing is changed. Commands, between semicolons: kill, start, pause, split, cut, heal, wipe,
    wait, propose, lock and more; docs/simulation.md lists them. Without --config and --instances, --what-if takes
    configs/node.toml if it is there, else three instances A, B and C.

    Exit codes: 0 played to its end; 1 a promise was broken, something was expected in vain, or a file is of no use;
    2 a command is wrong.

    Example: iwdc-distributed simulate --what-if "kill instance-B; wait 20s; heal"

    Example: iwdc-distributed simulate --scenario split.txt --instances configs/distributed/instances.json -o json
    """
    play = _chosen(what_if, scenario, seed, minutes, config, instances)
    timeline = play()
    show(
        views.rehearsal_document(timeline),
        Format.JSON if json else output,
        lambda: views.rehearsal_table(timeline, current_screen()),
        lambda: views.rehearsal_rows(timeline),
    )
    if timeline.broken:
        raise Failure(timeline.broken)


def _chosen(
    what_if: str | None, scenario: Path | None, seed: str | None, minutes: float | None, config: Path | None,
    instances: str | None,
) -> Callable[[], "Timeline"]:  # fmt: skip
    from node.simulation.scenario import rehearsal
    from node.simulation.scenario.language import ScriptError
    from node.simulation.scenario.script import read_script
    from node.simulation.scenario.setup import Setup

    if sum(each is not None for each in (what_if, scenario, seed)) != 1:
        raise Failure("simulate needs one of --what-if, --scenario and --seed.", Exit.USAGE, "See simulate --help.")
    if minutes is not None and seed is None:
        raise Failure("--minutes goes with --seed: a script says itself how long it takes.", Exit.USAGE)
    if seed == "":
        raise Failure("--seed: nothing in it: expected a number or a word.", Exit.USAGE)
    given = config is not None or instances is not None

    def play() -> "Timeline":
        try:
            if what_if is not None:
                return rehearsal.what_if(what_if, _setup(config, instances))
            if scenario is not None:
                from node.documents import read_text

                script = read_script(read_text(scenario), str(scenario))
                return rehearsal.rehearse(script, _setup(config, instances) if given else Setup())
            assert seed is not None, "one of the three is given"
            return rehearsal.by_seed(seed, minutes or MINUTES, _setup(config, instances) if given else None)
        except ScriptError as error:
            raise Failure(str(error), Exit.USAGE) from error
        except UnicodeDecodeError as error:
            raise Failure(f"{scenario}: not UTF-8 text: expected a scenario script.", Exit.USAGE) from error
        except OSError as error:
            raise Failure(f"{scenario}: {error.strerror}: expected a scenario script.") from error

    return play


def _setup(config: Path | None, instances: str | None) -> "Setup":
    """The operator's cluster, as the configuration has it; three plain instances where there is none."""
    from node.config import DEFAULT_FILE, ConfigError, load_config
    from node.config.instances import read_instances
    from node.simulation.scenario.setup import Setup

    if config is None and instances is None and not DEFAULT_FILE.is_file():
        say(f"No {DEFAULT_FILE} here: three instances A, B and C with the default timings.")
        return Setup()
    # Nothing listens here: whether a node may, where others can reach it, is of no matter.
    flags = {"insecure": "true"} | ({"instances": instances} if instances is not None else {})
    try:
        loaded = load_config(config, flags, os.environ, make_id=False)
        members = read_instances(loaded.instances_path).members
    except ConfigError as error:
        raise Failure(str(error)) from error
    legacy = [member.id for member in members if not member.votes]
    if legacy:
        raise Failure(f"{loaded.instances_path}: {', '.join(legacy)} runs v1.6, which cannot be simulated.")
    if not members:
        raise Failure(f"{loaded.instances_path} lists no instance: expected at least one.")
    settings = loaded.settings
    return Setup(members, settings.rule, settings.strategy, settings.timing, settings.limits, given=True)
