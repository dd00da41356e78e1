"""The code host of all scenes, GitHub's stand-in, and what people do there with a token of their own: through its API, and by
real pushes. Holds no test."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from hack.world.people import People
from hack.world.world import HEADLONG
from tests.integration.approvals.commits import Commits, git_in
from tests.integration.approvals.model import FEE

from orch.adapters.github import Host
from orch.testservers.github.server import Running, serve_in_thread

NAME = "git.example"
"""Of the host, in the operator's list."""
OWNER, BOT = "octo", "orch-bot"
ROLES = {"alice": "maintain", "tom": "triage", "ci": "write", BOT: "write"}
LOGINS = (OWNER, "alice", "tom", "stranger")
"""People. The stranger may read, and open issues."""
TOKENS = {login: f"ghp_{login.replace('-', '_')}_value" for login in (*LOGINS, *ROLES)}
MAIN = "refs/heads/main"
PROTECTION = {"branch": "main", "required_reviews": 1, "bypass": [OWNER]}
_NUMBERS = itertools.count(1)


class GitHub:
    """The stand-in, by itself and as people."""

    def __init__(self, server: Running, folder: Path) -> None:
        self._server, self._project = server, folder / "project"
        (self._project / "zones").mkdir(parents=True)
        (self._project / FEE).write_text("FEE = 2\n")
        self._people = {login: People(server.url, token) for login, token in TOKENS.items()}
        self._control = httpx2.Client(base_url=server.url, trust_env=False, timeout=20)
        self.address = Host(
            api_url=server.url, git_url=server.url, web_url=server.url, allow_private=True, **HEADLONG
        )  # fmt: skip
        self.desk = Commits(folder / "desk.git")
        self._known = 0

    def close(self) -> None:
        self._control.close()
        for person in self._people.values():
            person.close()

    def now(self) -> datetime:
        """Its clock, which is everybody's here."""
        return self._server.state.clock()

    def forward(self, span: timedelta) -> None:
        self._order("POST", "/clock", seconds=span.total_seconds())

    def open(self) -> Repository:
        """A new repository, whose main is protected."""
        name = f"{OWNER}/web-{next(_NUMBERS)}"
        self._server.repo(name, source=self._project, collaborators=ROLES, rules=[PROTECTION])
        return Repository(self, name, int(self.change(name)["id"]), self._server.state.git_path(*name.split("/")))

    def change(self, repository: str, **facts: Any) -> dict[str, Any]:
        """Set something up that GitHub has no call for; the repository as it is then."""
        return dict(self._order("PATCH", f"/repos/{repository}", **facts))

    def fault(self, **order: Any) -> None:
        """Something goes wrong on the way to it, or back."""
        self._order("POST", "/faults", **order)

    def heal(self) -> None:
        self._order("DELETE", "/faults")

    def ask(self, login: str, method: str, path: str, **body: Any) -> Any:
        """One request in somebody's name. Raises httpx2.HTTPStatusError when GitHub refuses."""
        return self._people[login].ask(method, path, **body)

    def last(self) -> int:
        """The number of the newest request that is over, once none is under way."""
        while self._order("GET", f"/journal?since={self._known}&limit=0")["open"]:
            time.sleep(0.005)
        self._known = int(self._order("GET", f"/journal?since={self._known}&path=^$")["last"])
        return self._known

    def journal(self, since: int, until: int) -> list[dict[str, Any]]:
        """What orch has asked for after number `since`, up to number `until`, oldest first."""
        entries = self._order("GET", f"/journal?since={since}&account={BOT}")["entries"]
        return [entry for entry in entries if entry["seq"] <= until]

    def url(self, login: str, repository: str) -> str:
        """Where somebody's git pushes to."""
        return f"{self._server.url.replace('://', f'://{login}:{TOKENS[login]}@')}/{repository}.git"

    def _order(self, method: str, path: str, /, **body: Any) -> Any:
        reply = self._control.request(method, f"/_control{path}", json=body or None)
        reply.raise_for_status()
        return reply.json() if reply.content else None


@dataclass(frozen=True)
class Repository:
    """One repository there, its bare repository on disk, and issue 1."""

    github: GitHub
    name: str
    id: int
    path: Path

    def does(self, login: str, method: str, tail: str, **body: Any) -> bool:
        """One request below the repository in somebody's name; whether GitHub lets them."""
        try:
            self.github.ask(login, method, f"/repos/{self.name}{tail}", **body)
        except httpx2.HTTPStatusError:
            return False
        return True

    def git(self, *args: str) -> bytes:
        """git in the bare repository: what truly is there."""
        return git_in(self.path, *args)

    def tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        found = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").decode().strip()
        return found or None

    def pushes(self, login: str, branch: str, files: Mapping[str, str] | None, *, start: str = "") -> bool:
        """Somebody's own commit on the branch, or on another one, forced over it; None: its deletion. Whether GitHub lets them."""
        desk, what = self.github.desk, ""
        try:
            if files is not None:
                desk.fetch(str(self.path), f"+refs/heads/{start or branch}:refs/heads/start")
                what = desk.commit(desk.git("rev-parse", "refs/heads/start"), files, "By hand")
            desk.git("push", "--quiet", "--force", self.github.url(login, self.name), f"{what}:refs/heads/{branch}")
        except subprocess.CalledProcessError:
            return False
        return True

    def pull(self) -> dict[str, Any] | None:
        """The newest pull request."""
        found = self.github.ask(OWNER, "GET", f"/repos/{self.name}/pulls?state=all&per_page=1")
        return dict(found[0]) if found else None


def seed() -> dict[str, Any]:
    """People and their tokens. Limits are tested elsewhere."""
    return {
        "settings": {"limits": {"enabled": False}, "webhooks": {"enabled": False}},
        "accounts": [{"login": login} for login in TOKENS],
        "tokens": [{"login": login, "value": value} for login, value in TOKENS.items()],
    }


@contextmanager
def serving(folder: Path) -> Iterator[GitHub]:
    """The stand-in in a thread, until the block ends."""
    with serve_in_thread(folder / "data", seed()) as server:
        github = GitHub(server, folder)
        try:
            yield github
        finally:
            github.close()
