"""Keys and signatures. `cryptography` is loaded when a key is first used: a node that checks none never pays for it."""
