"""The seed: a YAML file (or the same as an object) that says what a new stand-in holds.

Who calls it: `server` at the start, the control API for single entries. What exists already is left as it is, so that
a restart with the same seed goes on with the data. Format (everything but the names is optional):

    settings: {checks: {workers: 2}, limits: {primary_per_hour: 5000}}     # see settings.Settings
    accounts:
      - {login: octo, name: Octo Cat, email: octo@example.com, type: User}   # type: User, Organization or Bot
    tokens:
      - {login: octo, value: ghp_octo, kind: classic, scopes: [repo, workflow]}
      - {login: bot, value: github_pat_bot, kind: fine_grained, repos: [octo/demo],
         permissions: {contents: write, issues: write, pull_requests: write, statuses: write}}
      - {login: "orch[bot]", value: ghs_app, kind: app, permissions: {contents: write, checks: write}}
    repos:
      - owner: octo
        name: demo
        from: ./project              # folder, or git repository; relative to the seed file; absent: empty repository
        private: false
        description: A demo
        default_branch: main
        collaborators: {bot: write}  # read, triage, write, maintain, admin
        labels: [{name: orch, color: "5319e7", description: For orch}]
        merge_methods: [merge, squash, rebase]
        delete_branch_on_merge: false
        checks: [{name: tests, command: "python -m pytest -q", env: {}, timeout: 600}]
        rules: [{branch: main, required_checks: [tests], required_reviews: 0, strict: false, kind: ruleset}]
        issues: [{title: It is broken, body: "…", user: octo, labels: [bug]}]
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import issues
from .records import ALL_METHODS, Account, BranchRule, CheckSpec, MergeMethod, Repo, Role, Token, TokenKind
from .repos import create_repo
from .settings import Settings
from .state import State

PREFIXES = {"classic": "ghp_", "fine_grained": "github_pat_", "app": "ghs_"}


class SeedError(Exception):
    """The seed cannot be used; the text says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class AccountSeed(_Part):
    login: str
    name: str | None = None
    email: str | None = None
    type: Literal["User", "Organization", "Bot"] = "User"
    site_admin: bool = False
    ssh_signing_keys: list[str] = Field(default_factory=list)


class TokenSeed(_Part):
    login: str
    value: str | None = None
    kind: TokenKind = "classic"
    scopes: list[str] = Field(default_factory=lambda: ["repo", "workflow"])
    permissions: dict[str, Literal["read", "write"]] = Field(default_factory=dict)
    repos: list[str] | None = None


class LabelSeed(_Part):
    name: str
    color: str = "ededed"
    description: str | None = None


class IssueSeed(_Part):
    title: str
    body: str | None = None
    user: str | None = None
    labels: list[str] = Field(default_factory=list)


class RepoSeed(_Part):
    owner: str
    name: str
    source: Path | None = Field(default=None, alias="from")
    private: bool = False
    description: str | None = None
    default_branch: str = "main"
    collaborators: dict[str, Role] = Field(default_factory=dict)
    labels: list[LabelSeed] = Field(default_factory=list)
    merge_methods: list[MergeMethod] = Field(default_factory=lambda: list(ALL_METHODS))
    delete_branch_on_merge: bool = False
    checks: list[CheckSpec] = Field(default_factory=list)
    rules: list[BranchRule] = Field(default_factory=list)
    issues: list[IssueSeed] = Field(default_factory=list)


class Seed(_Part):
    settings: Settings = Field(default_factory=Settings)
    accounts: list[AccountSeed] = Field(default_factory=list)
    tokens: list[TokenSeed] = Field(default_factory=list)
    repos: list[RepoSeed] = Field(default_factory=list)


def parse(data: Any, where: str = "seed") -> Seed:
    """Check an object. Raises SeedError that names the entry."""
    try:
        return Seed.model_validate(data or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise SeedError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def load(path: Path) -> Seed:
    """Read a seed file; its relative paths start at its folder. Raises SeedError."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SeedError(f"{path}: {error}") from None
    found = parse(data, str(path))
    for repo in found.repos:
        if repo.source is not None:
            repo.source = path.parent / repo.source
    return found


async def apply(state: State, seed: Seed) -> None:
    """Bring in what is not there yet."""
    for account in seed.accounts:
        add_account(state, account)
    for token in seed.tokens:
        add_token(state, token)
    for repo in seed.repos:
        if state.store.find_repo(repo.owner, repo.name) is None:
            await add_repo(state, repo)


def add_account(state: State, entry: AccountSeed) -> Account:
    """Make or change an account."""
    account = state.account(entry.login)
    for name, value in entry.model_dump(exclude={"login"}, exclude_unset=True).items():
        setattr(account, name, value)
    return state.store.save(account)


def add_token(state: State, entry: TokenSeed) -> Token:
    """Make a token, or replace the one with that value."""
    state.account(entry.login)
    value = entry.value or PREFIXES[entry.kind] + secrets.token_hex(20)
    known = state.store.find_token(value)
    fields = entry.model_dump(exclude={"value"})
    return state.store.save(Token(id=known.id if known else state.store.new_id(), value=value, **fields))


async def add_repo(state: State, entry: RepoSeed) -> Repo:
    fields = entry.model_dump(exclude={"owner", "name", "source", "labels", "issues"})
    repo = await create_repo(state, entry.owner, entry.name, source=entry.source, **fields)
    for label in entry.labels:
        row = issues.ensure_label(state, repo, label.name)
        row.color, row.description = label.color, label.description
        state.store.save(row)
    for issue in entry.issues:
        user = issue.user or entry.owner
        issues.open_issue(state, repo, user, issue.title, issue.body, labels=issue.labels)
    return repo
