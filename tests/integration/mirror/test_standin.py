"""The Git port against GitHub's stand-in: its permissions and its words, over its smart HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.ports import Author, Credential, Remote
from orch.testservers.github.server import Running, serve_in_thread

from .conftest import Work

AUTHOR = Author("orch", "orch@example.com")
TIME = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Running]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    seed = {
        "accounts": [{"login": "octo"}, {"login": "bot"}, {"login": "reader"}],
        "tokens": [
            {
                "login": "bot",
                "value": "github_pat_bot",
                "kind": "fine_grained",
                "repos": ["octo/demo"],
                "permissions": {"contents": "write", "pull_requests": "write"},
            },
            {"login": "reader", "value": "ghp_reader"},
        ],
        "repos": [
            {
                "owner": "octo",
                "name": "demo",
                "private": True,
                "from": str(project),
                "collaborators": {"bot": "write", "reader": "read"},
            },
            {"owner": "octo", "name": "hidden", "private": True, "from": str(project)},
        ],
    }
    with serve_in_thread(tmp_path / "github", seed) as server:
        yield server


def remote_of(github: Running, token: str | None, repository: str = "octo/demo") -> Remote:
    credential = Credential(token) if token else None
    return Remote(f"stand-in-{repository.replace('/', '-')}", f"{github.url}/{repository}.git", credential)


async def commit_with(git: MirrorGit, remote: Remote, tmp_path: Path, files: dict[str, str | bytes | None]) -> str:
    """A work step's result on the remote's main, as a commit of ours in the mirror."""
    base = await git.fetch(remote, "main")
    bundle = await git.bundle(remote, [base])
    step = Work(tmp_path / "step", tmp_path)
    step.path.mkdir()
    step.git("clone", "-q", str(bundle), ".")
    sha = step.commit(files)
    await git.import_bundle(remote, step.bundle(sha, base), sha=sha)
    return await git.commit(remote, tree_of=sha, parents=[base], message="Fix add\n", author=AUTHOR, time=TIME)


async def test_fetch_commit_push(git: MirrorGit, github: Running, tmp_path: Path) -> None:
    remote = remote_of(github, "github_pat_bot")
    ours = await commit_with(git, remote, tmp_path, {"calc.py": "def add(a, b):\n    return a + b\n"})
    await git.push(remote, sha=ours, branch="orch/1-abc", expected=None)
    assert await git.remote_sha(remote, "orch/1-abc") == ours


async def test_a_token_without_the_workflows_permission(git: MirrorGit, github: Running, tmp_path: Path) -> None:
    remote = remote_of(github, "github_pat_bot")
    ours = await commit_with(git, remote, tmp_path, {".github/workflows/ci.yml": "on: push\n"})
    with pytest.raises(errors.NeedsHuman, match="workflows: write") as caught:
        await git.push(remote, sha=ours, branch="orch/1-abc", expected=None)
    assert caught.value.reason == "WorkflowsPermission"
    assert not isinstance(caught.value, errors.CredentialsRefused)


async def test_a_reader_may_not_push(git: MirrorGit, github: Running) -> None:
    remote = remote_of(github, "ghp_reader")
    base = await git.fetch(remote, "main")
    with pytest.raises(errors.CredentialsRefused, match="contents: write"):
        await git.push(remote, sha=base, branch="orch/1-abc", expected=None)


@pytest.mark.parametrize(
    ("token", "repository", "error"),
    [
        ("ghp_wrong", "octo/demo", errors.CredentialsRefused),
        (None, "octo/demo", errors.CredentialsRefused),
        ("github_pat_bot", "octo/hidden", errors.NotFound),
        ("github_pat_bot", "octo/never", errors.NotFound),
    ],
)
async def test_no_access(
    git: MirrorGit, github: Running, token: str | None, repository: str, error: type[errors.OrchError]
) -> None:
    with pytest.raises(error):
        await git.fetch(remote_of(github, token, repository), "main")
