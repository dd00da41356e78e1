"""What GitHub's stand-in starts with for our projects: the people, their tokens, the repositories and their checks.

Called by the demo, the end-to-end tests and `stress`. The format is that of `orch.testservers.github.seed`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hack.projects.project import Project

LABEL = {"name": "orch", "color": "5319e7", "description": "orch works on it"}
TOKENS = {"maintainer": "ghp_maintainer", "orch-bot": "ghp_orch", "stranger": "ghp_stranger"}
"""By login. The maintainer administers every repository, orch-bot may push, the stranger only reads."""


def seed_for(project: Project, source: Path) -> dict[str, Any]:
    """The seed of one project, whose repository is a copy of the one in `source`."""
    return seed([repo_entry(project.repository, source, project.checks)])


def seed(repos: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A seed of these repositories, for everybody of TOKENS."""
    logins = ["owner", *TOKENS]
    return {
        "accounts": [{"login": login, "email": f"{login}@example.com"} for login in logins],
        "tokens": [{"login": login, "value": value, "kind": "classic"} for login, value in TOKENS.items()],
        "repos": list(repos),
    }


def repo_entry(repository: str, source: Path, checks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A seed's entry for a repository with our people and the label."""
    owner, name = repository.split("/")
    return {
        "owner": owner,
        "name": name,
        "from": str(source.resolve()),
        "collaborators": {"maintainer": "admin", "orch-bot": "write"},
        "labels": [dict(LABEL)],
        "merge_methods": ["merge", "squash", "rebase"],
        "checks": [dict(check) for check in checks],
    }
