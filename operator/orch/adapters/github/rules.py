"""What a repository demands of a merge: rulesets and classic branch protection, read together. Called by `forge`.

Sources: REST "Get rules for a branch" (whoever reads may ask), "Get branch protection" (administrators only). What the
credential may not read is left out: GitHub itself enforces it, and says so in its answer to the merge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from orch.adapters.github.rest import Answer, Rest
from orch.ports import BranchRules

_DAY: Final = 86_400.0
"""Seconds for which a refused protection is not asked for: it has no ETag, and an idle repository shall cost nothing."""
_METHODS: Final = {"squash": "Squash", "merge": "Merge", "rebase": "Rebase"}
_ABOUT_NO_MERGE: Final = frozenset({"deletion", "non_fast_forward"})
"""Rules that no pull request of ours can break."""


async def read_rules(rest: Rest, repository: str, branch: str, *, again: bool = False) -> BranchRules:
    """All that applies to `branch` (as it stands in a path). `repository`: `/repos/owner/name`; `again`: forget what was
    refused."""
    if again:
        rest.doubt(_what(repository))
        rest.doubt(_protection(repository, branch))
    found = await read_rulesets(rest, repository, branch)
    return _both(found, await _classic(rest, repository, branch))


async def read_rulesets(rest: Rest, repository: str, branch: str) -> BranchRules:
    """What rulesets demand of a branch of this name."""
    path = f"{repository}/rules/branches/{branch}"
    # GitHub answers 403 where the plan has no rulesets, an old server 404
    rules = await rest.unless_refused(_what(repository), lambda: rest.pages(path), holds=_DAY)
    return rules.read(of_rulesets) if rules else BranchRules()


async def _classic(rest: Rest, repository: str, branch: str) -> BranchRules:
    """Classic protection. The branch itself tells everybody about checks; the rest is for administrators."""
    path = f"{repository}/branches/{branch}"
    told = await rest.get(path)
    if not told.read(lambda document: bool(document.get("protected"))):
        return BranchRules()
    full = await rest.unless_refused(
        _protection(repository, branch), lambda: rest.get(f"{path}/protection"), holds=_DAY
    )
    if full is not None:
        return full.read(of_protection)
    part = Answer(told.what, told.read(lambda document: document.get("protection") or {}))
    return replace(part.read(of_protection), hidden=True)


def _what(repository: str) -> str:
    return f"rules {repository}"


def _protection(repository: str, branch: str) -> str:
    return f"protection {repository} {branch}"


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
            return _of_pull_request(parameters)
        case "merge_queue":
            method = _METHODS.get(str(parameters.get("merge_method", "merge")).lower())
            return BranchRules(merge_queue=True, queue_method=method)
        case "required_linear_history":
            return BranchRules(linear_history=True)
        case "required_signatures":
            return BranchRules(signatures=True)
        case "creation" | "update":
            return BranchRules(locked=True)
        case _:
            return BranchRules(others=frozenset({kind}) - _ABOUT_NO_MERGE)


def _of_pull_request(parameters: dict[str, Any]) -> BranchRules:
    methods = parameters.get("allowed_merge_methods")
    wanted = {
        "a review by code owners": parameters.get("require_code_owner_review"),
        "an approval of the last push": parameters.get("require_last_push_approval"),
        "resolved conversations": parameters.get("required_review_thread_resolution"),
    }
    return BranchRules(
        required_approvals=int(parameters.get("required_approving_review_count") or 0),
        pull_request=True,
        merge_methods=frozenset(_METHODS[name] for name in methods if name in _METHODS) if methods else None,
        others=frozenset(name for name, is_wanted in wanted.items() if is_wanted),
    )


def of_protection(document: dict[str, Any]) -> BranchRules:
    """Classic protection, in full or as the branch tells it."""
    required = document.get("required_status_checks") or {}
    reviews = document.get("required_pull_request_reviews") or {}
    wanted = {
        "a review by code owners": reviews.get("require_code_owner_reviews"),
        "an approval of the last push": reviews.get("require_last_push_approval"),
        "resolved conversations": _is_enabled(document, "required_conversation_resolution"),
    }
    return BranchRules(
        required_checks=frozenset(required.get("contexts") or []),
        required_approvals=int(reviews.get("required_approving_review_count") or 0),
        up_to_date=bool(required.get("strict")),
        pull_request=bool(reviews),
        linear_history=_is_enabled(document, "required_linear_history"),
        signatures=_is_enabled(document, "required_signatures"),
        locked=_is_enabled(document, "lock_branch"),
        others=frozenset(name for name, is_wanted in wanted.items() if is_wanted),
    )


def _is_enabled(document: dict[str, Any], name: str) -> bool:
    return bool((document.get(name) or {}).get("enabled"))


def _both(one: BranchRules, other: BranchRules) -> BranchRules:
    """The stricter of the two in everything."""
    limits = [rules.merge_methods for rules in (one, other) if rules.merge_methods is not None]
    return BranchRules(
        required_checks=one.required_checks | other.required_checks,
        required_approvals=max(one.required_approvals, other.required_approvals),
        up_to_date=one.up_to_date or other.up_to_date,
        merge_queue=one.merge_queue or other.merge_queue,
        queue_method=one.queue_method or other.queue_method,
        pull_request=one.pull_request or other.pull_request,
        merge_methods=frozenset.intersection(*limits) if limits else None,
        linear_history=one.linear_history or other.linear_history,
        signatures=one.signatures or other.signatures,
        locked=one.locked or other.locked,
        others=one.others | other.others,
        hidden=one.hidden or other.hidden,
    )
