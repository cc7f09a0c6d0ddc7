"""Planted bugs: a core that is weaker in one place, and the seeds that find it out.

One module per part of the protocol. Each bug names the rule it breaks; `hunt` looks for the seed whose live checkers
see it. `python -m tests.simulation.planted` hunts all and prints the table that docs/simulation.md keeps.
"""
