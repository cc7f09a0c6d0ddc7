"""How much a core holds: the measure by which nothing may grow without bound."""

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

_NOT_HELD = frozenset({str, int, float, bytes, bool, type(None), FunctionType, BuiltinFunctionType, ModuleType})


def objects(root: object) -> int:
    """How many objects are reachable from `root`, but for plain values and code."""
    seen = {id(root)}
    level = [root]
    while level:
        found, level = gc.get_referents(*level), []
        for item in found:
            if type(item) not in _NOT_HELD and not isinstance(item, type) and id(item) not in seen:
                seen.add(id(item))
                level.append(item)
    return len(seen)
