"""Refusals in the shape of the Messages API, so that every client of it understands them. Raised anywhere in the gateway.

`{"type": "error", "error": {"type": …, "message": …}}`. Source: "Errors" of the Claude API reference; 402 with
`budget_exhausted` or `budget_reserved` is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KINDS: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    507: "api_error",
}


class Refusal(Exception):
    """The answer to a request that is not carried out. `message` is for people and names no secret and no path.

    `label`: for the refusal metric, one of few."""

    def __init__(
        self, status: int, message: str, *, label: str, kind: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or KINDS[status]
        self.message = message
        self.label = label
        self.headers = {} if retry_after is None else {"retry-after": str(retry_after)}

    def as_json(self) -> dict[str, Any]:
        """The body."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}}
