"""What the stand-ins' journals and the cluster must show after crashes: each effect once, nothing lost. Money is `money`'s.

Used by the crash tests. The journals are the stand-ins' own: what orch believes to have done does not count here.
"""

from __future__ import annotations

import re
from typing import Any

from tests.chaos.attic import Attic
from tests.e2e.desk import BOT, Run
from tests.e2e.queues import events


def merged_once(run: Run) -> None:
    """The run ended merged, and everything that it did on GitHub and in the cluster is there once."""
    _done_once(run)
    assert _acted(run, "PUT", f"{run.pull_path()}/merge", 200) == 1


def queued_once(run: Run, *, held: bool) -> None:
    """The same, merged by the merge queue: it entered once, and if it was `held`, came out once and entered once more."""
    _done_once(run)
    assert run.merges() == []
    way = ["added_to_merge_queue", "removed_from_merge_queue"] * (2 if held else 1)
    assert events(run) == [*way, "merged", "closed"]
    assert run.status["pullRequest"]["queue"].get("removals", 0) == 0, "nothing was given back"


def _done_once(run: Run) -> None:
    assert run.condition("Succeeded")["reason"] == "Merged", run.status
    ended_once(run)
    branch = run.pulls()[0]["head"]["ref"]
    assert branch not in run.desk.refs(run.repository)
    assert _acted(run, "DELETE", f"/repos/{run.repository}/git/refs/heads/{branch}", 204) == 1


def ended_once(run: Run) -> None:
    """The one pull request of the run was merged, by whomever; that is told once and recorded once."""
    assert len(run.comments()) == 1, run.comments()
    (pull,) = run.pulls()
    assert pull["merged_at"], pull
    assert [point["spec"]["merge"]["sha"] for point in rollback_points(run)] == [pull["merge_commit_sha"]]
    names = [step["name"] for step in run.status["steps"]]
    assert len(names) == len(set(names)), names


def rollback_points(run: Run) -> list[dict[str, Any]]:
    """What the run left for a rollback."""
    return [point for point in run.desk.list("rollbackpoints") if point["spec"]["runRef"]["name"] == run.name]


def left_no_branch(run: Run) -> None:
    """A branch that never became a pull request was pushed, and deleted once."""
    assert run.pulls() == []
    branch = run.status["branch"]["name"]
    assert branch not in run.desk.refs(run.repository)
    assert _acted(run, "DELETE", f"/repos/{run.repository}/git/refs/heads/{branch}", 204) == 1


def shown_once(run: Run) -> None:
    """Each sign was written once: of the statuses of the head no two in a row say the same, the last is success, and the label
    that says that people are asked, if there was time for it, came and went."""
    (pull,) = run.pulls()
    head = pull["head"]["sha"]
    said = run.statuses()
    assert [entry["context"] for entry in said] == ["orch"] * len(said)
    texts = [(entry["state"], entry["description"]) for entry in said]
    assert texts[-1][0] == "success", texts
    assert len(set(texts)) == len(texts), texts
    assert _acted(run, "POST", f"/repos/{run.repository}/statuses/{head}", 201) == len(texts)
    issue = f"/repos/{run.repository}/issues/{run.number}"
    put = _acted(run, "POST", f"{issue}/labels", 200)
    assert put == _acted(run, "DELETE", f"{issue}/labels/orch/waiting", 200) <= 1, "a quick yes needs no label"
    assert run.labels() == {"orch"}


def pushed_once(runs: list[Run]) -> None:
    """Each of the runs, all of one repository, sent its branch once."""
    moved = [ref for entry in runs[0].pushes() for ref in entry["moved"]]
    assert len(moved) == len(set(moved)) == len(runs), moved


def rerun_once(runs: list[Run]) -> None:
    """The one check of each of the runs, all of one repository, was cancelled at first, and run again once."""
    path = f"^/repos/{runs[0].repository}/actions/jobs/[0-9]+/rerun$"
    orders = runs[0].desk.journal(method="POST", path=path, account=BOT)
    begun = [entry["path"] for entry in orders if entry["acted_status"] == 201]
    assert len(begun) == len(set(begun)) == len(runs), begun


def no_attempt_consumed(run: Run) -> None:
    """Crashes of ours are nobody's failed attempt."""
    attempts = {name: count for name, count in run.status["attempts"].items() if count}
    assert attempts == {"implement": 1}, run.status


def no_step_repeated(run: Run) -> None:
    """What was begun was found again: one step of each kind."""
    assert [step["state"] for step in run.status["steps"]] == ["Succeeded"] * 3, run.status["steps"]


def asked_once(run: Run, gate: str) -> None:
    """One question was asked at the gate, and its answer was used."""
    approvals = [a for a in run.desk.list("approvals", run=run.name) if a["spec"]["gate"] == gate]
    assert [a["status"]["outcome"] for a in approvals] == ["Approved"]
    assert approvals[0]["status"]["consumedTime"]


def told_once(attic: Attic, runs: list[Run]) -> None:
    """What the steps told while they worked is what they handed in at their end, from its beginning: nothing twice, no gaps."""
    ended = [(run, step) for run in runs for step in run.status["steps"] if "outputDigest" in step]
    told = [(attic.record(run, step), attic.transcript(step)) for run, step in ended]
    assert all(whole.startswith(record) for record, whole in told), told
    assert any(record == whole for record, whole in told), told


def ended_explained(run: Run) -> None:
    """The run ended without a merge, and people are told why: in the run, and on the issue, in the one comment."""
    failure = run.status["failure"]
    assert failure["reason"], failure
    assert failure["message"], failure
    (comment,) = run.comments()
    assert failure["reason"] in comment or failure["message"] in comment, comment
    assert len(run.pulls()) <= 1
    assert run.merges() == []


def _acted(run: Run, method: str, path: str, status: int) -> int:
    """How many requests to this path were carried out, whether or not the answer found anybody."""
    entries = run.desk.journal(method=method, path=f"^{re.escape(path)}$", account=BOT)
    return sum(entry["acted_status"] == status for entry in entries)
