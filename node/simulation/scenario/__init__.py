"""Stories of a cluster: a small language over the simulated world, and what happened in words.

`language` reads lines, `script` files; `setup` is the cluster a script begins with, `stage` the world it plays in;
`deeds`, `calls`, `looks` and `conditions` are the commands; `chronicle` words what happens; `play` runs a script.
"""
