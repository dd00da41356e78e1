"""Builders: each makes a whole object from what a test is about; the rest is ordinary. Used by unit and integration tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    ApprovalPolicy,
    ApprovalSpec,
    Gate,
    IssueRun,
    IssueRunSpec,
    IssueRunStatus,
    LocalRef,
    ObjectMeta,
    OnExpiry,
    OrchestratedRepo,
    OrchestratedRepoSpec,
    RepositoryStatus,
    Requester,
    Review,
    Risk,
    RunStage,
    Step,
    StepState,
    Target,
    TargetKind,
    Trigger,
    TriggerType,
)
from orch.api.work import (
    Analysis,
    AnalysisType,
    Change,
    Plan,
    PlanStep,
    StepOutcome,
    StepReport,
    TestRun,
)
from orch.policy.approvals import subject
from orch.ports import Comment, Issue, LabelEvent, Pull
from orch.ports import Review as PullReview

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""When everything begins."""
LABELLED = BEGAN - timedelta(minutes=1)
NUMBER = 7
"""Of the issue."""
PULL = 11
"""Of its pull request."""


def sha(text: str) -> str:
    """A commit's name made of a word."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def digest(text: str | bytes) -> str:
    """A digest made of a word, or of content."""
    return "sha256:" + hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def uid_of(name: str) -> str:
    """The uid that the fake runner gives a step."""
    return sha(name)[:32]


BASE = sha("base")
"""Head of the base branch."""


def a_repo(**spec: Any) -> OrchestratedRepo:
    """A repository that is Ready and asks nobody; `spec` as on the wire."""
    wanted = {"repository": "acme/web", "credentialsRef": {"name": "github"}, "mode": "Autonomous", **spec}
    repo = OrchestratedRepo(
        metadata=ObjectMeta(name="web", namespace="team", uid="repo-uid", generation=1, resource_version="1"),
        spec=OrchestratedRepoSpec.model_validate(wanted),
    )
    repo.status.repository = RepositoryStatus(id=1, default_branch="main", url="https://git.test/acme/web")
    set_condition(repo, "Ready", True, "Available", "it is watched", BEGAN)
    return repo


def a_run(name: str = "web-7-1", *, spec: dict[str, Any] | None = None, **status: Any) -> IssueRun:
    """A run that a trusted person's label started; `status`: fields that are known already."""
    wanted: dict[str, Any] = {
        "repository_ref": LocalRef(name="web"),
        "issue_number": NUMBER,
        "trigger": Trigger(type=TriggerType.LABEL, github_login="alice", time=LABELLED, event_id="1"),
    }
    return IssueRun(
        metadata=ObjectMeta(
            name=name,
            namespace="team",
            uid=f"{name}-uid",
            generation=1,
            resource_version="1",
            creation_timestamp=BEGAN,
        ),
        spec=IssueRunSpec(**(wanted | (spec or {}))),
        status=IssueRunStatus(**status),
    )


def a_manual_run(**spec: Any) -> IssueRun:
    """A run that a person asked for in the cluster."""
    return a_run(spec={"trigger": Trigger(type=TriggerType.MANUAL, username="alice@example.com"), **spec})


def a_step(name: str, state: StepState = StepState.SUCCEEDED, **facts: Any) -> Step:
    """A work step of the run `web-7-1`; `name` is `<stage>-<n>`."""
    stage, number = name.rsplit("-", 1)
    usual: dict[str, Any] = {
        "stage": {"conflict": RunStage.MERGE}.get(stage) or RunStage(stage.title()),
        "attempt": int(number),
        "runner_uid": None if state is StepState.INTENDED else uid_of(f"web-7-1-{name}"),
        "input_digest": digest(f"input of {name}"),
        "start_time": BEGAN,
        "reason": "Done" if state is StepState.SUCCEEDED else None,
    }
    return Step(name=f"web-7-1-{name}", state=state, **(usual | facts))


def an_issue(**facts: Any) -> Issue:
    """A labelled, open issue."""
    usual = Issue(
        number=NUMBER,
        title="The fee is wrong",
        body="It should be 3.",
        author="carol",
        state="open",
        labels=frozenset({"orch"}),
        url=f"https://git.test/acme/web/issues/{NUMBER}",
    )
    return replace(usual, **facts)


def a_labelling(actor: str = "alice", *, added: bool = True, **facts: Any) -> LabelEvent:
    """The label was put on, or taken off."""
    return replace(LabelEvent(id="1", actor=actor, label="orch", added=added, time=LABELLED), **facts)


def a_comment(number: int, body: str, author: str = "bob") -> Comment:
    """A comment with this id."""
    return Comment(id=number, author=author, body=body, time=BEGAN, url=f"https://git.test/c/{number}")


def a_pull(**facts: Any) -> Pull:
    """An open pull request that could be merged."""
    usual = Pull(
        number=PULL,
        url=f"https://git.test/acme/web/pull/{PULL}",
        state="open",
        draft=False,
        head_sha=sha("head"),
        head_branch="orch/issue-7-0a0b0c0d",
        base_branch="main",
        labels=frozenset(),
        mergeable=True,
        mergeable_state="clean",
    )
    return replace(usual, **facts)


def a_review(state: str, author: str = "alice", **facts: Any) -> PullReview:
    """A person's review."""
    return replace(PullReview(id=1, author=author, state=state, body="Say why.", sha=sha("head"), time=BEGAN), **facts)


def an_approval(gate: Gate = Gate.MERGE, outcome: ApprovalOutcome | None = None, **spec: Any) -> Approval:
    """A question of the run `web-7-1`."""
    asked = subject(repository="acme/web", issue_number=NUMBER, policy_digest=digest("policy"))
    usual: dict[str, Any] = {
        "target": Target(kind=TargetKind.ISSUE_RUN, name="web-7-1", uid="web-7-1-uid"),
        "repository_ref": LocalRef(name="web"),
        "gate": gate,
        "subject": asked,
        "policy": ApprovalPolicy(quorum=1, on_expiry=OnExpiry.DENY, valid_for=timedelta(hours=72)),
        "expire_time": BEGAN + timedelta(hours=24),
        "risk": Risk.LOW,
        "requester": Requester(github_login="alice"),
        "review": Review(title="May it?"),
    }
    labels = {"orch.dev/repo": "web", "orch.dev/run": "web-7-1", "orch.dev/gate": gate.value}
    approval = Approval(
        metadata=ObjectMeta(name=f"web-7-1-{gate.lower()}-0123456789", namespace="team", labels=labels),
        spec=ApprovalSpec(**(usual | spec)),
    )
    approval.status.outcome = outcome
    return approval


def a_report(name: str, outcome: StepOutcome = StepOutcome.DONE, **parts: Any) -> StepReport:
    """What a step gives back: for its kind, the good answer."""
    stage = name.rsplit("-", 2)[-2]
    if outcome is StepOutcome.DONE:
        good: dict[str, dict[str, Any]] = {"analyse": {"analysis": an_analysis()}, "plan": {"plan": a_plan()}}
        parts = {**good.get(stage, {"change": a_change(name), "tests": (a_test_run(),)}), **parts}
    return StepReport(name=name, outcome=outcome, **parts)


def a_change(name: str) -> Change:
    """A commit of the sandbox, in a bundle that holds its name."""
    return Change(bundle=digest(f"bundle of {name}"), sha=sha(f"theirs of {name}"))


def a_test_run(exit_code: int = 0) -> TestRun:
    """One run of the repository's tests."""
    return TestRun(command="pytest -q", exit_code=exit_code, tail="1 failed" if exit_code else "3 passed")


def an_analysis(**facts: Any) -> Analysis:
    """An issue that can be done."""
    usual: dict[str, Any] = {
        "type": AnalysisType.BUG,
        "complexity": 2,
        "confidence_percent": 90,
        "actionable": True,
        "has_acceptance_criteria": True,
        "reason": "The fee is a constant.",
    }
    return Analysis(**(usual | facts))


def a_plan(**facts: Any) -> Plan:
    """A plan of one step."""
    usual: dict[str, Any] = {
        "summary": "Set the fee to 3.",
        "steps": (PlanStep(title="Set it"),),
        "files": ("zones/fee.py",),
        "confidence_percent": 90,
    }
    return Plan(**(usual | facts))
