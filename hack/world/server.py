"""An API server as its administrator asks it, or another person: documents over HTTP, where a kubectl each would take a
twentieth of a second of processor time.

For what kubectl itself is not the point of."""

from __future__ import annotations

import json
import ssl
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml

_APPLY = {"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"}

Document = Mapping[str, Any]


class ServerError(Exception):
    """The server refused; the text is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """What is asked for may be asked from several threads."""

    def __init__(self, kubeconfig: Path, *, user: str = "", group: str = "") -> None:
        """`user`, `group`: whom the administrator impersonates; RBAC applies to them."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        trust = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        trust.check_hostname = False  # the certificate is of the server's own making
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        headers |= {f"Impersonate-{kind}": name for kind, name in (("User", user), ("Group", group)) if name}
        self._http = httpx2.Client(base_url=cluster["server"], headers=headers, verify=trust, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def apply(self, *documents: Document, namespace: str = "") -> None:
        """As `kubectl apply --server-side --force-conflicts`. `namespace`: of those that are in one and do not say in which.

        Raises ServerError."""
        for document in documents:
            self._send("PATCH", _path(document, namespace), document, "apply-patch+yaml", _APPLY)

    def take_back(self, *documents: Document) -> None:
        """Undo `apply`, without waiting for what hangs on them. What is not there is no error."""
        for document in documents:
            try:
                self._send("DELETE", _path(document))
            except ServerError as error:
                if error.status != 404:
                    raise

    def get(self, plural: str, name: str, namespace: str) -> dict[str, Any]:
        """An object of orch's; empty when there is none."""
        try:
            return self._send("GET", f"{_folder(plural, namespace)}/{name}")
        except ServerError as error:
            if error.status == 404:
                return {}
            raise

    def list(self, plural: str, namespace: str, *, labels: str = "") -> list[dict[str, Any]]:
        """The objects of orch's with these labels."""
        return list(self._send("GET", _folder(plural, namespace), query={"labelSelector": labels})["items"])

    def events(self, namespace: str) -> list[dict[str, Any]]:
        """The Events in a namespace."""
        return list(self._send("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"])

    def patch(self, plural: str, name: str, namespace: str, body: Document) -> None:
        """A merge patch of an object of orch's, as `kubectl patch --type=merge` sends it."""
        self._send("PATCH", f"{_folder(plural, namespace)}/{name}", body, "merge-patch+json")

    def delete(self, plural: str, name: str, namespace: str) -> None:
        """Delete an object of orch's, without waiting until it is gone."""
        self._send("DELETE", f"{_folder(plural, namespace)}/{name}")

    def write_status(self, plural: str, name: str, namespace: str, status: Document) -> None:
        """A merge patch of the status of an object of orch's."""
        self._send("PATCH", f"{_folder(plural, namespace)}/{name}/status", {"status": status}, "merge-patch+json")

    def make_token(self, account: str, namespace: str) -> str:
        """For a service account, for a day."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        made = self._send("POST", path, {"spec": {"expirationSeconds": 24 * 3600}})
        return str(made["status"]["token"])

    def may(self, verb: str, plural: str, namespace: str, *, name: str = "") -> bool:
        """Whether it would be allowed, as far as RBAC goes, now. `plural` may name a subresource: `issueruns/status`."""
        resource, _, sub = plural.partition("/")
        asked = {
            "verb": verb,
            "group": "orch.dev",
            "resource": resource,
            "subresource": sub,
            "namespace": namespace,
            "name": name,
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._send("POST", path, {"spec": {"resourceAttributes": asked}})["status"]["allowed"])

    def _send(
        self, method: str, path: str, body: Document | None = None, kind: str = "json", query: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        # an apply patch is read as YAML, which knows no surrogate pairs
        content = None if body is None else json.dumps(body, ensure_ascii=False)
        headers = {"Content-Type": f"application/{kind}"}
        reply = self._http.request(method, path, content=content, headers=headers, params=query)
        if reply.status_code >= 300:
            raise ServerError(reply.status_code, f"{method} {path}: {reply.text}")
        answer: dict[str, Any] = reply.json()
        return answer


def _folder(plural: str, namespace: str) -> str:
    return f"/apis/orch.dev/v1alpha1/namespaces/{namespace}/{plural}"


def _path(document: Document, namespace: str = "") -> str:
    """Where a document is to be found: its kind's plural is regular."""
    meta, kind = document["metadata"], document["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    space = meta.get("namespace", namespace)
    version = document["apiVersion"]
    parts = [
        "apis" if "/" in version else "api",
        version,
        *(["namespaces", space] if space else []),
        plural,
        meta["name"],
    ]
    return "/" + "/".join(part for part in parts if part)
