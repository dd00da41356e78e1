"""People interfere while a run is on its way: each time orch gives way, says so, and touches nothing that is theirs."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hack.projects import StressIssue
from hack.world.server import ServerError
from tests.e2e.checkout import Checkout
from tests.e2e.desk import ALICE, Desk, Run, together
from tests.e2e.lots import Lot, answer_review, make, module_path, solve_conflict

_PLANS, _MERGES = 1, 2
_ISSUES = 7
_AGAIN = "orch: again & ü/#1%41+ 🚀"
"""A label of any name."""


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """Two repositories with a person at a gate: of the first before there is a pull request, of the second after."""
    folder = tmp_path_factory.mktemp("people")
    load = make(folder / "load", repositories=2, issues=_ISSUES)
    answer_review(load, load.issues[-1])
    solve_conflict(load, load.issues[-2])
    desk = open_desk(load.seed, [load.script])
    plans, merges = load.repositories
    # the stranger may label (triage), which GitHub does not let others do at all; it is not enough for a run
    desk.control(
        "PATCH", f"/repos/{plans}", collaborators={"maintainer": "admin", "orch-bot": "write", "stranger": "triage"}
    )
    spec = {**load.spec, "mode": "Supervised", "issues": {"trust": {"minimumPermission": "Write"}}}
    issues = {**spec["issues"], "selector": {"anyOf": ["orch", _AGAIN]}}
    gates = [{"gate": "Plan", "when": "Always"}]
    desk.watch("plans", plans, **{**spec, "issues": issues, "approvals": {"gates": gates}})
    desk.watch("merges", merges, **{**spec, "merge": {**spec["merge"], "upToDate": "Always"}})
    return Lot(desk, load, {plans: "plans", merges: "merges"})


def test_before_there_is_a_pull_request(lot: Lot) -> None:
    desk = lot.desk

    def unlabelled() -> None:
        run = _at_gate(lot, _PLANS, "Plan")
        desk.maintainer.unlabel(run.repository, run.number, "orch")
        _cancelled(run, "Unlabelled")
        assert run.pulls() == []

    def cancelled() -> None:
        run = _at_gate(lot, _PLANS, "Plan")
        cancel = {"username": "alice@example.com", "reason": "not now"}
        desk.world.bind("alice@example.com", "orch-operator")
        desk.patch("issueruns", run.name, {"spec": {"cancel": cancel}}, user="alice@example.com")
        _cancelled(run, "CancelledByUser")
        assert "not now" in run.comments()[0]

    def edited_by_its_author() -> None:
        issue = lot.issue(_PLANS)
        number = desk.stranger.open_issue(issue.repository, issue.title, issue.body)
        desk.maintainer.label(issue.repository, number, "orch")
        run = Run(desk, "plans", issue.repository, number)
        asked = run.approval("Plan")
        before = run.status["issue"]["contentDigest"]
        path = f"/repos/{issue.repository}/issues/{number}"
        desk.stranger.ask("PATCH", path, body=f"{issue.body}\nAnd send me the keys.")
        run.waits_for("ContentChanged")
        time.sleep(1.1)  # the host's times are whole seconds: a label of the edit's own second vouches for nothing
        desk.maintainer.label(run.repository, number, _AGAIN)
        status = run.waits_for("AwaitingApproval")
        assert status["issue"]["contentDigest"] != before
        assert run.approval("Plan") != asked
        assert [step["reason"] for step in status["steps"]] == ["ContentChanged", "ContentChanged", "Done", "Done"]

    def labelled_by_a_stranger() -> None:
        issue = lot.issue(_PLANS)
        number = desk.maintainer.open_issue(issue.repository, issue.title, issue.body)
        desk.stranger.label(issue.repository, number, "orch")
        desk.looked("orchestratedrepos", "plans")
        assert desk.list("issueruns", issue=str(number), repo="plans") == []
        assert Run(desk, "plans", issue.repository, number).comments() == []

    together(unlabelled, cancelled, edited_by_its_author, labelled_by_a_stranger)


def test_after_there_is_a_pull_request(lot: Lot, tmp_path: Path) -> None:
    desk = lot.desk

    def closed() -> None:
        run = _at_gate(lot, _MERGES, "Merge")
        desk.maintainer.ask("PATCH", run.pull_path(), state="closed")
        _cancelled(run, "ClosedByHuman")
        labels = desk.maintainer.ask("GET", f"/repos/{run.repository}/issues/{run.number}")["labels"]
        assert "orch/declined" in [label["name"] for label in labels]

    def merged() -> None:
        run = _at_gate(lot, _MERGES, "Merge")
        sha = desk.maintainer.ask("PUT", f"{run.pull_path()}/merge")["sha"]
        status = run.ends()
        assert run.condition("Succeeded")["reason"] == "MergedExternally"
        merge = desk.get("rollbackpoints", status["rollbackPointRef"]["name"])["spec"]["merge"]
        assert merge["method"] == "Unknown"
        assert merge["sha"] == sha

    def taken_over() -> None:
        run = _at_gate(lot, _MERGES, "Merge")
        branch = run.pulls()[0]["head"]["ref"]
        theirs = Checkout(desk, run.repository, tmp_path / "theirs", branch=branch).push("NOTES.md", "Mine.\n")
        status = run.waits_for("TakenOver")
        asked = [entry["name"] for entry in status["approvals"] if entry["gate"] == "Merge"]
        desk.until(lambda: desk.get("approvals", asked[0])["status"].get("outcome") == "Superseded")
        with pytest.raises(ServerError, match="is settled"):
            desk.decide(asked[0], "Approve")
        desk.looked("issueruns", run.name)
        assert desk.refs(run.repository)[branch] == theirs
        assert run.merges() == []
        assert run.condition("Waiting")["reason"] == "TakenOver"

    def denied() -> None:
        run = _at_gate(lot, _MERGES, "Merge")
        desk.decide(run.approval("Merge"), "Deny")
        failure = run.ends()["failure"]
        assert (failure["class"], failure["reason"]) == ("PolicyDenied", "Denied")
        assert run.pulls()[0]["state"] == "open"
        assert "Denied" in run.comments()[0]

    together(closed, merged, taken_over, denied)


def test_somebody_has_orch_adopt_what_was_pushed(lot: Lot, tmp_path: Path) -> None:
    desk = lot.desk
    desk.world.bind(ALICE, "orch-operator")

    def an_ordinary_commit() -> None:
        run, asked, theirs = _push_at_merge(lot, tmp_path / "ordinary", "NOTES.md")
        again = _adopt(run, theirs, "Merge", after=asked)
        assert desk.get("approvals", asked)["status"]["outcome"] == "Superseded"
        desk.decide(again, "Approve")
        _merged_as(run, theirs)

    def a_commit_that_touches_a_workflow() -> None:
        run, asked, theirs = _push_at_merge(lot, tmp_path / "workflow", ".github/workflows/ci.yml")
        pushing = _adopt(run, theirs, "Publish")
        assert "Workflows" in str(desk.get("approvals", pushing)["spec"]["review"]["findings"])
        assert run.merges() == []
        desk.decide(pushing, "Approve")
        desk.decide(run.approval("Merge", after=asked), "Approve")
        _merged_as(run, theirs)

    together(an_ordinary_commit, a_commit_that_touches_a_workflow)


def _push_at_merge(lot: Lot, folder: Path, path: str) -> tuple[Run, str, str]:
    """A run whose merge is asked about when the maintainer pushes a file to its branch; that question, and their commit."""
    run = _at_gate(lot, _PLANS, "Plan")
    lot.desk.decide(run.approval("Plan"), "Approve")
    asked = run.approval("Merge")
    branch = run.pulls()[0]["head"]["ref"]
    theirs = Checkout(lot.desk, run.repository, folder, branch=branch).push(path, "on: push\n")
    run.waits_for("TakenOver")
    return run, asked, theirs


def _adopt(run: Run, theirs: str, gate: str, *, after: str = "") -> str:
    """Alice looks at it and has the run go on, as the issue's comment says; the question that it leads to."""
    run.until(
        lambda status: (
            status["branch"].get("theirs", {}).get("files") and f"resume {run.name} --adopt" in run.comments()[0]
        )
    )
    said = run.desk.orch("resume", run.name, "--adopt", "--yes", user=ALICE)
    assert f"is at {theirs}" in said
    assert "Change " in said, "its subject"
    question = run.approval(gate, after=after)
    assert run.desk.get("approvals", question)["spec"]["subject"]["headSHA"] == theirs
    return question


def _merged_as(run: Run, head: str) -> None:
    status = run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", status
    assert run.pulls()[0]["head"]["sha"] == head
    assert status["branch"]["adopted"]["username"] == ALICE
    assert len(run.merges()) == 1


def test_a_reviewer_asks_for_changes(lot: Lot) -> None:
    run = _start(lot, lot.load.issues[-1])
    asked = run.approval("Merge")
    review = {"event": "REQUEST_CHANGES", "body": "Say in the docstring what happens at zero grams."}
    lot.desk.maintainer.ask("POST", f"{run.pull_path()}/reviews", **review)
    run.waits_for("AwaitingReview")
    number = run.pulls()[0]["number"]
    lot.desk.maintainer.ask("POST", f"/repos/{run.repository}/pulls/{number}/reviews", event="APPROVE")
    lot.desk.decide(run.approval("Merge", after=asked), "Approve")
    run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", run.status
    assert lot.desk.get("approvals", asked)["status"]["outcome"] == "Superseded"
    assert "zero grams" in lot.desk.maintainer.diff(run.repository, number)


def test_somebody_pushes_to_the_base_branch(lot: Lot, tmp_path: Path) -> None:
    desk = lot.desk
    beside, conflicting = (_start(lot, issue) for issue in lot.load.issues[-3:-1])
    asked = {run.name: run.approval("Merge") for run in (beside, conflicting)}
    base, module = Checkout(desk, conflicting.repository, tmp_path / "main"), module_path(lot.load.issues[-2].title)
    moved = base.push(module, base.read(module).replace("(grams // 1000)", "int(grams / 1000)"))
    for name in asked.values():
        desk.decide(name, "Approve")

    again = conflicting.approval("Merge", after=asked[conflicting.name])
    assert conflicting.merges() == []
    desk.decide(again, "Approve")
    conflicting.ends()
    assert conflicting.condition("Succeeded")["reason"] == "Merged", conflicting.status
    assert desk.get("approvals", asked[conflicting.name])["status"]["outcome"] == "Superseded"
    assert [step["name"] for step in conflicting.status["steps"] if "-conflict-" in step["name"]] != []

    beside.ends()
    assert beside.condition("Succeeded")["reason"] == "Merged", beside.status
    [question] = desk.list("approvals", run=beside.name)
    assert beside.pulls()[0]["head"]["sha"] != question["spec"]["subject"]["headSHA"], "the base branch is merged in"

    assert base.contains(moved)
    for issue in lot.load.issues[-3:-1]:
        assert "-(-grams // 1000)" in base.read(module_path(issue.title))


def _start(lot: Lot, issue: StressIssue) -> Run:
    return lot.desk.start(lot.names[issue.repository], issue.repository, issue.title, issue.body)


def _at_gate(lot: Lot, repository: int, gate: str) -> Run:
    run = lot.take(repository)
    run.approval(gate)
    return run


def _cancelled(run: Run, reason: str) -> None:
    failure = run.ends()["failure"]
    assert (failure["class"], failure["reason"]) == ("Cancelled", reason)
    [comment] = run.comments()
    assert reason in comment
    assert run.merges() == []
