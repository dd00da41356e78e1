"""What a repository demands of a merge: rulesets and classic branch protection, read together.

Sources: REST "Get rules for a branch" (anyone who can read may), "Get branch protection" (administrators only).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from orch.adapters.github.rest import Rest
from orch.errors import CredentialsRefused, NotFound
from orch.ports import BranchRules


async def read_rules(rest: Rest, repository: str, branch: str) -> BranchRules:
    """All that applies to `branch`. What the credential may not read is not in it: GitHub itself enforces it."""
    name = quote(branch, safe="")
    rules = (await rest.get(f"{repository}/rules/branches/{name}", per_page=100)).json
    protection = await _protection(rest, f"{repository}/branches/{name}")
    checks: set[str] = set()
    approvals, up_to_date, queue = 0, False, False
    for rule in rules:
        parameters = rule.get("parameters") or {}
        match rule["type"]:
            case "required_status_checks":
                checks |= {entry["context"] for entry in parameters.get("required_status_checks") or []}
                up_to_date |= bool(parameters.get("strict_required_status_checks_policy"))
            case "pull_request":
                approvals = max(approvals, int(parameters.get("required_approving_review_count") or 0))
            case "merge_queue":
                queue = True
    required = protection.get("required_status_checks") or {}
    reviews = protection.get("required_pull_request_reviews") or {}
    return BranchRules(
        required_checks=frozenset(checks | set(required.get("contexts") or [])),
        required_approvals=max(approvals, int(reviews.get("required_approving_review_count") or 0)),
        up_to_date=up_to_date or bool(required.get("strict")),
        merge_queue=queue,
    )


async def _protection(rest: Rest, branch: str) -> dict[str, Any]:
    """Classic protection. Only an administrator reads it in full; the branch itself tells whether there is any."""
    document: dict[str, Any] = (await rest.get(branch)).json
    if not document.get("protected"):
        return {}
    try:
        found: dict[str, Any] = (await rest.get(f"{branch}/protection")).json
    except (NotFound, CredentialsRefused):
        return dict(document.get("protection") or {})
    return found
