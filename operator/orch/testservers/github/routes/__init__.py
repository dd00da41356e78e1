"""GitHub's REST routes, a module per resource; HTTP and permissions only, what happens is in the services beside."""

from __future__ import annotations

from starlette.routing import Route

from .. import webhooks
from ..rest import routes_of
from . import (
    branches,
    checks,
    comments,
    commits,
    contents,
    hooks,
    issues,
    labels,
    merges,
    pulls,
    refs,
    repos,
    reviews,
    users,
)

MODULES = (
    users,
    repos,
    branches,
    refs,
    contents,
    commits,
    checks,
    issues,
    labels,
    comments,
    pulls,
    merges,
    reviews,
    hooks,
)


def rest_routes() -> list[Route]:
    """All REST routes, in an order in which no template hides another."""
    ordered = [endpoint for module in MODULES for endpoint in module.ENDPOINTS]
    return routes_of([*ordered, *webhooks.ENDPOINTS, commits.LAST])
