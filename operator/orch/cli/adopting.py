"""`resume RUN --adopt`: a person has a run go on with what somebody else has pushed to its branch. Called by `orch.cli.verbs.steer`.

Shown is what the operator has found there, and asked for is exactly that commit: what is pushed meanwhile is not adopted. Whether
the guards let it through is the operator's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from orch.api.v1alpha1 import IssueRun, TheirHead
from orch.api.v1alpha1.types import format_time
from orch.cli.asking import confirm
from orch.cli.changes import Report, change, shown
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_run
from orch.cli.options import WRONG_USE, Failure, Form, Place
from orch.cli.output import say, warn
from orch.cli.steering import Many
from orch.cli.whoami import whoami
from orch.kube.client import Kube


def adopt(place: Place, names: list[str], many: Many, *, sure: bool, output: Form | None = None) -> int:
    """Show what is on the branch, ask, and set `spec.adopt`; a run that was paused goes on. Raises Failure."""
    if len(names) != 1 or many.is_meant or many.everywhere:
        raise Failure(
            "--adopt is for one run, whose commits you look at: kubectl orch resume RUN --adopt", code=WRONG_USE
        )
    name = names[0]

    async def session(kube: Kube, namespace: str) -> int:
        run = await get_run(kube, namespace, name)
        theirs = _get_theirs(run)
        for line in _view(run, theirs):
            (say if output is None else warn)(line)
        question = f"Have {name} go on with {theirs.head_sha[:12]}?"
        confirm(question, sure=sure, output=output, declined="nothing was adopted")
        asked = {
            "username": (await whoami(kube)).username,
            "headSHA": theirs.head_sha,
            "time": format_time(datetime.now(UTC)),
        }
        changed = await change(kube, run, {"adopt": asked, "suspend": None})
        then = "once the guards have judged it, and people are asked anew where policy asks them"
        Report(output).tell(run, f"{shown(run)} goes on with {theirs.head_sha[:12]}, {then}", changed)
        return 0

    return on_cluster(session, place)


def _get_theirs(run: IssueRun) -> TheirHead:
    """What is there to be adopted. Raises Failure."""
    name, branch = run.metadata.name, run.status.branch
    if run.status.completion_time is not None:
        raise Failure(f"{name} has ended: there is nothing to resume")
    if branch is None or not branch.taken_over:
        raise Failure(
            f"nobody but orch has pushed to the branch of {name}, as far as it has seen: kubectl orch explain {name}"
        )
    if branch.theirs is None:
        raise Failure(f"orch has not looked yet at what is on the branch of {name}: try again in a minute")
    return branch.theirs


def _view(run: IssueRun, theirs: TheirHead) -> Iterator[str]:
    """What is about to be adopted. Authors and subjects are what the commits say of themselves."""
    branch, pull = run.status.branch, run.status.pull_request
    yield f"branch {branch.name if branch else ''} is at {theirs.head_sha}{f' ({pull.url})' if pull and pull.url else ''}"
    for commit in theirs.commits:
        yield f"  {commit.sha[:12]} {commit.subject} ({commit.author})"
    if theirs.commits_omitted:
        yield f"  and {theirs.commits_omitted} more commits"
    if theirs.files is None:
        yield "orch could not read what they change: look at it on the host first"
    else:
        yield f"against what orch had put there: {theirs.files} files, +{theirs.additions or 0} -{theirs.deletions or 0}"
