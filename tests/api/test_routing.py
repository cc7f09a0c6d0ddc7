"""A path and a query are read the same way however they are written, and each time they come."""

import re

import pytest

from node.api.answers import Refused
from node.api.bodies import ProposeQuery
from node.api.decoding import read_query
from node.api.exchange import ApiLimits
from node.api.routes import routes
from node.api.routing import Route, Router

D = "/api/v1/distributed"
ROUTES = routes(ApiLimits())
ROUTER = Router(ROUTES)


def found(method: str, target: str) -> tuple[Route, tuple[str, ...]] | int:
    """The route and its names, or the status of the refusal."""
    try:
        return ROUTER.find(method, target.encode())
    except Refused as refused:
        return refused.status


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_with_its_names(route: Route) -> None:
    names = tuple(f"{name} {{}}é" for name in route.names)
    plain = re.sub(r"\{(\w+)\}", r"\1 {}é", route.path)
    assert found(route.method, plain) == (route, names)
    assert found(route.method, plain.replace("é", "%C3%A9").replace(" ", "%20")) == (route, names)
    assert found(route.method, route.path.replace("api", "%61pi")) == (route, tuple(f"{{{n}}}" for n in route.names))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", f"{D}/locks//acquire", 404),
        ("POST", f"{D}/locks/a/b/acquire", 404),
        ("POST", f"{D}/locks/a/{{}}", 404),
        ("POST", f"{D}/{{}}/a/acquire", 404),
        ("POST", f"x{D}/locks/a/acquire", 404),
        ("POST", f"{D[1:]}/locks/a/acquire", 404),
        ("GET", f"{D}/locks/a/acquire", 405),
        ("POST", f"{D}/locks/a%2Facquire", 404),
        ("POST", f"{D}/locks/%ff/acquire", 400),
    ],
)
def test_what_is_no_path_is_refused(method: str, target: str, status: int) -> None:
    assert found(method, target) == status


def test_a_query_that_comes_again_is_read_the_same_way() -> None:
    propose = next(one for one in ROUTES if one.query is ProposeQuery)
    bare, _ = ROUTER.find("GET", f"{D}/quorum".encode())
    for _ in range(2):
        assert read_query(propose, b"wait=2&dryRun=true") == ProposeQuery(2.0, True)
        assert read_query(propose, b"dryRun=true&wait=%32") == ProposeQuery(2.0, True)
        assert read_query(propose, b"") == ProposeQuery()
        for wrong in (b"wait", b"wait=-1", b"wait=1&wait=1", b"wait=%ff", b"other=1"):
            with pytest.raises(Refused):
                read_query(propose, wrong)
        with pytest.raises(Refused, match="bad_request"):
            read_query(bare, b"wait=2")
