"""Are the CRDs on the server those this code was written for? Compared by a hash: as an annotation says, and of what is there.

Called by the manager's preflight, before anything is reconciled, and before answers are counted. It never installs or changes a CRD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orch.kube.client import Kube
from orch.kube.objects import Document, Objects
from orch.kube.resource import CRDS


async def crd_problems(
    kube: Kube,
    expected: Mapping[str, str],
    *,
    annotation: str,
    hash_of: Callable[[Document], str] | None = None,
) -> list[str]:
    """What is wrong with the CRDs, a sentence each; empty when all are there, Established and of the expected hash.

    Args:
        expected: CRD name (`issueruns.orch.dev`) → schema hash.
        annotation: the key that holds the hash on the CRD.
        hash_of: the hash of a CRD as it is on the server, for one that keeps its annotation and lacks a field.
    """
    problems = []
    for name, wanted in sorted(expected.items()):
        crd = await Objects(kube, CRDS).find(None, name)
        if crd is None:
            problems.append(f"CRD {name} is missing: apply the CRDs of this release")
        elif (crd["metadata"].get("annotations") or {}).get(annotation) != wanted:
            problems.append(f"CRD {name} is of another release: apply the CRDs of this release")
        elif hash_of is not None and hash_of(crd) != wanted:
            problems.append(f"CRD {name} is not what its annotation says: apply the CRDs of this release")
        elif not _is_established(crd.get("status") or {}):
            problems.append(f"CRD {name} is not Established yet")
    return problems


def _is_established(status: Mapping[str, object]) -> bool:
    conditions = status.get("conditions")
    return isinstance(conditions, list) and any(
        condition.get("type") == "Established" and condition.get("status") == "True" for condition in conditions
    )
