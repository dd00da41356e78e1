"""A stand-in with one repository, the adapter in front of it, and people who use it with raw HTTP and git."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from tests.gitenv import git_env

from orch.adapters.github import GitHubForges, Host
from orch.adapters.github.line import Timeouts
from orch.ports import Forge
from orch.testservers.github.server import Running, serve_in_thread

T = TypeVar("T")
_PATIENCE = 60.0
"""Seconds until a wait is given up: nothing but a fault comes near it, on a busy machine too."""
DEMO = "/repos/octo/demo"
TOKENS = {"octo": "ghp_octo_value", "alice": "ghp_alice_value", "orch-bot": "ghp_bot_value"}
SHORT = Timeouts(connect=2.0, read=1.0, body=5.0)
GIT_ENV = git_env()

MakeForge = Callable[..., Forge]


def seed_of(project: Path) -> dict[str, Any]:
    return {
        "settings": {"limits": {"content_per_minute": 1000}},
        "accounts": [{"login": login} for login in (*TOKENS, "carol", "stranger")],
        "tokens": [{"login": login, "value": value} for login, value in TOKENS.items()],
        "repos": [
            {
                "owner": "octo",
                "name": "demo",
                "from": str(project),
                "collaborators": {"alice": "maintain", "carol": "triage", "orch-bot": "write"},
                "issues": [
                    {"title": "It adds wrongly", "body": "1 + 1 is 0", "user": "alice", "labels": ["orch"]},
                    {"title": "Another", "user": "alice", "labels": ["bug"]},
                    {"title": "Neither", "user": "alice"},
                ],
            },
            {"owner": "octo", "name": "other"},
        ],
    }


class World:
    """The server, seen by people."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server, self.url = server, server.url
        self._folder = folder
        self.control = httpx2.Client(base_url=server.url, trust_env=False, timeout=20)

    def as_(self, login: str) -> httpx2.Client:
        headers = {"authorization": f"token {TOKENS[login]}"}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def fault(self, **order: Any) -> None:
        made = self.control.post("/_control/faults", json=order)
        assert made.status_code == 201, made.text

    def journal(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.get("/_control/journal", params=query).json()["entries"]
        return found

    def until(self, ask: Callable[[], T]) -> T:
        """The first truthy answer: the journal is written when a request is over, which is after its answer."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if found := ask():
                return found
            time.sleep(0.01)
        raise AssertionError(f"it did not happen within {_PATIENCE:.0f} seconds")

    def spent(self, login: str = "orch-bot") -> int:
        """Requests that counted against the hourly quota."""
        return self.used("core", login)

    def used(self, budget: str, login: str = "orch-bot") -> int:
        """How much of one of GitHub's budgets an account has used."""
        accounts = self.control.get("/_control/limits").json()["accounts"]
        return int(accounts.get(login, {}).get(budget, 0))

    def repo(self, **patch: Any) -> None:
        assert self.control.patch("/_control/repos/octo/demo", json=patch).status_code == 200

    def id_of(self, repository: str) -> int | None:
        """The repository's id; None when there is none of this name."""
        found = self.control.patch(f"/_control/repos/{repository}", json={})
        return int(found.json()["id"]) if found.status_code == 200 else None

    def limits(self, **patch: Any) -> None:
        assert self.control.patch("/_control/limits", json=patch).status_code == 200

    def push(self, branch: str, name: str = "fix.py", text: str = "fixed = True\n", start: str = "origin/main") -> str:
        """A commit on `branch`, and its sha."""
        work = self._folder / "clone"
        remote = self.url.replace("http://", f"http://x-access-token:{TOKENS['alice']}@") + "/octo/demo.git"
        if not work.exists():
            self._git("clone", "--quiet", remote, str(work))
        self._git("-C", str(work), "fetch", "--quiet", "origin")
        self._git("-C", str(work), "checkout", "--quiet", "-B", branch, start)
        (work / name).write_text(text)
        self._git("-C", str(work), "add", ".")
        self._git("-C", str(work), "commit", "--quiet", "-m", f"Change {name}")
        self._git("-C", str(work), "push", "--quiet", "origin", branch)
        self.server.settle()
        return self._git("-C", str(work), "rev-parse", "HEAD")

    def branches(self) -> list[str]:
        listed = self.as_("octo").get(f"{DEMO}/branches").json()
        return [entry["name"] for entry in listed]

    def _git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], env=GIT_ENV, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    with serve_in_thread(tmp_path / "data", seed_of(project)) as server:
        made = World(server, tmp_path)
        yield made
        made.control.close()


@pytest.fixture
def host(world: World) -> Host:
    return Host(
        api_url=f"{world.url}/api/v3",
        git_url=world.url,
        web_url=world.url,
        allow_private=True,
        write_interval=0,
        content_per_minute=1000,
    )


@pytest.fixture
def forges(host: Host) -> Iterator[GitHubForges]:
    made = GitHubForges({"git.example": host}, timeouts=SHORT)
    yield made
    made.close()


@pytest.fixture
def open_forge(forges: GitHubForges, world: World) -> MakeForge:
    def make(token: str = TOKENS["orch-bot"], repository: str = "octo/demo", tenant: str = "team") -> Forge:
        secret, pinned = {"token": token.encode()}, world.id_of(repository)
        return forges.open(
            host="git.example", repository=repository, secret=secret, tenant=tenant, pinned=pinned, polling=False
        )

    return make


@pytest.fixture
def forge(open_forge: MakeForge) -> Forge:
    """As orch-bot, who may write."""
    return open_forge()
