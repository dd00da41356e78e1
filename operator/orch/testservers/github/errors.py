"""GitHub's error answers as one exception; `rest` and `app` turn it into the response.

Who raises it: routes and services. It never carries a token or a stack trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DOCS = "https://docs.github.com/rest"


class ApiError(Exception):
    """An answer other than success: `status`, GitHub's `message`, and where GitHub has them `errors` and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[dict[str, Any] | str] | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"message": message}
        if errors is not None:
            self.body["errors"] = list(errors)
        self.body |= {"documentation_url": DOCS, **(extra or {})}
        if errors is None:
            self.body["status"] = str(status)


def not_found() -> ApiError:
    """Also what a private resource looks like to those without access."""
    return ApiError(404, "Not Found")


def forbidden(message: str) -> ApiError:
    return ApiError(403, message)


def invalid(resource: str, field: str | None, code: str, message: str | None = None) -> ApiError:
    """422 "Validation Failed" with one entry.

    `code` is GitHub's: missing, missing_field, invalid, already_exists, custom.
    """
    entry: dict[str, Any] = {"resource": resource, "code": code}
    if field is not None:
        entry["field"] = field
    if message is not None:
        entry["message"] = message
    return ApiError(422, "Validation Failed", errors=[entry])


def unsupplied(field: str) -> ApiError:
    """422 for a body that lacks a required field."""
    return ApiError(422, f'Invalid request.\n\n"{field}" wasn\'t supplied.')
