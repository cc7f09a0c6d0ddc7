"""The HTTP side of a node: a thin server, typed routes, server-sent events, OpenAPI.

`ApiServer(engine, host, port)` in `node.api.server` is the way in.
"""
