"""The API's description (OpenAPI 3.1), made of the very types that decode and encode."""

from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Any, get_args

import msgspec

from node.api.answers import Unknown, encode, headers
from node.api.call import Call
from node.api.exchange import Response, Stream
from node.api.routing import Route
from node.protocol.requests import Refusal

REF = "#/components/schemas/{name}"
META = {
    "type": "object",
    "properties": {"timestamp": {"type": "integer"}, "traceId": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
    "required": ["timestamp", "traceId"],
}


def route(path: str, routes: Sequence[Route]) -> Route:
    """The endpoint that describes `routes` and itself."""

    @cache
    def document() -> bytes:
        return encode(describe((*routes, this)))

    def openapi(call: Call[None, None]) -> Response:
        """This description."""
        return Response(200, document(), headers=headers(call.trace, call.now.wall_ms))

    this = Route("GET", path, openapi)
    return this


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI document of `routes`."""
    kinds: list[Any] = [Refusal, Unknown]
    for one in routes:
        kinds += [kind for kind in (one.query, one.body) if kind is not None]
        if _is_data(one):
            kinds += _alternatives(one.answer)
    schemas, components = msgspec.json.schema_components(kinds, schema_hook=_anything, ref_template=REF)
    schema_of = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in routes:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "IWDC distributed data layer", "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _anything(kind: type) -> dict[str, Any]:
    return {"description": f"any {kind.__name__}"}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _is_data(route: Route) -> bool:
    return route.answer not in (Response, Stream)


def _operation(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.names]
    if route.query is not None:
        query = components[route.query.__name__]
        parameters += [
            {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
            for name, schema in query["properties"].items()
        ]
    operation: dict[str, Any] = {
        "operationId": "_".join((route.method.lower(), *(part.strip("{}") for part in route.segments))),
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": _content(route, schema_of)},
            "default": {
                "description": "refused, or the outcome is unknown",
                "content": {"application/json": {"schema": _failure(schema_of)}},
            },
        },
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": _is_needed(route.body, components),
            "content": {"application/json": {"schema": schema_of[str(route.body)]}},
        }
    return operation


def _is_needed(body: Any, components: dict[str, Any]) -> bool:
    """Whether a request must have this body: an object without required fields may be left out."""
    names = [getattr(kind, "__name__", "") for kind in _alternatives(body)]
    return all(components[name]["required"] for name in names if name in components)


def _content(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    if not _is_data(route):
        return {"*/*": {}}
    data = [schema_of[str(kind)] for kind in _alternatives(route.answer)]
    schema = {
        "type": "object",
        "properties": {
            "success": {"type": "boolean"},
            "data": data[0] if len(data) == 1 else {"anyOf": data},
            "meta": META,
        },
        "required": ["success", "data", "meta"],
    }
    return {"application/json": {"schema": schema}}


def _failure(schema_of: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "success": {"const": False},
            "data": {"anyOf": [schema_of[str(Refusal)], schema_of[str(Unknown)]]},
            "error": {"type": "string"},
            "meta": META,
        },
        "required": ["success", "data", "meta"],
    }
