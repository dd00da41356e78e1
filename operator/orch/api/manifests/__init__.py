"""What an installation applies beside the CRDs: admission policies and roles, rendered for one operator. Pure values."""

from __future__ import annotations

from typing import Any

from orch.api.manifests.installation import Installation
from orch.api.manifests.policies import admission_policies
from orch.api.manifests.roles import operator_access, people_roles

__all__ = ["Installation", "admission_policies", "manifests", "operator_access", "people_roles"]


def manifests(installation: Installation) -> dict[str, list[dict[str, Any]]]:
    """File name → the objects in it, each set whole by itself."""
    return {
        "admission.yaml": admission_policies(installation),
        "operator.yaml": operator_access(installation),
        "people.yaml": people_roles(),
    }
