"""What went wrong without stopping anything: shown once the console is up, in the language then set."""

from collections.abc import Mapping
from typing import NamedTuple

from iwdc_console.locale import text


class Notice(NamedTuple):
    """A text and its values. Words are made when they are shown, for the language is itself a setting."""

    key: str
    values: Mapping[str, object]

    @property
    def words(self) -> str:
        """The notice as a sentence."""
        return text(self.key, **self.values)
