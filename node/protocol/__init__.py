"""Pure state machines of the protocol: no clock, no disk, no network, no randomness of their own, no asyncio.

`core.Core.step(now, input)` is the one door; the rules are numbered in `docs/protocol.md`.
"""
