"""The CustomResourceDefinitions of this release, made from the models. Pure: writes no file, asks no server.

Called by hack/generate.py, and by the operator, which compares `schema_hash` with the server's before it reconciles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from orch.api.schema import KEYWORDS, Schema, object_schema
from orch.api.v1alpha1 import GROUP, KINDS, VERSION, KubeObject
from orch.api.v1alpha1.markers import RULES

HASH_ANNOTATION: Final = "orch.dev/schema-hash"
"""On each CRD: what its schema was made from. An operator on another one would lose fields without a word."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`. Wide ones are shown by `-o wide` only."""

    name: str
    type: str
    path: str
    wide: bool = False

    def as_crd(self) -> dict[str, Any]:
        """One entry of `additionalPrinterColumns`."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**column, "priority": 1} if self.wide else column


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")
COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "OrchestratedRepo": (
        Column("Repository", "string", ".spec.repository"),
        Column("Mode", "string", ".spec.mode"),
        Column("Ready", "string", _condition("Ready", "status")),
        Column("Active", "integer", ".status.runs.active"),
        Column("Approvals", "integer", ".status.runs.awaitingApproval"),
        Column("Suspended", "boolean", ".spec.suspend", wide=True),
        Column("Status", "string", _condition("Ready", "message"), wide=True),
        _AGE,
    ),
    "IssueRun": (
        Column("Repo", "string", ".spec.repositoryRef.name"),
        Column("Issue", "integer", ".spec.issueNumber"),
        Column("Stage", "string", ".status.stage"),
        Column("Succeeded", "string", _condition("Succeeded", "status")),
        Column("Waiting", "string", _condition("Waiting", "reason")),
        Column("PR", "integer", ".status.pullRequest.number"),
        Column("Cost", "string", ".status.usage.costUSD"),
        Column("Risk", "string", ".status.change.risk", wide=True),
        Column("Message", "string", _condition("Succeeded", "message"), wide=True),
        _AGE,
    ),
    "Approval": (
        Column("Repo", "string", ".spec.repositoryRef.name"),
        Column("Gate", "string", ".spec.gate"),
        Column("PR", "integer", ".spec.subject.pullRequestNumber"),
        Column("Risk", "string", ".spec.risk"),
        Column("Outcome", "string", ".status.outcome"),
        Column("Missing", "integer", ".status.missing.approvals"),
        # A string: `date` prints a time in the future as <invalid>.
        Column("Expires", "string", ".spec.expireTime"),
        Column("Title", "string", ".spec.review.title", wide=True),
        _AGE,
    ),
    "RollbackPoint": (
        Column("Repo", "string", ".spec.repositoryRef.name"),
        Column("PR", "integer", ".spec.pullRequestNumber"),
        Column("Commit", "string", ".spec.merge.sha", wide=True),
        Column("Description", "string", ".spec.description"),
        Column("Merged", "date", ".spec.merge.time"),
        _AGE,
    ),
}
SELECTABLE: Final[dict[str, tuple[str, ...]]] = {
    "OrchestratedRepo": (),
    "IssueRun": (".spec.repositoryRef.name", ".spec.issueNumber", ".status.stage"),
    "Approval": (".spec.repositoryRef.name", ".spec.gate", ".status.outcome"),
    "RollbackPoint": (".spec.repositoryRef.name", ".spec.pullRequestNumber"),
}
"""What `kubectl get --field-selector` can ask for."""


@cache
def schema_hash(kind: type[KubeObject]) -> str:
    """`sha256:…` over what the operator relies on: fields, rules, selectors. A better wording is no other schema."""
    return _hash(published_schema(kind), SELECTABLE[kind.KIND])


def stored_hash(document: Mapping[str, Any]) -> str:
    """The same of a CRD as a server has it; of one without our version, an empty string."""
    version = next((entry for entry in document["spec"]["versions"] if entry["name"] == VERSION), None)
    if version is None:
        return ""
    selectors = tuple(entry["jsonPath"] for entry in version.get("selectableFields") or ())
    return _hash(version["schema"]["openAPIV3Schema"], selectors)


def _hash(schema: Schema, selectors: Sequence[str]) -> str:
    relied_on = {"schema": _undescribed(schema), "selectors": selectors}
    text = json.dumps(relied_on, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def schema_hashes() -> dict[str, str]:
    """Name of each CRD of this release → its hash, as it must stand in HASH_ANNOTATION on the server."""
    return {crd_name(kind): schema_hash(kind) for kind in KINDS}


def crd_name(kind: type[KubeObject]) -> str:
    """`<plural>.<group>`, as CRDs are named."""
    return f"{kind.PLURAL}.{GROUP}"


def custom_resource_definition(kind: type[KubeObject]) -> dict[str, Any]:
    """The CRD of a kind, as `kubectl apply` takes it. The same models give the same document."""
    schema = published_schema(kind)
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [column.as_crd() for column in COLUMNS[kind.KIND]]
    version["schema"] = {"openAPIV3Schema": schema}
    if selectable := SELECTABLE[kind.KIND]:
        version["selectableFields"] = [{"jsonPath": path} for path in selectable]
    names = {
        "kind": kind.KIND,
        "plural": kind.PLURAL,
        "singular": kind.KIND.lower(),
        "listKind": f"{kind.KIND}List",
        "shortNames": [kind.SHORT],
        "categories": ["orch"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd_name(kind), "annotations": {HASH_ANNOTATION: schema_hash(kind)}},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def published_schema(kind: type[KubeObject]) -> Schema:
    """The kind's structural schema, without what is for us only, in a fixed order of keys."""
    published: Schema = _ordered(object_schema(kind))
    return published


def _ordered(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    known = [key for key in KEYWORDS if key in node]
    ordered = {key: node[key] for key in known + sorted(node.keys() - set(known))}
    if RULES in ordered:
        ordered[RULES] = [{"rule": entry["rule"], "message": entry["message"]} for entry in ordered[RULES]]
    if "properties" in ordered:
        ordered["properties"] = {name: _ordered(child) for name, child in ordered["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in ordered:
            ordered[key] = _ordered(ordered[key])
    return ordered


def _undescribed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    bare = {key: value for key, value in node.items() if key != "description"}
    for key in ("items", "additionalProperties"):
        if key in bare:
            bare[key] = _undescribed(bare[key])
    if "properties" in bare:
        bare["properties"] = {name: _undescribed(child) for name, child in bare["properties"].items()}
    return bare
