"""`POST /graphql`. Source: GitHub Docs, "Forming calls with GraphQL".

Who calls it: `gh` and whoever speaks GraphQL. Errors in the document come with status 200 and `errors`, as from GitHub.
"""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..access import Caller
from ..errors import ApiError
from ..gitrepo import GitError
from ..rest import error_reply, parse_object
from ..state import State
from .execute import Execution, GraphError, Node
from .language import DocumentError, parse
from .mutations import Mutations
from .nodes import Graph

log = logging.getLogger(__name__)


async def graphql(request: Request) -> Response:
    state: State = request.app.state.standin
    caller: Caller | None = request.scope.get("orch.token")
    if caller is None:
        return error_reply(ApiError(401, "This endpoint requires you to be authenticated."))
    try:
        body = parse_object(await request.body())
        document = parse(str(body.get("query") or ""))
    except ApiError as error:
        return error_reply(error)
    except DocumentError as error:
        return JSONResponse({"errors": [{"message": f"Parse error: {error}"}]})
    graph = Graph(state, caller)
    root = Mutations(graph).root() if document.operation == "mutation" else query_root(graph)
    try:
        data, errors = await Execution(document, body.get("variables") or {}).run(root)
    except GraphError as failure:
        return JSONResponse({"errors": [{"type": failure.kind, "message": str(failure)}]})
    except (GitError, ValueError, TypeError):
        log.exception("a GraphQL query failed")
        return JSONResponse({"errors": [{"message": "Something went wrong while executing your query."}]}, 502)
    answer: dict[str, Any] = {"data": data}
    if errors:
        answer["errors"] = errors
    return JSONResponse(answer)


def query_root(graph: Graph) -> Node:
    """Introspection names no field, so that clients which look for optional ones do without."""
    return Node(
        "Query",
        {
            "viewer": lambda _: graph.viewer(),
            "user": lambda args: graph.user(str(args.get("login"))),
            "repository": graph.find_repository,
            "node": graph.node,
            "__type": lambda args: Node("__Type", {"name": args.get("name"), "fields": lambda _: []}),
        },
    )


def routes() -> list[Route]:
    return [Route("/graphql", graphql, methods=["POST"])]
