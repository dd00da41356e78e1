"""Commits, diffs, refs and contents as JSON."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from ..gitrepo import Commit, FileDiff, Person, TreeEntry
from ..records import Account, Repo
from .users import simple_user
from .view import View, node_id, stamp

NOREPLY = "users.noreply.github.com"
UNVERIFIED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def noreply(account: Account) -> str:
    """The address that GitHub puts into commits it makes for an account that keeps its own private."""
    return account.email or f"{account.id}+{account.login}@{NOREPLY}"


def git_person(person: Person) -> dict[str, Any]:
    return {"name": person.name, "email": person.email, "date": stamp(person.date)}


def commit(view: View, repo: Repo, row: Commit) -> dict[str, Any]:
    """GitHub's `commit` without `stats` and `files`."""
    url = view.api(f"/repos/{repo.full_name}/commits/{row.sha}")
    git_url = view.api(f"/repos/{repo.full_name}/git/commits/{row.sha}")
    return {
        "sha": row.sha,
        "node_id": node_id("Commit", repo.id, row.sha),
        "commit": {
            "author": git_person(row.author),
            "committer": git_person(row.committer),
            "message": row.message,
            "tree": {"sha": row.tree, "url": view.api(f"/repos/{repo.full_name}/git/trees/{row.tree}")},
            "url": git_url,
            "comment_count": 0,
            "verification": dict(UNVERIFIED),
        },
        "url": url,
        "html_url": view.html(f"/{repo.full_name}/commit/{row.sha}"),
        "comments_url": f"{url}/comments",
        "author": find_user(view, row.author.email),
        "committer": find_user(view, row.committer.email),
        "parents": [_parent(view, repo, sha) for sha in row.parents],
    }


def full_commit(view: View, repo: Repo, row: Commit, files: list[FileDiff]) -> dict[str, Any]:
    additions, deletions = sum(f.additions for f in files), sum(f.deletions for f in files)
    return commit(view, repo, row) | {
        "stats": {"total": additions + deletions, "additions": additions, "deletions": deletions},
        "files": [diff_entry(view, repo, row.sha, f) for f in files],
    }


def git_commit(view: View, repo: Repo, row: Commit) -> dict[str, Any]:
    """The Git database's form of a commit, also the timeline's."""
    url = view.api(f"/repos/{repo.full_name}/git/commits/{row.sha}")
    return {
        "sha": row.sha,
        "node_id": node_id("Commit", repo.id, row.sha),
        "url": url,
        "html_url": view.html(f"/{repo.full_name}/commit/{row.sha}"),
        "author": git_person(row.author),
        "committer": git_person(row.committer),
        "tree": {"sha": row.tree, "url": view.api(f"/repos/{repo.full_name}/git/trees/{row.tree}")},
        "message": row.message,
        "parents": [
            {
                "sha": sha,
                "url": view.api(f"/repos/{repo.full_name}/git/commits/{sha}"),
                "html_url": view.html(f"/{repo.full_name}/commit/{sha}"),
            }
            for sha in row.parents
        ],
        "verification": dict(UNVERIFIED),
    }


def _parent(view: View, repo: Repo, sha: str) -> dict[str, Any]:
    return {
        "sha": sha,
        "url": view.api(f"/repos/{repo.full_name}/commits/{sha}"),
        "html_url": view.html(f"/{repo.full_name}/commit/{sha}"),
    }


def find_user(view: View, email: str) -> dict[str, Any] | None:
    """The account that a commit's address belongs to, None when it is nobody's."""
    for account in view.state.store.of(Account):
        if email and email in (account.email, noreply(account), f"{account.login}@{NOREPLY}"):
            return simple_user(view, account.login)
    return None


def diff_entry(view: View, repo: Repo, sha: str, row: FileDiff) -> dict[str, Any]:
    path, html = quote(row.path), view.html(f"/{repo.full_name}")
    body: dict[str, Any] = {
        "sha": row.sha,
        "filename": row.path,
        "status": row.status,
        "additions": row.additions,
        "deletions": row.deletions,
        "changes": row.additions + row.deletions,
        "blob_url": f"{html}/blob/{sha}/{path}",
        "raw_url": f"{html}/raw/{sha}/{path}",
        "contents_url": view.api(f"/repos/{repo.full_name}/contents/{path}?ref={sha}"),
    }
    if row.patch is not None:
        body["patch"] = row.patch
    if row.previous is not None:
        body["previous_filename"] = row.previous
    return body


def git_ref(view: View, repo: Repo, ref: str, sha: str, kind: str = "commit") -> dict[str, Any]:
    return {
        "ref": ref,
        "node_id": node_id("Ref", repo.id, ref),
        "url": view.api(f"/repos/{repo.full_name}/git/{quote(ref)}"),
        "object": {"sha": sha, "type": kind, "url": view.api(f"/repos/{repo.full_name}/git/{kind}s/{sha}")},
    }


_ENTRY_TYPES = {"tree": "dir", "blob": "file", "commit": "submodule"}


def content_entry(view: View, repo: Repo, ref: str, row: TreeEntry) -> dict[str, Any]:
    """A member of a directory listing; the base of a file's own answer."""
    kind = "symlink" if row.mode == "120000" else _ENTRY_TYPES[row.type]
    path = quote(row.path, errors="surrogateescape")
    url = view.api(f"/repos/{repo.full_name}/contents/{path}?ref={quote(ref)}")
    git = view.api(f"/repos/{repo.full_name}/git/{'trees' if kind == 'dir' else 'blobs'}/{row.sha}")
    html = view.html(f"/{repo.full_name}/{'tree' if kind == 'dir' else 'blob'}/{quote(ref)}/{path}")
    raw = view.html(f"/{repo.full_name}/raw/{quote(ref)}/{path}")
    name = row.path.encode(errors="surrogateescape").decode(errors="replace")
    return {
        "name": name.rsplit("/", 1)[-1],
        "path": name,
        "sha": row.sha,
        "size": row.size or 0,
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": raw if kind in ("file", "symlink") else None,
        "type": "file" if kind == "submodule" else kind,
        "_links": {"self": url, "git": git, "html": html},
    }


def content_file(view: View, repo: Repo, ref: str, row: TreeEntry, data: bytes) -> dict[str, Any]:
    body = content_entry(view, repo, ref, row)
    if body["type"] == "symlink":
        return body | {"target": data.decode(errors="replace")}
    return body | {"content": encoded(data), "encoding": "base64"}


def encoded(data: bytes) -> str:
    """Base64 in lines of 60 characters, as GitHub sends it."""
    text = base64.b64encode(data).decode()
    return "".join(text[i : i + 60] + "\n" for i in range(0, len(text), 60))
