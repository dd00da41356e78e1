"""The book: what every run has spent, and what its calls under way may still cost. One SQLite file, one writer.

A reservation is on disk before the call goes out, and is settled when its usage is known. What is still reserved when the
book is opened belongs to calls that nobody will ever hear of again: they are charged their reserve. The sum of what is
spent and reserved for a run never goes beyond its limit at the moment of a reservation.
Used from one thread only (`book`); it knows no price and no HTTP.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from orch.gateway.money import usd
from orch.gateway.prices import Tokens
from orch.ports import Usage

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL,
    step TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('Reserved', 'Settled', 'Lost')),
    reserved INTEGER NOT NULL CHECK (reserved >= 0),    -- picodollars; 0 once the call is over
    cost INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0),  -- picodollars
    input INTEGER NOT NULL DEFAULT 0,
    output INTEGER NOT NULL DEFAULT 0,
    cache_read INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0,
    time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX call_of_run ON call (identity);
CREATE TABLE upload (
    identity TEXT NOT NULL,
    step TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (identity, step, digest)
);
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), writes INTEGER NOT NULL);
INSERT INTO probe VALUES (1, 0);
"""


class LedgerBusy(Exception):
    """Another gateway has this book open."""


@dataclass(frozen=True)
class Purpose:
    """What a call is for."""

    identity: str
    step: str
    model: str


@dataclass(frozen=True)
class Shortage:
    """A reservation that does not fit: all in picodollars."""

    spent: int
    reserved: int
    """By other calls of the run that are under way."""
    asked: int
    limit: int

    @property
    def is_final(self) -> bool:
        """Even when all calls under way turn out to be free, this one does not fit."""
        return self.spent + self.asked > self.limit


class Ledger:
    """An open book. Raises LedgerBusy if another process has it, sqlite3.Error if it cannot be written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(folder / "ledger.lock")
        self._db = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # WAL's default may lose the last reservations at a power cut
        self._migrate()
        self.charged_at_start = self._charge_outstanding()

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise sqlite3.DatabaseError(
                f"the book has version {version}, this release knows {_VERSION}: use a newer one"
            )
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        # no version of its own: a release that does not know it is not disturbed by it
        self._db.execute("CREATE INDEX IF NOT EXISTS upload_of_digest ON upload (digest)")

    def _charge_outstanding(self) -> int:
        charge = "UPDATE call SET state = 'Lost', cost = reserved, reserved = 0 WHERE state = 'Reserved'"
        return self._db.execute(charge).rowcount

    def reserve(self, purpose: Purpose, amount: int, *, limit: int) -> int | Shortage:
        """Reserve `amount` for a call; its id, or why not. Both in picodollars; `limit` is the whole run's."""
        with _Transaction(self._db):
            sums = "SELECT COALESCE(SUM(cost), 0), COALESCE(SUM(reserved), 0) FROM call WHERE identity = ?"
            spent, reserved = self._db.execute(sums, (purpose.identity,)).fetchone()
            if spent + reserved + amount > limit:
                return Shortage(spent, reserved, amount, limit)
            insert = "INSERT INTO call (identity, step, model, state, reserved) VALUES (?, ?, ?, 'Reserved', ?)"
            row = self._db.execute(insert, (purpose.identity, purpose.step, purpose.model, amount)).lastrowid
        if row is None:
            raise sqlite3.DatabaseError("the book gave no id")
        return row

    def settle(self, call: int, tokens: Tokens, cost: int) -> None:
        """The call is over and this is what it used. Settling twice changes nothing."""
        update = (
            "UPDATE call SET state = 'Settled', reserved = 0, cost = ?, input = ?, output = ?, cache_read = ?, "
            "cache_write = ? WHERE id = ? AND state = 'Reserved'"
        )
        counts = (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
        self._db.execute(update, (cost, *counts, call))

    def charge_reserve(self, call: int) -> None:
        """The call was sent and nobody knows what it used."""
        charge = "UPDATE call SET state = 'Lost', cost = reserved, reserved = 0 WHERE id = ? AND state = 'Reserved'"
        self._db.execute(charge, (call,))

    def release(self, call: int) -> None:
        """The call was not carried out: it leaves no trace."""
        self._db.execute("DELETE FROM call WHERE id = ? AND state = 'Reserved'", (call,))

    def usage(self, identity: str) -> Usage:
        """What a run has used; zeros for one that is not known. Calls under way count in `reserved_usd` alone."""
        sums = (
            "SELECT SUM(state != 'Reserved'), SUM(input), SUM(output), SUM(cache_read), SUM(cache_write), SUM(cost), "
            "SUM(reserved) FROM call WHERE identity = ?"
        )
        row = self._db.execute(sums, (identity,)).fetchone()
        calls, read, written, cache_read, cache_write, cost, reserved = (int(value or 0) for value in row)
        steps = self._db.execute("SELECT step, SUM(cost) FROM call WHERE identity = ? GROUP BY step", (identity,))
        by_step = {str(step): usd(cost) for step, cost in steps.fetchall()}
        return Usage(
            model_calls=calls,
            input_tokens=read,
            output_tokens=written,
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
            cost_usd=usd(cost),
            reserved_usd=usd(reserved),
            steps=by_step,
        )

    def reserved(self) -> int:
        """Picodollars that all calls under way may still cost."""
        return int(self._db.execute("SELECT COALESCE(SUM(reserved), 0) FROM call").fetchone()[0])

    def record_upload(self, identity: str, step: str, digest: str, size: int, *, limit: int) -> bool:
        """Note that a step has stored an artifact; False if all that it stored would be more than `limit` bytes."""
        with _Transaction(self._db):
            others = "SELECT COALESCE(SUM(size), 0) FROM upload WHERE identity = ? AND step = ? AND digest != ?"
            if self._db.execute(others, (identity, step, digest)).fetchone()[0] + size > limit:
                return False
            self._db.execute("INSERT OR IGNORE INTO upload VALUES (?, ?, ?, ?)", (identity, step, digest, size))
        return True

    def has_uploaded(self, identity: str, step: str, digest: str) -> bool:
        """Whether the step has stored this artifact itself."""
        select = "SELECT 1 FROM upload WHERE identity = ? AND step = ? AND digest = ?"
        return self._db.execute(select, (identity, step, digest)).fetchone() is not None

    def forget_uploads(self, digests: Sequence[str]) -> None:
        """Artifacts are gone from the store: so is who had stored them."""
        gone = "DELETE FROM upload WHERE digest IN (SELECT value FROM json_each(?))"
        self._db.execute(gone, (json.dumps(digests),))

    def prove_writable(self) -> None:
        """Write something. Raises sqlite3.Error."""
        self._db.execute("UPDATE probe SET writes = writes + 1")

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._db.close()
        self._lock.close()


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK on an error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> Self:
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("COMMIT" if error is None else "ROLLBACK")


def _lock(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise LedgerBusy(f"{path}: another gateway uses this folder; stop it, or give this one its own") from None
    return file
