"""Real packages with an old bug each: a labelled issue becomes a merged pull request, and every effect happens once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hack.projects import ALL, Project, get_project, prepare, seed
from hack.projects.seed import repo_entry
from tests.e2e.desk import BOT, Desk, Run

_PUSHES = {"parse": 1, "sqlparse": 1, "isodate": 2}
"""isodate's first change is green here and red in the repository's own checks, so a fix is pushed."""
_QUOTA = {"parse": 25, "sqlparse": 25, "isodate": 30}
"""Requests that count against GitHub's limit, from the label to the merge. A red check, its log and a second push cost more."""
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def runs(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All projects side by side in one world, each with its issue labelled and, where people are asked, approved."""
    folder = tmp_path_factory.mktemp("projects")
    entries = [
        repo_entry(project.repository, prepare(project.name, folder / project.name), project.checks) for project in ALL
    ]
    desk = open_desk(seed(entries), [project.script for project in ALL])
    for project in ALL:
        desk.watch(project.name, project.repository, **project.spec)
    begun = {
        project.name: desk.start(project.name, project.repository, project.issue_title, project.issue_body)
        for project in ALL
    }
    for run in begun.values():
        desk.decide(run.approval("Merge"), "Approve")
    for run in begun.values():
        run.ends()
    return begun


@pytest.mark.parametrize("name", [project.name for project in ALL])
def test_merged_once_and_recorded(runs: dict[str, Run], name: str, tmp_path: Path) -> None:
    run, project = runs[name], get_project(name)
    status, desk = run.status, run.desk
    assert run.condition("Succeeded")["status"] == "True", status
    assert run.condition("Succeeded")["reason"] == "Merged"
    assert len(json.dumps(status)) < 32 * 1024

    [pull] = run.pulls()
    assert pull["merged_at"] is not None
    assert len(run.merges()) == 1
    assert len(run.pushes()) == _PUSHES[name]
    assert pull["head"]["ref"] not in desk.refs(project.repository)
    [comment] = run.comments()
    assert pull["merge_commit_sha"] in comment
    issue = desk.maintainer.ask("GET", f"/repos/{project.repository}/issues/{run.number}")
    assert issue["state"] == "closed"

    merge = desk.get("rollbackpoints", status["rollbackPointRef"]["name"])["spec"]["merge"]
    checkout = _clone(desk, project, tmp_path / "merged")
    assert merge["sha"] == pull["merge_commit_sha"] == _git(checkout, "rev-parse", "HEAD")
    assert merge["parentSHA"] == _git(checkout, "rev-parse", "HEAD^")
    _own_checks_are_green(project, checkout)


@pytest.mark.parametrize("name", [project.name for project in ALL])
def test_costs_little_quota(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    prefix = f"/repos/{run.repository}"
    entries = [entry for entry in run.desk.journal(account=BOT) if entry["path"].startswith(prefix)]
    labelled = next(
        entry["seq"]
        for entry in run.desk.journal(method="POST")
        if entry["path"] == f"{prefix}/issues/{run.number}/labels"
    )
    [merged] = run.merges()
    counted = [
        f"{entry['method']} {entry['path']}"
        for entry in entries
        if labelled < entry["seq"] <= merged["seq"] and entry["status"] != 304
    ]
    # how often the repository is polled, and a commit's checks while they run, is the machine's doing, not the run's: one look counts
    polls = {f"GET {prefix}", f"GET {prefix}/issues"}
    looks = [request for request in counted if request in polls or request.endswith("/check-runs")]
    cost = len(counted) - len(looks) + len(set(looks))
    assert cost <= _QUOTA[name], f"{cost} requests: {counted}"


def test_people_see_its_way(runs: dict[str, Run]) -> None:
    run = runs["parse"]
    about = ["--field-selector", f"involvedObject.name={run.name}", "-n", run.desk.namespace]
    told = run.desk.world.kubectl("get", "events", *about, "-o", "jsonpath={.items[*].reason}").split()
    assert {"ApprovalRequested", "ApprovalApproved", "PullRequestOpened", "Merged"} <= set(told)
    assert len(told) == len(set(told))
    world = run.desk.world
    orch = [Path(sys.executable).with_name("kubectl-orch"), "logs", run.name, "-n", run.desk.namespace]
    options = ["--kubeconfig", str(world.kubeconfig), "--gateway", world.gateway_url]
    said = subprocess.run([*orch, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert said.returncode == 0, said.stderr
    assert get_project("parse").spec["pipeline"]["test"][0] in said.stdout


def _clone(desk: Desk, project: Project, folder: Path) -> Path:
    subprocess.run(
        ["git", "clone", "--quiet", f"{desk.world.github_url}/{project.repository}.git", folder], check=True, timeout=60
    )
    return folder


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, timeout=60, capture_output=True, text=True)
    return done.stdout.strip()


def _own_checks_are_green(project: Project, folder: Path) -> None:
    for check in project.checks:
        done = subprocess.run(
            ["sh", "-c", check["command"]],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **check.get("env", {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
