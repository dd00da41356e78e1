"""`explain`: which gate a run or an issue stands at, and what a person reads there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import an_approval
from tests.unit.cli.objects import NOW, SHA, a_condition, a_repo, a_run, ago, at_work, published, waiting

from orch.api.v1alpha1 import Approval, Gate, IssueRun, OrchestratedRepo
from orch.cli.explain.gate import Line, Scene, Verdict
from orch.cli.explain.issue import IssueScene, explain_issue
from orch.cli.explain.run import blocking, explain_run

MERGED = {"pullRequest": {"number": 9, "state": "Merged", "mergeSHA": SHA}, "rollbackPointRef": {"name": "web-9"}}


def gates(run: IssueRun, repo: OrchestratedRepo | None = None, *approvals: Approval) -> dict[str, Line]:
    """The lines by their gates."""
    lines = explain_run(Scene(run, repo or a_repo(), NOW, approvals))
    return {line.gate: line for line in lines}


@pytest.mark.parametrize(
    ("run", "gate", "verdict", "waits_for"),
    [
        pytest.param(a_run("Queued"), "Slot", "Working", "the operator", id="nobody has looked"),
        pytest.param(
            a_run("Queued", *waiting("QueueFull")), "Slot", "Waiting", "another run of the repository to end", id="full"
        ),
        pytest.param(a_run("Claim", at_work()), "Issue", "Working", "orch", id="claiming"),
        pytest.param(
            a_run("Checks", *waiting("ContentChanged"), **published()),
            *("Issue", "Waiting", "somebody trusted who labels the issue again"),
            id="an edit holds at the issue, wherever the run is",
        ),
        pytest.param(
            a_run("Merge", *waiting("AwaitingHuman"), heldTime=ago(hours=1), **published()),
            *("Issue", "Waiting", "a person"),
            id="a closed issue",
        ),
        pytest.param(
            a_run("Implement", *waiting("Suspended"), spec={"suspend": True}),
            *("Repository", "Waiting", "somebody who unsets spec.suspend"),
            id="suspended",
        ),
        pytest.param(
            a_run("Implement", *waiting("BudgetExhausted")),
            *("Implementation", "Waiting", "somebody who may change spec.budget"),
            id="no money",
        ),
        pytest.param(a_run("Test", at_work()), "Implementation", "Working", "orch", id="testing"),
        pytest.param(
            a_run("Publish", *waiting("TakenOver"), **published()),
            *("Head", "Waiting", "somebody who has orch adopt what was pushed, or merges it"),
            id="taken over",
        ),
        pytest.param(
            a_run("Checks", *waiting("AwaitingChecks"), **published()),
            *("Checks", "Waiting", "the pull request's checks"),
            id="checks run",
        ),
        pytest.param(
            a_run("Checks", *waiting("AwaitingHuman"), **published()),
            *("Checks", "Waiting", "a person"),
            id="a check that orch cannot have run again",
        ),
        pytest.param(
            a_run("Review", *waiting("AwaitingReview"), **published()),
            *("Review", "Waiting", "reviewers of the pull request"),
            id="a review",
        ),
        pytest.param(
            a_run("Merge", *waiting("AwaitingApproval"), **published()),
            *("Approval Merge", "Waiting", "people with the verb approve"),
            id="the merge's question",
        ),
        pytest.param(
            a_run("Plan", *waiting("AwaitingApproval"), plan={"digest": "sha256:" + "1" * 64}),
            *("Approval Plan", "Waiting", "people with the verb approve"),
            id="the plan's question",
        ),
        pytest.param(
            a_run("Merge", *waiting("MergeFrozen"), **published()),
            *("Freeze", "Waiting", "the end of the freeze"),
            id="frozen",
        ),
        pytest.param(
            a_run(
                "Merge",
                *waiting("AwaitingHuman"),
                **published() | {"approvals": [{"gate": "Merge", "name": "", "outcome": "NotRequired"}]},
            ),
            *("Merge", "Waiting", "a person"),
            id="GitHub refuses",
        ),
    ],
)
def test_the_gate_that_holds_a_run(run: IssueRun, gate: str, verdict: str, waits_for: str) -> None:
    lines = explain_run(Scene(run, a_repo(), NOW))
    stands_at = blocking(lines)
    assert stands_at is not None
    assert (stands_at.gate, stands_at.verdict, stands_at.waits_for) == (gate, verdict, waits_for)
    assert stands_at.since is not None
    if verdict == "Waiting":
        assert stands_at.advice
        assert [line.gate for line in lines if line.verdict is Verdict.WAITING] == [gate]


def test_gates_before_are_passed_and_gates_behind_are_not_reached() -> None:
    found = gates(a_run("Checks", *waiting("AwaitingChecks"), **published()))
    assert {name: line.verdict.value for name, line in found.items()} == {
        "Repository": "Passed",
        "Slot": "Passed",
        "Issue": "Passed",
        "Analysis": "Passed",
        "Plan": "Passed",
        "Approval Plan": "NotAsked",
        "Implementation": "Passed",
        "Guards": "Passed",
        "Approval Publish": "NotAsked",
        "Pull request": "Passed",
        "Head": "Passed",
        "Checks": "Waiting",
        "Review": "NotReached",
        "Approval Merge": "NotReached",
        "Conflict": "NotReached",
        "Required checks": "NotReached",
        "Required reviews": "NotReached",
        "Up to date": "NotReached",
        "Blocker": "NotReached",
        "Freeze": "NotReached",
        "Branch rules": "NotReached",
        "Merge": "NotReached",
        "Rollback point": "NotReached",
    }
    assert found["Guards"].message == "1 files, +2 -1, risk Low"
    assert found["Pull request"].message == "#9 https://x/pull/9"


def test_a_gate_that_asked_nobody_says_why() -> None:
    noted = {"gate": "Publish", "name": "", "outcome": "NotRequired", "reason": "the risk is Low"}
    line = gates(a_run("Checks", *waiting("AwaitingChecks"), **published() | {"approvals": [noted]}))[
        "Approval Publish"
    ]
    assert (line.verdict, line.message) == (Verdict.NOT_ASKED, "the risk is Low")


def test_each_finding_is_told_with_guard_action_path_line_and_rule() -> None:
    status = published()
    finding = {"guard": "TestsMissing", "action": "Approve", "path": "tests/test_a.py", "line": 7, "rule": "gone"}
    status["change"] |= {"findings": [finding | {"message": "test_a is gone"}] * 6, "findingsOmitted": 2}
    told = gates(a_run("Checks", *waiting("AwaitingChecks"), **status))["Guards"].message
    assert told.count("TestsMissing Approve tests/test_a.py:7 (rule gone): test_a is gone") == 5
    assert told.endswith("and 3 more: kubectl describe irun web-7-1")


def _found(**closed: str) -> dict[str, Any]:
    """The gates before the merge as the operator records them; those named are closed, with this message."""
    names = ("Head", "Conflict", "Checks", "Reviews", "UpToDate", "Blocker", "Freeze", "Approval", "BranchRules")
    recorded = [
        {
            "name": name,
            "passed": name not in closed,
            "reason": "Passed" if name not in closed else "Closed",
            "message": closed.get(name, f"{name} is fine"),
            "since": ago(hours=2 if name in closed else 5),
        }
        for name in names
    ]
    return {"mergeGates": recorded, "approvals": [{"gate": "Merge", "name": "", "outcome": "NotRequired"}]}


def test_every_gate_before_the_merge_is_told_with_its_verdict_and_since_when() -> None:
    found = _found(Reviews="1 more approving reviews are required on GitHub", Blocker="the pull request is a draft")
    run = a_run("Merge", *waiting("AwaitingReview"), **published() | found)
    lines = {name: (line.verdict.value, line.waits_for) for name, line in gates(run).items()}
    assert {name: lines[name] for name in list(lines)[-11:-1]} == {
        "Review": ("Passed", ""),
        "Approval Merge": ("NotAsked", ""),
        "Conflict": ("Passed", ""),
        "Required checks": ("Passed", ""),
        "Required reviews": ("Waiting", "reviewers of the pull request"),
        "Up to date": ("Passed", ""),
        "Blocker": ("Waiting", "a person"),
        "Freeze": ("Passed", ""),
        "Branch rules": ("Passed", ""),
        "Merge": ("NotReached", ""),
    }
    told = gates(run)
    assert told["Blocker"].message == "the pull request is a draft"
    assert [told[name].since for name in ("Conflict", "Blocker")] == [
        NOW - timedelta(hours=5),
        NOW - timedelta(hours=2),
    ]
    stands_at = blocking(list(told.values()))
    assert stands_at is not None
    assert stands_at.gate == "Required reviews"


@pytest.mark.parametrize(
    ("stage", "closed", "since"),
    [("Merge", [], 5), ("Verify", [], 5), ("Merge", ["Reviews"], 1), ("Checks", [], None)],
)
def test_reviews_are_told_since_when(stage: str, closed: list[str], since: int | None) -> None:
    asked = an_approval(Gate.MERGE)
    asked.metadata.creation_timestamp = NOW - timedelta(hours=1)
    run = a_run(stage, at_work(), **published() | _found(**dict.fromkeys(closed, "1 is lacking")))
    line = gates(run, None, asked)["Review"]
    assert line.since == (NOW - timedelta(hours=since) if since else None)


def test_a_run_in_the_merge_queue_says_so_and_for_whom_it_waits() -> None:
    place = "#9 is number 2 in the merge queue of main: GitHub merges it when it is green there"
    waits = a_condition("Waiting", "True", "AwaitingChecks", place)
    told = gates(a_run("Merge", waits, **published() | _found()))
    assert (told["Merge"].verdict.value, told["Merge"].waits_for) == ("Waiting", "the pull request's checks")
    assert place in told["Merge"].message


def test_the_gates_behind_an_open_question_are_told_too() -> None:
    found = _found(Blocker="a draft") | {"approvals": [{"gate": "Merge", "name": "", "outcome": "Pending"}]}
    told = gates(a_run("Merge", *waiting("AwaitingApproval"), **published() | found))
    verdicts = {name: told[name].verdict.value for name in ("Approval Merge", "Conflict", "Blocker", "Freeze", "Merge")}
    assert verdicts == {
        "Approval Merge": "Waiting",
        "Conflict": "Passed",
        "Blocker": "Waiting",
        "Freeze": "Passed",
        "Merge": "NotReached",
    }
    assert (told["Blocker"].message, told["Blocker"].waits_for) == ("a draft", "a person")
    stands_at = blocking(list(told.values()))
    assert stands_at is not None
    assert stands_at.gate == "Approval Merge"


def test_a_fix_makes_the_later_gates_unreached_again() -> None:
    found = gates(a_run("Guard", at_work(), **published()))
    assert (found["Guards"].verdict, found["Checks"].verdict) == (Verdict.WORKING, Verdict.NOT_REACHED)


def test_a_new_head_waits_for_its_push() -> None:
    status = published()
    status["branch"] |= {"headSHA": "b" * 40}
    found = gates(a_run("Publish", at_work("pushing"), **status))
    assert (found["Pull request"].verdict, found["Pull request"].message) == (Verdict.WORKING, "pushing")


def test_a_running_step_is_named() -> None:
    step = {
        "name": "web-7-1-implement-2",
        "state": "Running",
        "stage": "Implement",
        "attempt": 2,
        "startTime": ago(minutes=3),
    }
    line = gates(a_run("Implement", at_work("a model works"), steps=[step]))["Implementation"]
    assert line.message == "step web-7-1-implement-2 runs: a model works"
    assert (NOW - line.since).total_seconds() == 180 if line.since else False


def test_a_back_off_says_when_it_tries_again() -> None:
    line = gates(a_run("Claim", at_work("trying again: no route"), nextAttemptTime="2026-03-01T12:00:30Z"))["Issue"]
    assert line.waits_for == "orch, which tries again at 12:00:30 UTC"


@pytest.mark.parametrize(
    ("reason", "stage", "gate"),
    [
        ("GuardViolation", "Guard", "Guards"),
        ("Denied", "Merge", "Approval Merge"),
        ("IssueClosed", "Checks", "Issue"),
        ("TestsRed", "Implement", "Implementation"),
        ("ClosedByHuman", "Review", "Pull request"),
    ],
)
def test_a_run_that_ended_says_where_and_what_to_do(reason: str, stage: str, gate: str) -> None:
    failure = {"class": "PolicyDenied", "reason": reason, "message": "because", "stage": stage}
    ended = a_condition("Succeeded", "False", reason, "because")
    line = gates(a_run(stage, ended, **published(), failure=failure, completionTime=ago(minutes=2)))[gate]
    assert (line.verdict, line.message) == (Verdict.FAILED, f"{reason}: because")
    assert line.advice


def test_a_merged_run_stands_at_no_gate() -> None:
    done = a_condition("Succeeded", "True", "Merged", "#9 is merged")
    lines = explain_run(
        Scene(a_run("Done", done, **published() | MERGED, completionTime=ago(minutes=1)), a_repo(), NOW)
    )
    assert blocking(lines) is None
    assert lines[-1].message == "RollbackPoint web-9"


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ((a_condition("Ready", "False", "BadCredentials", "401"),), "BadCredentials: 401"),
        ((a_condition("CredentialsReady", "True", "CredentialsValid"),), "no operator has looked at it yet"),
    ],
)
def test_a_repository_that_is_not_ready_is_the_first_gate(conditions: tuple[dict[str, Any], ...], said: str) -> None:
    line = explain_run(Scene(a_run("Queued", at_work()), a_repo(*conditions), NOW))[0]
    assert (line.verdict, line.message) == (Verdict.WAITING, said)
    assert line.advice


def test_a_repository_that_is_gone_is_said() -> None:
    assert explain_run(Scene(a_run("Queued"), None, NOW))[0].message == "there is no OrchestratedRepo web"


# --- an issue that has no run --------------------------------------------------------------------------------------


def issue(repo: OrchestratedRepo, *runs: IssueRun, others: tuple[IssueRun, ...] = ()) -> Line:
    """The gate that issue 7 stands at."""
    found = blocking(explain_issue(IssueScene(repo, 7, runs, [*runs, *others])))
    assert found is not None
    return found


def test_an_issue_without_its_label() -> None:
    line = issue(a_repo())
    assert (line.gate, line.waits_for) == ("Labels", "a label by somebody trusted")
    assert "'orch'" in line.message
    assert "kubectl orch run web 7" in line.advice


def test_an_issue_that_was_refused_says_why() -> None:
    entry = {"issueNumber": 7, "reason": "ActorNotTrusted", "message": "bob may not start runs"}
    line = issue(a_repo(status={"refused": [entry | {"issueNumber": 6}, entry]}))
    assert (line.gate, line.message) == ("Labels", "ActorNotTrusted: bob may not start runs")
    assert line.advice


def test_a_manual_repository_takes_nothing_by_itself() -> None:
    line = issue(a_repo(mode="Manual"))
    assert (line.gate, line.waits_for) == ("Mode", "a person who starts a run")


def test_the_gates_of_an_issue_say_since_when() -> None:
    repo = a_repo(concurrency={"maxActiveRuns": 5, "maxOpenPullRequests": 1})
    repo.metadata.generation = 1
    taken = a_run("Implement", completionTime=ago(hours=2))
    pulls = a_run("Checks", at_work(), **published())
    since = {line.gate: line.since for line in explain_issue(IssueScene(repo, 7, [taken], [pulls]))}
    assert (since["Mode"], since["Labels"]) == (NOW - timedelta(days=3), NOW - timedelta(hours=1))
    assert since["Slot"] == NOW - timedelta(minutes=50)
    repo.metadata.generation = 2
    assert explain_issue(IssueScene(repo, 7, [], []))[1].since is None, "nobody knows which change it was"


def test_a_suspended_repository_is_resumed_first() -> None:
    assert issue(a_repo(suspend=True)).advice == "kubectl orch resume web"


def test_an_earlier_run_is_retried() -> None:
    failure = {"class": "Terminal", "reason": "TestsRed", "message": "2 tests stayed red", "stage": "Implement"}
    ended = a_run("Implement", failure=failure, completionTime=ago(hours=2))
    line = issue(a_repo(), ended)
    assert (line.gate, line.verdict) == ("Earlier run", Verdict.FAILED)
    assert "1 of at most 2 runs by label: TestsRed: 2 tests stayed red" in line.message
    assert line.advice.endswith("kubectl orch retry web-7-1")


def test_no_slot_is_told_even_before_the_label() -> None:
    busy = a_run("Implement", at_work(), startTime=ago(minutes=1))
    lines = explain_issue(IssueScene(a_repo(), 8, [], [busy]))
    assert (lines[-1].gate, lines[-1].verdict) == ("Slot", Verdict.WAITING)
    assert "maxActiveRuns is 1" in lines[-1].message
