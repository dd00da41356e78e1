"""The way out of a question that is closed without an answer: `ask-again` deletes it, and the operator asks anew."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.issuerun.conftest import Desk

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import Approval, ApprovalOutcome
from orch.cli.deciding import ask_again
from orch.cli.options import Place
from orch.reconcilers.approval import ApprovalReconciler
from orch.runtime.reconcile import Key

_HOLD = {"gates": [{"gate": "Plan", "when": "Always"}], "timeout": "1h", "onExpiry": "Hold"}


async def _count(desk: Desk) -> None:
    """The operator looks at each question once."""
    contexts = desk.contexts
    reconciler = ApprovalReconciler(
        approvals=desk.approvals, runs=desk.runs, counting=contexts.counting, clock=desk.clock, trail=contexts.trail
    )
    for question in await desk.approvals.list(desk.namespace):
        await reconciler.reconcile(Key(desk.namespace, question.metadata.name))


async def _waits(desk: Desk) -> str:
    """What the run says that it waits for, after a look."""
    await desk.settle()
    waiting = find_condition(await desk.run(), "Waiting")
    assert waiting is not None
    assert (waiting.status, waiting.reason) == ("True", "AwaitingApproval")
    return waiting.message


async def _of_outcome(desk: Desk, *outcomes: ApprovalOutcome | None) -> list[Approval]:
    questions = sorted(await desk.approvals.list(desk.namespace), key=lambda one: str(one.status.outcome))
    assert sorted(str(one.status.outcome) for one in questions) == sorted(map(str, outcomes))
    return questions


async def _approve(desk: Desk, kubeconfig: Path, name: str) -> None:
    decision = {"spec": {"decisions": {"alice": {"verdict": "Approve"}}}}
    await desk.approvals.objects.patch(desk.namespace, name, decision)
    await _count(desk)


@pytest.fixture
def place(desk: Desk, kubeconfig: Path) -> Place:
    """A terminal in the run's namespace; whoever may approve in it is bound."""
    bind = ["create", "rolebinding", "approves", "-n", desk.namespace, "--role=approves", "--user=alice"]
    role = ["create", "role", "approves", "-n", desk.namespace, "--verb=approve", "--resource=approvals.orch.dev"]
    desk.kubectl(*role)
    desk.kubectl(*bind)
    return Place(kubeconfig=kubeconfig, namespace=desk.namespace)


async def test_a_question_that_expired_is_asked_again_with_a_new_time(desk: Desk, place: Place) -> None:
    await desk.prepare(approvals=_HOLD)
    await desk.add_run()
    await _waits(desk)
    desk.clock.forward(timedelta(hours=2))
    await _count(desk)
    [expired] = await _of_outcome(desk, ApprovalOutcome.EXPIRED)
    text = f"Approval {expired.metadata.name} has expired and onExpiry is Hold"
    assert await _waits(desk) == f"{text}: kubectl orch ask-again web-7-1 asks anew, or cancel the run"
    assert await asyncio.to_thread(ask_again, place, "web-7-1") == 0
    await _waits(desk)
    await _count(desk)
    [again] = await _of_outcome(desk, ApprovalOutcome.PENDING)
    assert again.metadata.name == expired.metadata.name, "the same content has the same name"
    assert again.metadata.uid != expired.metadata.uid
    assert again.spec.expire_time >= expired.spec.expire_time + timedelta(hours=2)
    await _approve(desk, place.kubeconfig or Path(), again.metadata.name)
    run = await desk.settle()
    assert run is not None
    assert run.status.pull_request is not None


async def test_a_superseded_question_whose_content_is_back_is_asked_again(desk: Desk, place: Place) -> None:
    await desk.prepare(approvals=_HOLD)
    await desk.add_run()
    await _waits(desk)
    [first] = await _of_outcome(desk, None)
    for quorum in (2, 1):
        change = {"spec": {"approvals": {"quorum": quorum}}}
        await desk.repos.objects.patch(desk.namespace, "web", change)
        told = await _waits(desk)
    assert told.startswith(f"Approval {first.metadata.name} was superseded, and its content is back")
    assert "kubectl orch ask-again web-7-1 asks anew" in told
    assert await asyncio.to_thread(ask_again, place, "web-7-1") == 0
    await _waits(desk)
    await _count(desk)
    again = await desk.approvals.get(desk.namespace, first.metadata.name)
    assert again.metadata.uid != first.metadata.uid
    assert again.status.outcome is ApprovalOutcome.PENDING
    await _approve(desk, place.kubeconfig or Path(), again.metadata.name)
    run = await desk.settle()
    assert run is not None
    assert run.status.pull_request is not None
