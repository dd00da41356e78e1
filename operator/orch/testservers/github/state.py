"""One running stand-in: its store, its repositories on disk, its clock, and who listens to its events.

Who calls it: everything. It holds no rule of GitHub.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .gitrepo import GitRepo
from .records import Account, Repo
from .settings import Settings
from .store import Store

Subscriber = Callable[[str, str | None, Repo, dict[str, Any]], None]
NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class State:
    """What the parts of one server share.

    `clock` may be replaced by tests. `url` is where the server listens, set once it does. `subscribers` are called with
    (event name, action, repository, payload) for everything that GitHub would send to a webhook.
    """

    def __init__(self, data_dir: Path, settings: Settings | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.settings = settings or Settings()
        self.clock: Callable[[], datetime] = utc_now
        self.url = "http://127.0.0.1"
        self.subscribers: list[Subscriber] = []
        for name in ("git", "logs", "work"):
            (self.data_dir / name).mkdir(parents=True, exist_ok=True)
        self.store = Store(self.data_dir / "state.sqlite")
        self.check_queue: asyncio.Queue[int] = asyncio.Queue()
        self.queue_lock = asyncio.Lock()
        """Held while merge queues move on."""
        self.can_sandbox: bool | None = None
        """Whether bubblewrap works here; None until it was tried."""
        self._secret = secrets.token_bytes(32)
        self._gits: dict[int, GitRepo] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def git(self, repo: Repo) -> GitRepo:
        """The bare repository of `repo`; the same object each time, because it carries the write lock."""
        if repo.id not in self._gits:
            self._gits[repo.id] = GitRepo(self.git_path(repo.owner, repo.name))
        return self._gits[repo.id]

    def git_path(self, owner: str, name: str) -> Path:
        """Raises ValueError for names that are not GitHub's; so no path leaves the data directory."""
        if not (NAME.fullmatch(owner) and NAME.fullmatch(name)):
            raise ValueError(f"{owner}/{name} is no repository name: letters, digits, '.', '_' and '-' only")
        return self.data_dir / "git" / owner / f"{name}.git"

    def account(self, login: str) -> Account:
        """The account, made on the spot when it is not there (git authors, bots)."""
        found = self.store.find_account(login)
        if found is None:
            kind: Any = "Bot" if login.endswith("[bot]") else "User"
            found = self.store.save(Account(id=self.store.new_id(), login=login, type=kind, created_at=self.clock()))
        return found

    def repo(self, repo_id: int) -> Repo:
        """Raises LookupError when there is none."""
        found = self.store.find(Repo, repo_id)
        if found is None:
            raise LookupError(f"no repository with id {repo_id}")
        return found

    def drop_git(self, repo: Repo) -> None:
        self._gits.pop(repo.id, None)
        shutil.rmtree(self.git_path(repo.owner, repo.name), ignore_errors=True)

    def sign(self, text: str) -> str:
        """A key that shows that this server itself has handed out a URL. It does not survive a restart."""
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def emit(self, event: str, action: str | None, repo: Repo, payload: dict[str, Any]) -> None:
        """Tell the subscribers. One that fails is logged; the others are still told."""
        for subscriber in self.subscribers:
            try:
                subscriber(event, action, repo, payload)
            except Exception:
                log.exception("a subscriber failed on %s", event)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run in the background until done or the server stops. Failures are logged."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception:
            log.exception("background work failed")

    @property
    def is_idle(self) -> bool:
        """Whether no background work is left."""
        return not self._tasks

    async def idle(self) -> None:
        """Wait until no background work is left (tests)."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop_work(self) -> None:
        """Cancel background work and wait for its end."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        self.store.close()
