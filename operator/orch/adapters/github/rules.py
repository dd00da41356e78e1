"""What a repository demands of a merge: rulesets and classic branch protection, read together. Called by `forge`.

Sources: REST "Get rules for a branch" (whoever reads may ask), "Get branch protection" (administrators only). What the
credential may not read is left out: GitHub itself enforces it, and says so in its answer to the merge.
"""

from __future__ import annotations

from typing import Any

from orch.adapters.github.rest import Answer, Rest
from orch.ports import BranchRules


async def read_rules(rest: Rest, repository: str, branch: str) -> BranchRules:
    """All that applies to `branch` (as it stands in a path). `repository`: `/repos/owner/name`."""
    path = f"{repository}/rules/branches/{branch}"
    # GitHub answers 403 where the plan has no rulesets, an old server 404
    rules = await rest.unless_refused(f"rules {repository}", lambda: rest.pages(path))
    found = rules.read(of_rulesets) if rules else BranchRules()
    return _both(found, await _classic(rest, f"{repository}/branches/{branch}"))


async def _classic(rest: Rest, path: str) -> BranchRules:
    """Classic protection. The branch itself tells everybody about checks; the rest is for administrators."""
    branch = await rest.get(path)
    if not branch.read(lambda document: bool(document.get("protected"))):
        return BranchRules()
    full = await rest.unless_refused(f"protection {path}", lambda: rest.get(f"{path}/protection"))
    known = full or Answer(branch.what, branch.read(lambda document: document.get("protection") or {}))
    return known.read(of_protection)


def of_rulesets(rules: list[dict[str, Any]]) -> BranchRules:
    """The rules in force, whatever rulesets they come from."""
    found = BranchRules()
    for rule in rules:
        found = _both(found, _of_rule(rule["type"], rule.get("parameters") or {}))
    return found


def _of_rule(kind: str, parameters: dict[str, Any]) -> BranchRules:
    match kind:
        case "required_status_checks":
            checks = frozenset(entry["context"] for entry in parameters.get("required_status_checks") or [])
            strict = bool(parameters.get("strict_required_status_checks_policy"))
            return BranchRules(required_checks=checks, up_to_date=strict)
        case "pull_request":
            return BranchRules(required_approvals=int(parameters.get("required_approving_review_count") or 0))
        case "merge_queue":
            return BranchRules(merge_queue=True)
        case _:
            return BranchRules()


def of_protection(document: dict[str, Any]) -> BranchRules:
    """Classic protection, in full or as the branch tells it."""
    required = document.get("required_status_checks") or {}
    reviews = document.get("required_pull_request_reviews") or {}
    return BranchRules(
        required_checks=frozenset(required.get("contexts") or []),
        required_approvals=int(reviews.get("required_approving_review_count") or 0),
        up_to_date=bool(required.get("strict")),
    )


def _both(one: BranchRules, other: BranchRules) -> BranchRules:
    """The stricter of the two in everything."""
    return BranchRules(
        required_checks=one.required_checks | other.required_checks,
        required_approvals=max(one.required_approvals, other.required_approvals),
        up_to_date=one.up_to_date or other.up_to_date,
        merge_queue=one.merge_queue or other.merge_queue,
    )
