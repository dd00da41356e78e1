"""Are the admission policies there, and those of this release? Called by `doctor`; it only reads.

The operator tries them besides, and says so in the condition AdmissionEnforced of each OrchestratedRepo; here they are seen before
there is one. Who the operator is, the policies themselves say: whether they name the right one, it alone knows.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from orch.api.manifests import Installation, admission_policies
from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.kube.resource import BINDINGS, POLICIES
from orch.policy.admission import weakness

_OPERATOR: Final = re.compile(r'variables\.user == ("(?:[^"\\]|\\.)*")')


async def fault_of(kube: Kube, namespace: str, suffix: str) -> tuple[str | None, str]:
    """What is wrong with the policies and bindings of the operator in this namespace, None if nothing is; and the user whom
    they take for the operator. Raises KubeError."""
    stored = await _stored(kube, admission_policies(Installation(namespace, suffix=suffix)))
    installation = Installation(namespace, user=_operator(stored) or "", suffix=suffix)
    found = weakness(admission_policies(installation), stored)
    return found.message if found else None, installation.operator


async def _stored(kube: Kube, expected: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    by_kind = {resource.kind: Objects(kube, resource) for resource in (POLICIES, BINDINGS)}
    return [await by_kind[document["kind"]].find(None, document["metadata"]["name"]) for document in expected]


def _operator(stored: list[dict[str, Any] | None]) -> str | None:
    """As the first policy has it; one that names another is not that of this release then."""
    variables = ((stored[0] or {}).get("spec") or {}).get("variables") or ()
    text = next((str(one.get("expression")) for one in variables if one.get("name") == "operator"), "")
    match = _OPERATOR.fullmatch(text)
    return str(json.loads(match[1])) if match else None
