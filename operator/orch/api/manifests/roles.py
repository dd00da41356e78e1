"""RBAC: the operator's own rights, and the roles that people are bound to. Pure.

Called by hack/generate.py (manifests/operator.yaml, manifests/people.yaml) and by `orch manifests`. The verbs `approve`, `rollback`
and `setpolicy` are in no role that the built-in `view`, `edit` or `admin` takes up: they are given by name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orch.api.manifests.installation import SERVICE_ACCOUNT, Installation
from orch.api.v1alpha1.common import GROUP

Document = dict[str, Any]
_RBAC: Final = "rbac.authorization.k8s.io"
_READ: Final = ("get", "list", "watch")
_KINDS: Final = ("orchestratedrepos", "issueruns", "approvals", "rollbackpoints")


def operator_access(installation: Installation) -> list[Document]:
    """Its namespace, its account, and no more rights than it uses: it writes no spec but of what it creates, reads only the
    Secrets that are named to it, and may not patch an Approval at all."""
    works, cluster, home = (
        installation.name("orch-controller"),
        installation.name("orch-controller-cluster"),
        "orch-home",
    )
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": SERVICE_ACCOUNT, "namespace": installation.namespace},
        },
        _cluster_role(works, _WORK),
        *(_grants(works, installation)),
        _cluster_role(cluster, _CLUSTER),
        _binding("ClusterRoleBinding", cluster, "ClusterRole", installation),
        {**_head("Role", home, installation.namespace), "rules": _HOME},
        _binding("RoleBinding", home, "Role", installation, installation.namespace),
    ]


def people_roles() -> list[Document]:
    """Roles to bind people to, in a namespace or in all."""
    see = [_rule(GROUP, _KINDS, _READ), _rule(GROUP, ["issueruns/log"], ["get"])]
    read = [*see, _rule("", ["configmaps"], ["get"]), _rule("", ["events"], _READ)]
    work = [
        _rule(GROUP, ["issueruns"], ["create", "patch", "update", "delete"]),
        _rule(GROUP, ["orchestratedrepos"], ["patch", "update"]),
        _rule(GROUP, ["approvals"], ["delete"]),
    ]
    decide = [_rule(GROUP, ["approvals"], ["patch", "update", "approve"])]
    govern = [
        _rule(GROUP, ["orchestratedrepos"], ["create", "delete", "setpolicy"]),
        _rule(GROUP, ["rollbackpoints"], ["patch", "update", "delete", "rollback"]),
    ]
    return [
        _cluster_role("orch-view", see, {f"{_RBAC}/aggregate-to-view": "true"}),
        _cluster_role("orch-work", work, {f"{_RBAC}/aggregate-to-edit": "true"}),
        _cluster_role("orch-viewer", read),
        _cluster_role("orch-approver", [*read, *decide]),
        _cluster_role("orch-operator", [*read, *work]),
        _cluster_role("orch-admin", [*read, *work, *decide, *govern]),
    ]


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Document:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


_WORK: Final = [
    _rule(GROUP, ["orchestratedrepos"], [*_READ, "patch"]),
    _rule(GROUP, ["issueruns"], [*_READ, "create", "patch", "delete"]),
    _rule(GROUP, ["issueruns/finalizers"], ["update"]),
    _rule(GROUP, ["approvals"], [*_READ, "create", "delete"]),
    _rule(GROUP, ["rollbackpoints"], ["get", "create"]),
    _rule(GROUP, ["orchestratedrepos/status", "issueruns/status", "approvals/status"], ["patch"]),
    _rule("", ["secrets"], ["get"]),
    _rule("", ["configmaps"], ["get", "create"]),
    _rule("events.k8s.io", ["events"], ["create", "patch"]),
]
_CLUSTER: Final = [
    _rule("apiextensions.k8s.io", ["customresourcedefinitions"], _READ),
    _rule("", ["namespaces"], _READ),
    _rule(
        "admissionregistration.k8s.io",
        ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        ["get"],
    ),
    _rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
    _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),  # the gateway's, which lives beside it
]
_HOME: Final = [
    _rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "delete"]),
    _rule("", ["configmaps"], ["get"]),
]


def _grants(role: str, installation: Installation) -> list[Document]:
    if not installation.namespaces:
        return [_binding("ClusterRoleBinding", role, "ClusterRole", installation)]
    return [_binding("RoleBinding", role, "ClusterRole", installation, name) for name in installation.namespaces]


def _cluster_role(name: str, rules: list[Document], labels: Mapping[str, str] | None = None) -> Document:
    head = _head("ClusterRole", name)
    if labels:
        head["metadata"]["labels"] = dict(labels)
    return {**head, "rules": rules}


def _binding(
    kind: str, role: str, role_kind: str, installation: Installation, namespace: str | None = None
) -> Document:
    return {
        **_head(kind, role, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role},
        "subjects": [_subject(installation)],
    }


def _subject(installation: Installation) -> Document:
    if installation.user:
        return {"apiGroup": _RBAC, "kind": "User", "name": installation.user}
    return {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": installation.namespace}


def _head(kind: str, name: str, namespace: str | None = None) -> Document:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {"name": name, **place}}
