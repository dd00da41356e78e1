"""Finding what a person named: a repository by its name or `owner/name`, an issue's runs. Called by verbs; only reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo, RollbackPoint
from orch.cli.options import WRONG_USE, Failure, Which
from orch.kube.client import Kube
from orch.kube.store import Store

_ISSUE = re.compile(r"(?P<repo>[^#\s]+)#(?P<number>[0-9]{1,10})", re.ASCII)
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_MOST = 2_147_483_647


def split_issue(text: str, number: int | None) -> tuple[str, int] | None:
    """`("acme/web", 12)` from `acme/web#12`, or from the text and the number; None without a number. Raises Failure."""
    match = _ISSUE.fullmatch(text)
    if match and number is not None:
        raise Failure(f"{text} already names an issue: leave {number} out", code=WRONG_USE)
    repo, found = (match["repo"], int(match["number"])) if match else (text, number)
    if found is None:
        return None
    if not 1 <= found <= _MOST:
        raise Failure(f"{found} is no number of an issue: it is from 1 to {_MOST}", code=WRONG_USE)
    return repo, found


async def get_repo(kube: Kube, namespace: str, repo: str) -> OrchestratedRepo:
    """The OrchestratedRepo of this name or repository. Raises Failure when there is none, or more than one."""
    store = Store(kube, OrchestratedRepo)
    if "/" not in repo:
        found = await store.find(namespace, repo) if _OBJECT.fullmatch(repo) else None
        if found is None:
            raise Failure(f"no OrchestratedRepo {repo!r} in namespace {namespace!r}: see `kubectl get orepo -A`")
        return found
    same = [one for one in await store.list(namespace) if one.spec.repository.casefold() == repo.casefold()]
    if not same:
        raise Failure(f"no OrchestratedRepo for {repo!r} in namespace {namespace!r}: kubectl orch init {repo}")
    if len(same) > 1:
        names = ", ".join(sorted(one.metadata.name for one in same))
        raise Failure(f"several OrchestratedRepos have {repo!r}: name one of {names}", code=WRONG_USE)
    return same[0]


async def get_repos(kube: Kube, namespace: str, which: Which) -> list[OrchestratedRepo]:
    """Those that are meant, by namespace and name. Raises Failure for a name without an object, or with labels beside it."""
    if which.repo is not None and which.labels is not None:
        raise Failure(f"name {which.repo} or say -l {which.labels}, not both", code=WRONG_USE)
    if which.repo is not None:
        return [await get_repo(kube, namespace, which.repo)]
    found = await Store(kube, OrchestratedRepo).list(which.where(namespace), labels=which.labels or "")
    return sorted(found, key=lambda repo: (repo.metadata.namespace or "", repo.metadata.name))


Owned = IssueRun | Approval | RollbackPoint


def is_of(thing: Owned, repos: Iterable[OrchestratedRepo]) -> bool:
    """Whether it belongs to one of them."""
    named = (thing.metadata.namespace, thing.spec.repository_ref.name)
    return any(named == (repo.metadata.namespace, repo.metadata.name) for repo in repos)


async def runs_of(kube: Kube, repo: OrchestratedRepo, issue: int) -> list[IssueRun]:
    """All runs of an issue, first attempt first. Not by labels: a run just made from YAML has none yet."""
    runs = await Store(kube, IssueRun).list(repo.metadata.namespace)
    ours = [r for r in runs if r.spec.repository_ref.name == repo.metadata.name and r.spec.issue_number == issue]
    return sorted(ours, key=lambda run: run.spec.attempt)


async def get_run(kube: Kube, namespace: str, name: str) -> IssueRun:
    """The IssueRun of this name. Raises Failure, which says how to name an issue where a repository was named."""
    found = await Store(kube, IssueRun).find(namespace, name) if _OBJECT.fullmatch(name) else None
    if found is not None:
        return found
    if "/" in name or await Store(kube, OrchestratedRepo).find(namespace, name) is not None:
        raise Failure(f"which issue of {name}? Add --issue N, or name it as owner/name#N", code=WRONG_USE)
    raise Failure(f"no IssueRun {name!r} in namespace {namespace!r}: see `kubectl get irun`")


async def get_target(kube: Kube, namespace: str, name: str) -> OrchestratedRepo | IssueRun:
    """The OrchestratedRepo of this name or repository, else the IssueRun of this name. Raises Failure."""
    if "/" not in name:
        repo = await Store(kube, OrchestratedRepo).find(namespace, name) if _OBJECT.fullmatch(name) else None
        run = await Store(kube, IssueRun).find(namespace, name) if repo is None and _OBJECT.fullmatch(name) else None
        if found := repo or run:
            return found
        raise Failure(f"no OrchestratedRepo or IssueRun {name!r} in namespace {namespace!r}: kubectl get orepo,irun")
    return await get_repo(kube, namespace, name)


async def get_approval(kube: Kube, namespace: str, name: str) -> Approval:
    """The Approval of this name. Raises Failure."""
    found = await Store(kube, Approval).find(namespace, name) if _OBJECT.fullmatch(name) else None
    if found is None:
        raise Failure(f"no Approval {name!r} in namespace {namespace!r}: see `kubectl orch approvals list`")
    return found
