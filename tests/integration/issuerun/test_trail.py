"""The audit log of a run whose operator dies, and of one whose merge people have approved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from tests.fakes.acts import Crash
from tests.integration.issuerun.conftest import Desk

from orch.api.audit import AuditEvent
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.trail import Trail
from orch.runtime.reconcile import Key


def _told(desk: Desk) -> list[str]:
    return [line["event"] for line in desk.lines]


async def test_what_a_process_that_died_wrote_and_did_not_tell_is_told_once(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    living = desk.contexts.trail

    def die(event: AuditEvent, fields: Mapping[str, object]) -> None:
        raise Crash

    desk.contexts.trail = Trail(die)
    with pytest.raises(Crash):
        await desk.look()
    assert (await desk.run()).status.start_time is not None, "it is written"
    assert desk.lines == []
    died = desk.clock()
    desk.clock.forward(timedelta(hours=1))
    desk.contexts.trail = Trail(living.audit, lambda: (died, died + timedelta(hours=1)))
    await desk.settle()
    for event in ("run_started", "pushed", "pull_request_opened", "merged", "run_finished"):
        assert _told(desk).count(event) == 1, event
    ids = [line["id"] for line in desk.lines]
    assert len(ids) == len(set(ids))


async def test_the_use_of_an_approval_is_told_with_who_gave_it_before_the_act(desk: Desk) -> None:
    await desk.prepare(approvals={"gates": [{"gate": "Merge", "when": "Always"}]})
    await desk.add_run()
    await desk.settle()
    for kind, options in (("role", ["--verb=approve", "--resource=approvals.orch.dev"]), ("rolebinding", [])):
        own = options or ["--role=approves", "--user=alice@example.com"]
        desk.kubectl("create", kind, "approves", "-n", desk.namespace, *own)
    [asked] = await desk.approvals.list(desk.namespace)
    name, decision = asked.metadata.name, {"alice@example.com": {"verdict": "Approve"}}
    await desk.approvals.objects.patch(desk.namespace, name, {"spec": {"decisions": decision}})
    reconciler = ApprovalReconciler(
        approvals=desk.approvals,
        runs=desk.runs,
        counting=desk.contexts.counting,
        clock=desk.clock,
        trail=desk.contexts.trail,
    )
    await reconciler.reconcile(Key(desk.namespace, name))
    await desk.settle()
    [used] = [line for line in desk.lines if line["event"] == "approval_consumed"]
    assert (used["approval"], used["approved_by"]) == (name, ["alice@example.com"])
    assert used["subject"] == asked.spec.subject.digest
    order = ["approval_settled", "approval_consumed", "merged"]
    assert [event for event in _told(desk) if event in order] == order
