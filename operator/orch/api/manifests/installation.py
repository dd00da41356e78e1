"""The parameters of an installation: who the operator is, and for which namespaces its rules hold. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SERVICE_ACCOUNT: Final = "orch"
"""The operator's service account, in its own namespace."""


@dataclass(frozen=True)
class Installation:
    """One operator in one cluster."""

    namespace: str = "orch-system"
    """Where it lives."""
    user: str = ""
    """Its user name, as the API server authenticates it. Default: the service account `orch` of its namespace."""
    suffix: str = ""
    """Ends the names of what is in no namespace, after a hyphen, when several operators share a cluster."""
    namespaces: tuple[str, ...] = ()
    """What it watches. Default: all. Its rights and its admission policies then hold nowhere else."""

    @property
    def operator(self) -> str:
        """The user whom the policies take for the operator."""
        return self.user or f"system:serviceaccount:{self.namespace}:{SERVICE_ACCOUNT}"

    def name(self, base: str) -> str:
        """The name of an object that is in no namespace."""
        return f"{base}-{self.suffix}" if self.suffix else base

    def scope(self) -> dict[str, Any]:
        """The `matchResources` of a policy binding; empty for the whole cluster."""
        if not self.namespaces:
            return {}
        values = sorted(self.namespaces)
        # the API server itself keeps this label true
        chosen = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": values}
        return {"matchResources": {"namespaceSelector": {"matchExpressions": [chosen]}}}
