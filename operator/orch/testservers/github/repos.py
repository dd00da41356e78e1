"""Making repositories: from nothing, from a folder, from a bare repository, as a fork.

Who calls it: the seed, the control API, the forks route.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from .errors import ApiError
from .gitrepo import GitError, run_git
from .issues import ensure_label
from .pulls import person
from .records import Repo
from .state import State

DEFAULT_LABELS = (
    ("bug", "d73a4a", "Something isn't working"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("duplicate", "cfd3d7", "This issue or pull request already exists"),
    ("enhancement", "a2eeef", "New feature or request"),
    ("good first issue", "7057ff", "Good for newcomers"),
    ("help wanted", "008672", "Extra attention is needed"),
    ("invalid", "e4e669", "This doesn't seem right"),
    ("question", "d876e3", "Further information is requested"),
    ("wontfix", "ffffff", "This will not be worked on"),
)
"""What GitHub gives to each new repository."""


async def create_repo(state: State, owner: str, name: str, *, source: Path | None = None, **fields: Any) -> Repo:
    """Make a repository. `source` is a folder (one commit of its files), a git repository (all its branches and tags),
    or
    None (empty). Raises ApiError 422 for a bad or taken name, FileNotFoundError for a missing source."""
    try:
        path = state.git_path(owner, name)
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    if state.store.find_repo(owner, name) is not None:
        raise ApiError(422, f"{owner}/{name} exists already")
    folder = _folder(source) if source is not None else None
    now = state.clock()
    state.account(owner)
    repo = Repo(
        id=state.store.new_id(), owner=owner, name=name, created_at=now, updated_at=now, pushed_at=now, **fields
    )
    for login in repo.collaborators:
        state.account(login)
    shutil.rmtree(path, ignore_errors=True)
    git = state.git(repo)
    await git.create(repo.default_branch)
    if folder is not None:
        await _fill(state, repo, folder)
    state.store.save(repo)
    for label, color, description in DEFAULT_LABELS:
        row = ensure_label(state, repo, label, color, description)
        row.default = True
        state.store.save(row)
    return repo


def _folder(source: Path) -> Path:
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is no directory: name a folder of files or a git repository")
    return source.resolve()


def _is_git(folder: Path) -> bool:
    return (folder / ".git").exists() or (folder / "HEAD").is_file()


async def _fill(state: State, repo: Repo, source: Path) -> None:
    git = state.git(repo)
    if _is_git(source):
        await git.git("fetch", "--quiet", str(source), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        branches = await git.refs("refs/heads")
        if branches and f"refs/heads/{repo.default_branch}" not in branches:
            repo.default_branch = next(iter(branches)).removeprefix("refs/heads/")
            await git.git("symbolic-ref", "HEAD", f"refs/heads/{repo.default_branch}")
        return
    index = git.path / "seed.index"
    try:
        add = ("-c", "core.autocrlf=false", "add", "--all", "--force", ".")
        places = (f"--git-dir={git.path}", f"--work-tree={source}")
        code, _, err = await run_git(*places, *add, cwd=source, env={"GIT_INDEX_FILE": str(index)})
        if code != 0:
            raise GitError(err.decode(errors="replace"))
        tree = await git.text("write-tree", env={"GIT_INDEX_FILE": str(index)})
    finally:
        index.unlink(missing_ok=True)
    who = person(state, repo.owner)
    sha = await git.commit_tree(tree, [], "Initial commit\n", who, who)
    await git.update_ref(f"refs/heads/{repo.default_branch}", sha)


async def fork(state: State, repo: Repo, owner: str, name: str | None = None) -> Repo:
    """Fork for `owner`; a fork that exists is given back, as on GitHub."""
    for other in state.store.repos():
        if other.owner == owner and other.fork_of == repo.id:
            return other
    return await create_repo(
        state,
        owner,
        name or repo.name,
        source=state.git(repo).path,
        private=repo.private,
        description=repo.description,
        default_branch=repo.default_branch,
        fork_of=repo.id,
    )
