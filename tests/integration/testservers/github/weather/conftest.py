"""A running stand-in with one repository, seen through four clients, for the tests of limits, faults and witnesses."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from tests.gitenv import git_env

from orch.testservers.github.server import serve_in_thread

T = TypeVar("T")
_PATIENCE = 60.0
"""Seconds until a wait is given up: nothing but a fault comes near it, on a busy machine too."""
ROOT = next(parent for parent in Path(__file__).parents if (parent / "pyproject.toml").exists())
TOKENS = {
    "octo": "ghp_octo_value",
    "second": "ghp_octo_second_value",
    "mate": "ghp_mate_value",
    "app": "ghs_app_value",
    "fine": "github_pat_fine_value",
}
ALL = ("actions", "administration", "checks", "contents", "issues", "metadata", "pull_requests", "repository_hooks",
       "statuses", "workflows")  # fmt: skip


class World:
    """The server and its clients: `client` (octo, the owner), `second` (another token of octo), `other` (mate, who may
    write), `app` (an installation that may do all), `fine` (a fine-grained token of octo that may read code), and
    `anonymous`, which also speaks to the control API."""

    def __init__(self, root: Path, *, settings: dict[str, Any], checks: list[dict[str, Any]]) -> None:
        self.root = root
        self.data_dir = root / "data"
        self.tokens = TOKENS
        self._stack = ExitStack()
        self._start(seed_of(root, settings, checks))

    def _start(self, seed: dict[str, Any] | None) -> None:
        self.server = self._stack.enter_context(serve_in_thread(self.data_dir, seed=seed))
        self.url, self.state = self.server.url, self.server.state
        self.client, self.second = self._connect("octo"), self._connect("second")
        self.other, self.app = self._connect("mate"), self._connect("app")
        self.fine, self.anonymous = self._connect("fine"), self._connect(None)

    def _connect(self, token: str | None) -> httpx2.Client:
        headers = {"authorization": f"token {self.tokens[token]}"} if token else {}
        client = httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)
        return self._stack.enter_context(client)

    def close(self) -> None:
        self._stack.close()

    def restart(self) -> None:
        """Stop the server and start another one on its data."""
        self._stack.close()
        self._start(None)

    def fault(self, **order: Any) -> dict[str, Any]:
        made = self.anonymous.post("/_control/faults", json=order)
        assert made.status_code == 201, made.text
        fault: dict[str, Any] = made.json()
        return fault

    def journal(self, **query: Any) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.anonymous.get("/_control/journal", params=query).json()["entries"]
        return entries

    def usage(self, login: str) -> dict[str, int]:
        accounts: dict[str, dict[str, int]] = self.anonymous.get("/_control/limits").json()["accounts"]
        return accounts.get(login, {})

    def until(self, ask: Callable[[], T]) -> T:
        """The first truthy answer: what happens in the background of another thread tells no event across HTTP."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if answer := ask():
                return answer
            time.sleep(0.02)
        raise AssertionError(f"it did not happen within {_PATIENCE:.0f} seconds")

    def remote(self, token: str) -> str:
        return self.url.replace("http://", f"http://x:{self.tokens[token]}@") + "/octo/app.git"

    def clone(self, token: str) -> Path:
        target = self.root / "clone"
        self.git("clone", "-q", self.remote(token), str(target))
        return target

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git without anybody's settings; what it printed. Its own words are in the error when it fails."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.root, env=git_env("octo"), capture_output=True, text=True
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, f"git {arguments[0]}: {done.stderr}")
        return done.stdout.strip()


def seed_of(root: Path, settings: dict[str, Any], checks: list[dict[str, Any]]) -> dict[str, Any]:
    source = root / "source"
    source.mkdir()
    (source / "README.md").write_text("# app\n")
    return {
        "settings": settings,
        "accounts": [{"login": login} for login in ("octo", "mate", "guest")],
        "tokens": [
            {"login": "octo", "value": TOKENS["octo"]},
            {"login": "octo", "value": TOKENS["second"]},
            {"login": "mate", "value": TOKENS["mate"]},
            {"login": "orch[bot]", "value": TOKENS["app"], "kind": "app", "permissions": dict.fromkeys(ALL, "write")},
            {"login": "octo", "value": TOKENS["fine"], "kind": "fine_grained", "permissions": {"contents": "read"}},
        ],
        "repos": [
            {
                "owner": "octo",
                "name": "app",
                "from": str(source),
                "collaborators": {"mate": "write"},
                "checks": checks,
                "rules": [
                    {
                        "branch": "guarded",
                        "kind": "protection",
                        "required_reviews": 1,
                        "required_checks": ["own check"],
                    },
                    {
                        "branch": "ruled/*",
                        "required_reviews": 1,
                        "required_checks": ["orch"],
                        "merge_queue": True,
                        "linear_history": True,
                        "signatures": True,
                        "locked": True,
                    },
                ],
                "issues": [{"title": "First", "body": "text", "user": "octo"}],
            }
        ],
    }


@pytest.fixture(scope="module")
def world_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., World]]:
    """Makes worlds that live as long as the module."""
    with ExitStack() as stack:

        def make(*, settings: dict[str, Any] | None = None, checks: list[dict[str, Any]] | None = None) -> World:
            made = World(tmp_path_factory.mktemp("world"), settings=settings or {}, checks=checks or [])
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, settings={}, checks=[])
    yield world
    world.close()


def load_openapi() -> Any:
    """The module `hack/openapi.py`: a tool beside the package, so not importable by name."""
    spec = importlib.util.spec_from_file_location("hack_openapi", ROOT / "hack" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def contract() -> Any:
    openapi = load_openapi()
    try:
        return openapi.Contract(openapi.description())
    except openapi.MissingError as err:
        pytest.fail(str(err), pytrace=False)
