"""How deep a value is, without recursion: what is too deep must not reach code that recurses."""


def is_deeper(value: object, levels: int) -> bool:
    """Whether objects and arrays stand within one another more than `levels` deep."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return bool(layer)
