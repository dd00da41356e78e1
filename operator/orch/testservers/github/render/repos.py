"""Repositories, branches and rules as JSON."""

from __future__ import annotations

from typing import Any

from ..access import permissions_of
from ..records import BranchRule, Hook, Issue, Label, Repo
from .users import simple_user
from .view import View, node_id, stamp

_TEMPLATES = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def minimal_repo(view: View, repo: Repo) -> dict[str, Any]:
    url, html = view.api(f"/repos/{repo.full_name}"), view.html(f"/{repo.full_name}")
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": simple_user(view, repo.owner),
        "html_url": html,
        "description": repo.description,
        "fork": repo.fork_of is not None,
        "url": url,
        **{name: url + template for name, template in _TEMPLATES.items()},
    }


def simple_repo(view: View, repo: Repo) -> dict[str, Any]:
    """GitHub's `repository` schema, as inside pull requests and webhooks."""
    store, html = view.state.store, view.html(f"/{repo.full_name}")
    open_issues = sum(issue.state == "open" and issue.gone is None for issue in store.of(Issue, repo.id))
    forks = sum(other.fork_of == repo.id for other in store.repos())
    return minimal_repo(view, repo) | {
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.updated_at),
        "pushed_at": stamp(repo.pushed_at),
        "git_url": html.replace("http://", "git://") + ".git",
        "ssh_url": f"git@127.0.0.1:{repo.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "homepage": None,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": None,
        "has_issues": repo.has_issues,
        "has_projects": False,
        "has_downloads": False,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": forks,
        "mirror_url": None,
        "archived": repo.archived,
        "disabled": False,
        "open_issues_count": open_issues,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "forks": forks,
        "open_issues": open_issues,
        "watchers": 0,
        "default_branch": repo.default_branch,
    }


def full_repo(view: View, repo: Repo) -> dict[str, Any]:
    """GitHub's `full-repository`, with the caller's `permissions`."""
    body = simple_repo(view, repo) | {"network_count": 0, "subscribers_count": 0}
    if view.caller is not None:
        body |= {
            "permissions": permissions_of(repo, view.caller),
            "allow_rebase_merge": "rebase" in repo.merge_methods,
            "allow_squash_merge": "squash" in repo.merge_methods,
            "allow_merge_commit": "merge" in repo.merge_methods,
            "allow_auto_merge": False,
            "allow_update_branch": False,
            "delete_branch_on_merge": repo.delete_branch_on_merge,
            "use_squash_pr_title_as_default": False,
            "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
            "squash_merge_commit_message": "COMMIT_MESSAGES",
            "merge_commit_title": "MERGE_MESSAGE",
            "merge_commit_message": "PR_TITLE",
            "temp_clone_token": "",
        }
    if repo.fork_of is not None:
        parent = simple_repo(view, view.state.repo(repo.fork_of))
        body |= {"parent": parent, "source": parent}
    if view.state.account(repo.owner).type == "Organization":
        body["organization"] = simple_user(view, repo.owner)
    return body


def label(view: View, repo: Repo, row: Label) -> dict[str, Any]:
    return {
        "id": row.id,
        "node_id": node_id("Label", row.id),
        "url": view.api(f"/repos/{repo.full_name}/labels/{row.name}".replace(" ", "%20")),
        "name": row.name,
        "color": row.color,
        "default": row.default,
        "description": row.description,
    }


def hook(view: View, repo: Repo, row: Hook) -> dict[str, Any]:
    url = view.api(f"/repos/{repo.full_name}/hooks/{row.id}")
    config = {"url": row.url, "content_type": row.content_type, "insecure_ssl": row.insecure_ssl}
    return {
        "type": "Repository",
        "id": row.id,
        "name": "web",
        "active": row.active,
        "events": row.events,
        "config": config | ({"secret": "********"} if row.secret else {}),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": row.last_code, "status": row.last_status, "message": row.last_message},
    }


def branch_protection(view: View, repo: Repo, branch: str, rules: list[BranchRule]) -> dict[str, Any]:
    """The protection rules of one branch joined, as "Get branch protection" answers."""
    url = view.api(f"/repos/{repo.full_name}/branches/{branch}/protection")
    checks = list(dict.fromkeys(name for rule in rules for name in rule.required_checks))
    reviews = max((rule.required_reviews for rule in rules), default=0)
    body: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        "required_linear_history": {"enabled": any(rule.linear_history for rule in rules)},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": False},
        "lock_branch": {"enabled": any(rule.locked for rule in rules)},
        "allow_fork_syncing": {"enabled": False},
        "required_signatures": {
            "url": f"{url}/required_signatures",
            "enabled": any(rule.signatures for rule in rules),
        },
    }
    if checks:
        body["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": any(rule.strict for rule in rules),
            "contexts": checks,
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": name, "app_id": None} for name in checks],
        }
    if any(rule.pull_request for rule in rules):
        body["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": any(rule.dismiss_stale_reviews for rule in rules),
            "require_code_owner_reviews": False,
            "require_last_push_approval": False,
            "required_approving_review_count": reviews,
        }
    return body


def effective_rules(repo: Repo, rules: list[BranchRule]) -> list[dict[str, Any]]:
    """What "Get rules for a branch" answers for the rulesets that apply."""
    found: list[dict[str, Any]] = []
    for index, rule in enumerate(rules, start=1):
        ruleset = {"ruleset_source_type": "Repository", "ruleset_source": repo.full_name, "ruleset_id": index}
        found += [{"type": kind, **body, **ruleset} for kind, body in _rules_of(rule)]
    return found


def _rules_of(rule: BranchRule) -> list[tuple[str, dict[str, Any]]]:
    parts: list[tuple[str, dict[str, Any]]] = []
    if rule.pull_request:
        parts.append(
            (
                "pull_request",
                {
                    "parameters": {
                        "required_approving_review_count": rule.required_reviews,
                        "dismiss_stale_reviews_on_push": rule.dismiss_stale_reviews,
                        "require_code_owner_review": False,
                        "require_last_push_approval": False,
                        "required_review_thread_resolution": False,
                        "allowed_merge_methods": list(rule.merge_methods),
                    }
                },
            )
        )
    if rule.required_checks:
        contexts = [{"context": name} for name in rule.required_checks]
        parameters: dict[str, Any] = {
            "strict_required_status_checks_policy": rule.strict,
            "do_not_enforce_on_create": False,
            "required_status_checks": contexts,
        }
        parts.append(("required_status_checks", {"parameters": parameters}))
    plain = {"required_linear_history": rule.linear_history, "required_signatures": rule.signatures}
    parts += [(kind, {}) for kind, is_asked in plain.items() if is_asked]
    if rule.locked:
        parts.append(("update", {"parameters": {"update_allows_fetch_and_merge": False}}))
    if rule.merge_queue:
        parameters = {
            "check_response_timeout_minutes": 60,
            "grouping_strategy": "ALLGREEN",
            "max_entries_to_build": 5,
            "max_entries_to_merge": 5,
            "merge_method": rule.queue_method.upper(),
            "min_entries_to_merge": 1,
            "min_entries_to_merge_wait_minutes": 5,
        }
        parts.append(("merge_queue", {"parameters": parameters}))
    return parts
