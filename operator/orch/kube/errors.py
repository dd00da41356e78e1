"""What the API server refuses, as errors of `orch.errors`.

For everybody who calls `orch.kube`; made only by `orch.kube.client`. It never holds a request id or a time: these
texts end in conditions, and a text that changes by itself would rewrite the object for ever.

    KubeError            any of those below: nothing that GitHub or the model did, so no attempt of a run is consumed
    ├── KubeNotFound     404: gone, or never there (also an `orch.errors.NotFound`)
    ├── Conflict         409 on an update: somebody wrote in between; read again
    ├── AlreadyExists    409 on a create: look whether it is ours and adopt it
    ├── Forbidden        403: RBAC or quota; the text names verb and resource
    ├── Invalid          400, 422: the schema or an admission policy says no; `fields` are the paths
    ├── Expired          410: a list's continuation or a resourceVersion is too old; start again
    └── Unavailable      429, 5xx, timeout, no connection: later again
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from orch.errors import NeedsHuman, NotFound, OrchError, Terminal, Transient


class KubeError(OrchError):
    """Base of all refusals of the API server."""


class KubeNotFound(KubeError, NotFound):
    """No such object."""


class Conflict(KubeError, Transient):
    """The object is not the one that was read: its resourceVersion or uid has moved on."""


class AlreadyExists(KubeError, Terminal):
    """An object of that name is there."""


class Forbidden(KubeError, NeedsHuman):
    """The operator's role lacks a verb, or a quota is used up."""


class Invalid(KubeError, Terminal):
    """Schema or admission refused. `fields`: the paths that the server named, empty for an admission policy."""

    def __init__(self, reason: str, message: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(reason, message)
        self.fields = fields


class Expired(KubeError, Transient):
    """The server has forgotten the version asked for."""


class Unavailable(KubeError, Transient):
    """No usable answer. A write may have been carried out: names are deterministic and updates carry a
    resourceVersion, so it is sent again as it was."""


@dataclass(frozen=True)
class Request:
    """What was asked, in RBAC's words: verb `update`, target `issueruns.orch.dev/status "x" in namespace "y"`."""

    verb: str
    target: str

    def __str__(self) -> str:
        return f"{self.verb} {self.target}"


def unreachable(request: Request, error: BaseException) -> Unavailable:
    """No answer: refused, reset, timed out, TLS. Only the kind of failure is told, for the address may be private."""
    return Unavailable(
        "APIServerUnavailable", f"cannot {request}: no answer from the API server ({type(error).__name__})"
    )


def refused(request: Request, status: int, body: bytes) -> KubeError:
    """Translate a `Status` object (API conventions, "Response Status Kind") or whatever a proxy sent instead of one."""
    document = _status_document(body)
    reason = str(document.get("reason") or "")
    detail = str(document.get("message") or f"HTTP {status}")[:1000]
    text = f"cannot {request}: {detail}"
    if status == HTTPStatus.NOT_FOUND:
        return KubeNotFound("NotFound", text)
    if status == HTTPStatus.CONFLICT:
        return AlreadyExists("AlreadyExists", text) if reason == "AlreadyExists" else Conflict("Conflict", text)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        return Forbidden("Forbidden", f"{text}; the operator's role needs {request.verb!r} on it")
    if status == HTTPStatus.GONE:
        return Expired("Expired", text)
    if (
        status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return Unavailable("APIServerUnavailable", text)
    return Invalid("Invalid", text, fields=_field_paths(document))


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _field_paths(document: dict[str, Any]) -> tuple[str, ...]:
    causes = (document.get("details") or {}).get("causes") or []
    return tuple(dict.fromkeys(str(cause["field"]) for cause in causes if cause.get("field")))
