"""Deterministic names of what we make outside and inside the cluster. Pure."""

from __future__ import annotations

import hashlib


def run_identity(*, installation: str, host: str, repository_id: int, issue: int, attempt: int) -> str:
    """16 hex digits that name a run's traces on GitHub. Free of uids: a restored cluster finds its own again."""
    text = f"{installation}\n{host}\n{repository_id}\n{issue}\n{attempt}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_name(repo: str, issue: int, attempt: int) -> str:
    """`<repo>-<issue>-<attempt>`: creating the same run twice meets AlreadyExists."""
    return f"{repo}-{issue}-{attempt}"


def step_place(identity: str, step: str) -> str:
    """What a runner knows a step by. Names of runs are unique in a namespace only, and one runner works for many."""
    return f"{step}-{identity}"


def branch_name(prefix: str, issue: int, identity: str) -> str:
    """`<prefix>issue-<n>-<identity[:8]>`."""
    return f"{prefix}issue-{issue}-{identity[:8]}"
