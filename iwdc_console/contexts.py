"""Named clusters: which nodes a name stands for, kept in one TOML file in the user's configuration folder.

current = "prod-eu"

[contexts.prod-eu]
nodes = ["http://10.0.0.1:3000", "http://10.0.0.2:3000"]
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE_NAME = "contexts.toml"
APP = "iwdc"


class ContextError(Exception):
    """The file cannot be used, or a name is not in it. The message names the file and what was expected."""


class UnknownContext(ContextError):
    """A name that is not in the file."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """All named contexts and the one in use."""

    current: str | None = None
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def select(self, name: str | None) -> tuple[str, ...]:
        """The nodes of `name`, or else of the current context, if there is one. Raises `UnknownContext`."""
        chosen = name or self.current
        if chosen is None:
            return ()
        if chosen not in self.nodes:
            known = ", ".join(sorted(self.nodes)) or "none yet"
            raise UnknownContext(f"there is no context {chosen!r} in {path()} (known: {known})")
        return self.nodes[chosen]


def path() -> Path:
    """Where the contexts are kept."""
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / FILE_NAME


def load() -> Contexts:
    """The contexts of this user; none when there is no file. Raises `ContextError`."""
    from node.documents import fault, parse_toml, read_text

    file = path()
    try:
        content = parse_toml(read_text(file))
    except FileNotFoundError:
        return Contexts()
    except (OSError, ValueError, RecursionError) as error:
        raise ContextError(f"{file} cannot be read: {fault(error)}; mend it or move it away") from error
    current = content.get("current")
    tables = content.get("contexts", {})
    if not (current is None or isinstance(current, str)) or not isinstance(tables, dict):
        raise ContextError(f'{file}: expected current = "name" and tables [contexts.name]')
    return Contexts(current, {name: _nodes(file, name, entry) for name, entry in tables.items()})


def _nodes(file: Path, name: str, entry: object) -> tuple[str, ...]:
    nodes = entry.get("nodes") if isinstance(entry, dict) else None
    if not isinstance(nodes, list) or not nodes or not all(isinstance(node, str) for node in nodes):
        raise ContextError(f'{file}: [contexts.{name}] expected nodes = ["http://host:port", ...]')
    return tuple(nodes)


def save(contexts: Contexts) -> None:
    """Write the file whole or not at all. Raises `ContextError`."""
    import tomli_w

    file = path().resolve()  # a link stays one
    content: dict[str, object] = {} if contexts.current is None else {"current": contexts.current}
    content["contexts"] = {name: {"nodes": list(nodes)} for name, nodes in contexts.nodes.items()}
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(tomli_w.dumps(content), encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise ContextError(f"{file} cannot be written: {error.strerror or error}") from error
