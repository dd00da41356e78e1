"""Somebody at the API server: each request as it goes over the wire, each answer as the person reads it. Holds no test."""

from __future__ import annotations

import json
import ssl
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml

GROUP_PATH: Final = "/apis/orch.dev/v1alpha1"
PATCHES: Final = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    document: dict[str, Any]

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        """The line that kubectl prints; empty when it was accepted."""
        return "" if self.accepted else str(self.document.get("message", ""))

    def refused_by(self, policy: str, text: str) -> bool:
        """Whether this very policy refused, with exactly this text for the person."""
        return f"ValidatingAdmissionPolicy '{policy}" in self.message and self.message.endswith(
            f" denied request: {text}"
        )


class Person:
    """One user of the API server, by impersonation or by a token of their own."""

    def __init__(self, kubeconfig: Path, namespace: str, *, headers: list[tuple[str, str]]) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        trust = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        trust.check_hostname = False  # the certificate is of the server's own making
        self.namespace = namespace
        sent = [(name.encode(), value.encode()) for name, value in headers]  # a user's name need not be ASCII
        self._http = httpx2.Client(base_url=cluster["server"], headers=sent, verify=trust, timeout=60)

    def ask(
        self, method: str, path: str, body: Any = None, *, query: dict[str, str] | None = None, kind: str = ""
    ) -> Answer:
        """One request; a refusal is an answer too."""
        headers = {"Content-Type": kind or "application/json"}
        content = None if body is None else json.dumps(body)
        reply = self._http.request(method, path, content=content, params=query, headers=headers)
        return Answer(reply.status_code, reply.json())

    def get(self, plural: str, name: str) -> dict[str, Any]:
        return self.ask("GET", self.path(plural, name)).document

    def create(self, plural: str, document: dict[str, Any], **query: str) -> Answer:
        return self.ask("POST", self.path(plural), document, query={"fieldValidation": "Strict", **query})

    def put(self, plural: str, document: dict[str, Any], *, sub: str = "") -> Answer:
        return self.ask("PUT", self.path(plural, document["metadata"]["name"], sub), document)

    def patch(self, plural: str, name: str, body: Any, *, how: str = "merge", sub: str = "", **query: str) -> Answer:
        return self.ask("PATCH", self.path(plural, name, sub), body, query=query, kind=PATCHES[how])

    def delete(self, plural: str, name: str) -> Answer:
        return self.ask("DELETE", self.path(plural, name))

    def decide(self, name: str, verdict: str = "Approve", *, key: str, **more: Any) -> Answer:
        """The documented way to answer: a merge patch under one's key."""
        return self.patch("approvals", name, {"spec": {"decisions": {key: {"verdict": verdict, **more}}}})

    def path(self, plural: str, name: str = "", sub: str = "", *, namespace: str = "") -> str:
        parts = [GROUP_PATH, "namespaces", namespace or self.namespace, plural, name, sub]
        return "/".join(part for part in parts if part)

    def close(self) -> None:
        self._http.close()
