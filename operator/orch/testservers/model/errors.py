"""The errors of the Messages API, with their true JSON shape.

Raised by every module of the stand-in, rendered by `app`. Source: "Errors" of the Claude API reference.
It never carries what a client sent beyond the name that the true API repeats too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

TYPES: Final[dict[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
MESSAGES: Final[dict[str, str]] = {
    "invalid_request_error": "Invalid request",
    "authentication_error": "invalid x-api-key",
    "billing_error": "Your credit balance is too low to access the Anthropic API.",
    "permission_error": "Your API key does not have permission to use the specified resource.",
    "not_found_error": "Not found",
    "request_too_large": "Request exceeds the maximum size",
    "rate_limit_error": "This request would exceed your organization's rate limit.",
    "api_error": "Internal server error",
    "timeout_error": "The request timed out",
    "overloaded_error": "Overloaded",
}
STATUSES: Final[dict[str, int]] = {kind: status for status, kind in TYPES.items()}


class ApiError(Exception):
    """An answer other than 200. `status` decides the error's type; `headers` are added to the reply."""

    def __init__(self, status: int, message: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.type = error_type(status)
        self.message = message or MESSAGES[self.type]
        self.headers = headers or {}
        super().__init__(self.message)

    def as_json(self, request_id: str | None) -> dict[str, Any]:
        """The body: `{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        body: dict[str, Any] = {"type": "error", "error": {"type": self.type, "message": self.message}}
        return body | {"request_id": request_id} if request_id else body


def error_type(status: int) -> str:
    """The type of a status; other 4xx count as invalid requests and other 5xx as `api_error`, as documented."""
    fallback = TYPES[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else TYPES[500]
    return TYPES.get(status, fallback)


def invalid(message: str) -> ApiError:
    """A 400 `invalid_request_error`, what nearly every refusal is."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)
