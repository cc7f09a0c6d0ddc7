"""What a node is told: flags, environment, `node.toml` and defaults, in this order, and `instances.json`.

Every key is `[section] key` in the file, `IWDC_<SECTION>_<KEY>` in the environment and `--set section.key=value` on the
command line; some have a flag of their own, which goes before `--set`. Relative paths in the file start at the file's
folder, all others at the current one. Everything that is wrong is reported at once, with file, line and key.
"""

from node.config.keys import KEYS
from node.config.load import DEFAULT_FILE, UNMADE_ID, Config, Content, Observability, Security, load_config
from node.config.problems import ConfigError, Problem
from node.config.sources import key_lines

__all__ = [
    "DEFAULT_FILE",
    "KEYS",
    "UNMADE_ID",
    "Config",
    "ConfigError",
    "Content",
    "Observability",
    "Problem",
    "Security",
    "key_lines",
    "load_config",
]
