"""How a bug is planted: a method replaced by one that may still call the original."""

from collections.abc import Callable
from typing import Any

import pytest

from node.protocol.core import Core
from node.protocol.records import Durable


def around(patch: pytest.MonkeyPatch, owner: Any, name: str, made: Callable[..., Any]) -> None:
    """Replace `owner.name` by `made(original, *args)`."""
    original = getattr(owner, name)

    def changed(*args: Any, **kwargs: Any) -> Any:
        return made(original, *args, **kwargs)

    patch.setattr(owner, name, changed)


def on_disk(patch: pytest.MonkeyPatch, change: Callable[[Durable], None]) -> None:
    """Let every core start from an image changed by `change`."""

    def begin(original: Callable[..., None], self: Core, settings: Any, durable: Durable, *args: Any) -> None:
        change(durable)
        original(self, settings, durable, *args)

    around(patch, Core, "__init__", begin)
