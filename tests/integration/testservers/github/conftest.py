"""A stand-in of its own for each test that asks, and people who use it with raw HTTP, PyGithub and git."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from github import Auth, Github
from tests.gitenv import git_env

from orch.testservers.github.server import Running, serve_in_thread

TOKENS = {"octo": "ghp_octo", "alice": "ghp_alice", "reader": "ghp_reader", "stranger": "ghp_stranger"}
DEMO = "/repos/octo/demo"
FIXED = "def add(a, b):\n    return a + b\n"
GIT_ENV = git_env()


def seed_of(project: Path) -> dict[str, Any]:
    """Octo's public `demo` and private `secret`; alice writes, reader reads, stranger is nobody."""
    people = {"alice": "write", "reader": "read"}
    return {
        "accounts": [{"login": "octo", "name": "Octo Cat"}, {"login": "alice", "email": "alice@example.com"}],
        "tokens": [{"login": login, "value": value} for login, value in TOKENS.items()],
        "repos": [
            {"owner": "octo", "name": "demo", "from": str(project), "collaborators": people},
            {"owner": "octo", "name": "secret", "from": str(project), "private": True, "collaborators": people},
        ],
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("# Demo\n")
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    return folder


@pytest.fixture
def github(tmp_path: Path, project: Path) -> Iterator[Running]:
    with serve_in_thread(tmp_path / "data", seed_of(project)) as server:
        yield server


class Person(httpx2.Client):
    """Raw HTTP with one person's token, and what a person does often."""

    def __init__(self, server: Running, token: str | None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=server.url, headers=headers, trust_env=False, timeout=30)
        self.server = server

    def open_pull(self, work: Clone, branch: str = "fix", *, body: str = "", **files: str) -> dict[str, Any]:
        """A pushed branch and its pull request."""
        work.git("checkout", "--quiet", "main")
        work.commit(branch, "Add, not subtract", **(files or {"calc_py": FIXED}))
        work.push(branch)
        answer = self.post(f"{DEMO}/pulls", json={"title": "Fix add", "head": branch, "base": "main", "body": body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def settled(self, number: int) -> dict[str, Any]:
        """The pull request once its merge test is done."""
        self.get(f"{DEMO}/pulls/{number}")
        self.server.settle()
        found: dict[str, Any] = self.get(f"{DEMO}/pulls/{number}").json()
        return found


@pytest.fixture
def person(github: Running) -> Iterator[Callable[[str | None], Person]]:
    """Makes a person from a token, or None for nobody."""
    with contextlib.ExitStack() as stack:
        yield lambda token: stack.enter_context(Person(github, token))


@pytest.fixture
def alice(person: Callable[[str | None], Person]) -> Person:
    """A collaborator with write access."""
    return person(TOKENS["alice"])


@pytest.fixture
def octo(person: Callable[[str | None], Person]) -> Person:
    """The owner."""
    return person(TOKENS["octo"])


@pytest.fixture
def reader(person: Callable[[str | None], Person]) -> Person:
    return person(TOKENS["reader"])


@pytest.fixture
def stranger(person: Callable[[str | None], Person]) -> Person:
    return person(TOKENS["stranger"])


@pytest.fixture
def nobody(person: Callable[[str | None], Person]) -> Person:
    return person(None)


@pytest.fixture
def sdk(github: Running) -> Iterator[Github]:
    """PyGithub as alice, without its own pauses."""
    made = Github(
        auth=Auth.Token(TOKENS["alice"]), base_url=f"{github.url}/api/v3", seconds_between_requests=0,
        seconds_between_writes=0, retry=0,
    )  # fmt: skip
    yield made
    made.close()


@dataclass
class Clone:
    """A work tree with alice's credential in its remote."""

    folder: Path
    url: str

    def git(self, *args: str, ok: bool = True) -> str:
        done = subprocess.run(["git", *args], cwd=self.folder, env=GIT_ENV, capture_output=True, text=True, timeout=60)
        assert not ok or done.returncode == 0, done.stderr
        return (done.stdout + done.stderr).strip()

    def remote(self, token: str) -> str:
        """The server's address with a credential."""
        return self.url.replace("http://", f"http://x-access-token:{token}@")

    def commit(self, branch: str, message: str = "Change", **files: str) -> str:
        """Commit files (`calc_py` for calc.py) on a branch, made from where we are if it is new; return the sha."""
        known = self.git("branch", "--list", branch)
        self.git("checkout", "--quiet", *([branch] if known else ["-b", branch]))
        for name, text in files.items():
            (self.folder / name.replace("_py", ".py")).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str, *options: str, ok: bool = True) -> str:
        return self.git("push", *options, "origin", branch, ok=ok)


@pytest.fixture
def clone(github: Running, tmp_path: Path) -> Callable[..., Clone]:
    """Clones a repository with a token into a new folder."""
    numbers = itertools.count()

    def make(repo: str = "octo/demo", token: str = TOKENS["alice"]) -> Clone:
        folder = tmp_path / f"clone-{next(numbers)}"
        url = github.url.replace("http://", f"http://x-access-token:{token}@") + f"/{repo}.git"
        subprocess.run(["git", "clone", "--quiet", url, str(folder)], env=GIT_ENV, check=True, timeout=60)
        return Clone(folder, github.url)

    return make


@pytest.fixture
def work(clone: Callable[..., Clone]) -> Clone:
    return clone()
