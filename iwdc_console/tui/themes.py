"""Themes: a TOML file of colours by meaning becomes a Textual theme whose variables carry the same names."""

import tomllib
from pathlib import Path

from textual.theme import Theme

FOLDERS = (Path(__file__).parents[1] / "themes", Path(__file__).parents[2] / "themes")
"""Where the package has its themes, and where a checkout has them."""


def builtin() -> list[Theme]:
    """The themes that come with the console."""
    folder = next(folder for folder in FOLDERS if folder.is_dir())
    return [read(file) for file in sorted(folder.glob("*.toml"))]


def read(file: Path) -> Theme:
    """One theme. `[section] name` becomes the variable `$section-name`."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    variables = {
        f"{section}-{name}": colour
        for section, table in content.items()
        if isinstance(table, dict)
        for name, colour in table.items()
    }
    surface, words, action, result = (content[name] for name in ("surface", "text", "action", "result"))
    return Theme(
        name=content["name"], dark=content["dark"], variables=variables, primary=action["primary"],
        secondary=action["secondary"], accent=action["accent"], success=result["success"], warning=result["warning"],
        error=result["error"], foreground=words["foreground"], background=surface["background"],
        surface=surface["surface"], panel=surface["panel"],
    )  # fmt: skip
