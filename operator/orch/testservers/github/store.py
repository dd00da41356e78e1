"""Keeps the records: all of them in memory for reading, each written through to SQLite so that a restart goes on.

Who calls it: `state` and the services. It knows no rule of GitHub and never blocks for long: a write is one small
transaction without fsync (a stand-in may lose the last moment when the machine loses power, not when it is killed).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from .records import KINDS, Account, Comment, Event, Issue, Pull, Record, Repo, Review, ReviewComment, Token

R = TypeVar("R", bound=Record)
_ON_ISSUE = (Comment, Event, Review, ReviewComment)


class Store:
    """Records by kind, repository and id. Not thread-safe: it lives on the server's event loop."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at `path` and read everything in it."""
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, id INTEGER NOT NULL, json TEXT NOT NULL, "
            "PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )
        self._rows: dict[type[Record], dict[int, dict[int, Record]]] = {kind: defaultdict(dict) for kind in KINDS}
        self._repo_of: dict[tuple[type[Record], int], int] = {}
        self._threads: dict[tuple[type[Record], int, int], dict[int, Record]] = defaultdict(dict)
        self._issues: dict[tuple[int, int], Issue] = {}
        self._pulls: dict[tuple[int, int], Pull] = {}
        self._accounts: dict[str, Account] = {}
        self._repos: dict[str, Repo] = {}
        self._tokens: dict[str, Token] = {}
        self._last_id = 1000
        self._load()

    def _load(self) -> None:
        by_name = {kind.__name__: kind for kind in KINDS}
        for name, text in self._db.execute("SELECT kind, json FROM records ORDER BY id"):
            self._index(by_name[name].model_validate_json(text))

    def close(self) -> None:
        self._db.close()

    def new_id(self) -> int:
        """The next id; ids grow, so that order by id is order of creation."""
        self._last_id += 1
        return self._last_id

    def save(self, record: R) -> R:
        """Write `record` (new or changed) and return it."""
        self._index(record)
        self._db.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?)",
            (type(record).__name__, record.id, record.model_dump_json()),
        )
        return record

    def delete(self, record: Record) -> None:
        kind = type(record)
        self._rows[kind][record.repo_id].pop(record.id, None)
        self._repo_of.pop((kind, record.id), None)
        if isinstance(record, _ON_ISSUE):
            self._threads[kind, record.repo_id, record.number].pop(record.id, None)
        self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind.__name__, record.id))
        if isinstance(record, Token):
            self._tokens.pop(record.value, None)
        elif isinstance(record, Repo):
            self._repos.pop(record.full_name.lower(), None)

    def _index(self, record: Record) -> None:
        kind = type(record)
        self._last_id = max(self._last_id, record.id)
        self._rows[kind][record.repo_id][record.id] = record
        self._repo_of[kind, record.id] = record.repo_id
        if isinstance(record, _ON_ISSUE):
            self._threads[kind, record.repo_id, record.number][record.id] = record
        if isinstance(record, Issue):
            self._issues[record.repo_id, record.number] = record
        elif isinstance(record, Pull):
            self._pulls[record.repo_id, record.number] = record
        elif isinstance(record, Account):
            self._accounts[record.login.lower()] = record
        elif isinstance(record, Repo):
            self._repos[record.full_name.lower()] = record
        elif isinstance(record, Token):
            self._tokens[record.value] = record

    def find(self, kind: type[R], record_id: int) -> R | None:
        repo_id = self._repo_of.get((kind, record_id))
        if repo_id is None:
            return None
        record = self._rows[kind][repo_id][record_id]
        assert isinstance(record, kind)
        return record

    def of(self, kind: type[R], repo_id: int = 0) -> list[R]:
        """All of one kind in one repository, oldest first."""
        return list(self._rows[kind][repo_id].values())  # type: ignore[arg-type]

    def on(self, kind: type[R], repo_id: int, number: int) -> list[R]:
        """All of one kind on one issue or pull request, oldest first."""
        return list(self._threads[kind, repo_id, number].values())  # type: ignore[arg-type]

    def repos(self) -> Iterable[Repo]:
        return self._repos.values()

    def accounts(self) -> list[Account]:
        """All of them."""
        return list(self._accounts.values())

    def find_account(self, login: str) -> Account | None:
        return self._accounts.get(login.lower())

    def find_repo(self, owner: str, name: str) -> Repo | None:
        return self._repos.get(f"{owner}/{name}".lower())

    def find_token(self, value: str) -> Token | None:
        return self._tokens.get(value)

    def find_issue(self, repo_id: int, number: int) -> Issue | None:
        return self._issues.get((repo_id, number))

    def find_pull(self, repo_id: int, number: int) -> Pull | None:
        return self._pulls.get((repo_id, number))
