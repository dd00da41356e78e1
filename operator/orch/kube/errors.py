"""What the API server refuses, as errors of `orch.errors`.

For everybody who calls `orch.kube`; made only by `orch.kube.client`. It never holds a request id or a time: these
texts end in conditions, and a text that changes by itself would rewrite the object for ever.

    KubeError            any of those below: nothing that GitHub or the model did, so no attempt of a run is consumed
    ├── KubeNotFound     404: gone, or never there (also an `orch.errors.NotFound`)
    ├── Conflict         409 on an update: somebody wrote in between; read again
    ├── AlreadyExists    409 on a create: look whether it is ours and adopt it
    ├── Forbidden        403: RBAC or quota; the text names verb and resource
    ├── Invalid          400, 422: the schema or an admission policy says no; `fields` are the paths
    ├── Unreadable       what the server holds is no object of ours, e.g. one that a newer version wrote
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
    """Base of all refusals of the API server. `request`: what was asked; `detail`: the server's own words;
    `status`: HTTP's, None when there was no answer. For who speaks to another person than the operator's owner."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        request: Request | None = None,
        detail: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.request = request
        self.detail = detail or message
        self.status = status


class KubeNotFound(KubeError, NotFound):
    """No such object; `unserved` when the server does not even know its kind, as before CRDs are applied."""

    unserved = False


class Conflict(KubeError, Transient):
    """The object is not the one that was read: its resourceVersion or uid has moved on."""


class AlreadyExists(KubeError, Terminal):
    """An object of that name is there."""


class Forbidden(KubeError, NeedsHuman):
    """The operator's role lacks a verb, or a quota is used up."""


class Invalid(KubeError, Terminal):
    """Schema or admission refused. `fields`: the paths that the server named, empty for an admission policy."""

    fields: tuple[str, ...] = ()


class Unreadable(KubeError, NeedsHuman):
    """No model of ours takes the object. `document` is what the server holds, `message` says which field is wrong."""

    def __init__(self, message: str, *, document: dict[str, Any]) -> None:
        super().__init__("Unreadable", message)
        self.document = document


class Expired(KubeError, Transient):
    """The server has forgotten the version asked for."""


class Unavailable(KubeError, Transient):
    """No usable answer. A write may have been carried out: names are deterministic and updates carry a
    resourceVersion, so it is sent again as it was."""


@dataclass(frozen=True)
class Request:
    """What was asked, in RBAC's words: verb `update`, target `issueruns.orch.dev/status "x" in namespace "y"`."""

    verb: str
    resource: str
    """As RBAC and kubectl call it: `issueruns.orch.dev`, `issueruns.orch.dev/status`."""
    namespace: str | None = None
    name: str | None = None

    @property
    def target(self) -> str:
        named = f'{self.resource} "{self.name}"' if self.name else self.resource
        return f'{named} in namespace "{self.namespace}"' if self.namespace else named

    def __str__(self) -> str:
        return f"{self.verb} {self.target}"

    @property
    def act(self) -> str | None:
        """What is done, without to which object, for failpoints: `patch issueruns.orch.dev/status`. None: nothing is, a review
        of access or identity only asks."""
        resource = self.target.partition(" ")[0]
        asks = self.verb in ("get", "list") or resource.endswith((".authorization.k8s.io", ".authentication.k8s.io"))
        return None if asks else f"{self.verb} {resource}"


def unreachable(request: Request, error: BaseException) -> Unavailable:
    """No answer: refused, reset, timed out, TLS. Only the kind of failure is told, for the address may be private."""
    detail = f"no answer from the API server ({type(error).__name__})"
    return Unavailable("APIServerUnavailable", f"cannot {request}: {detail}", request=request, detail=detail)


def refused(request: Request, status: int, body: bytes) -> KubeError:
    """Translate a `Status` object (API conventions, "Response Status Kind") or whatever a proxy sent instead of one."""
    document = _status_document(body)
    reason = str(document.get("reason") or "")
    detail = str(document.get("message") or f"HTTP {status}")[:1000]
    text = f"cannot {request}: {detail}"
    kind, why = _kind(status, reason)
    if kind is Forbidden:
        text += f"; the operator's role needs {request.verb!r} on it"
    error = kind(why, text, request=request, detail=detail, status=status)
    if isinstance(error, KubeNotFound):
        error.unserved = not (document.get("details") or {}).get("name")
    if isinstance(error, Invalid):
        error.fields = _field_paths(document)
    return error


def _kind(status: int, reason: str) -> tuple[type[KubeError], str]:
    """The class of an answer, and its reason for conditions."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return KubeNotFound, "NotFound"
        case HTTPStatus.CONFLICT if reason == "AlreadyExists":
            return AlreadyExists, "AlreadyExists"
        case HTTPStatus.CONFLICT:
            return Conflict, "Conflict"
        case HTTPStatus.FORBIDDEN | HTTPStatus.UNAUTHORIZED:
            return Forbidden, "Forbidden"
        case HTTPStatus.GONE:
            return Expired, "Expired"
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.REQUEST_TIMEOUT:
            return Unavailable, "APIServerUnavailable"
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable, "APIServerUnavailable"
        case _:
            return Invalid, "Invalid"


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _field_paths(document: dict[str, Any]) -> tuple[str, ...]:
    causes = (document.get("details") or {}).get("causes") or []
    return tuple(dict.fromkeys(str(cause["field"]) for cause in causes if cause.get("field")))
