"""The Approval reconciler on the real API server: rights, groups, logins and rules as they are when it counts."""

from datetime import timedelta

import pytest
from tests.builders import BEGAN, sha
from tests.integration.approvals.court import Court

from orch.api.v1alpha1 import ApprovalOutcome, IssueRunStatus, Requester
from orch.kube.errors import Conflict
from orch.policy.approvals.counting import NOT_ENFORCED

APPROVED, DENIED = ApprovalOutcome.APPROVED, ApprovalOutcome.DENIED
PENDING, SUPERSEDED = ApprovalOutcome.PENDING, ApprovalOutcome.SUPERSEDED


async def test_an_answer_counts_once_its_giver_has_the_verb(court: Court) -> None:
    await court.open()
    court.decide("alice")
    status = await court.status()
    assert status.outcome is PENDING
    assert status.decisions[0].reason == "lacks the verb approve here: if a group grants it, claim the group"
    assert (await court.reconcile()).requeue_after == timedelta(seconds=30)
    court.let_approve(users=["alice"])
    status = await court.status()
    assert (status.outcome, status.valid_until) == (APPROVED, BEGAN + timedelta(hours=72))


async def test_a_group_grants_the_verb_to_those_who_claim_it(court: Court) -> None:
    await court.open()
    court.let_approve(groups=["reviewers"])
    court.decide("alice")
    assert await court.outcome() is PENDING
    court.decide("alice", "Approve", "reviewers")
    assert await court.outcome() is APPROVED


async def test_a_binding_to_everybody_who_has_logged_in_needs_no_claim(court: Court) -> None:
    await court.open()
    court.let_approve(groups=["system:authenticated"])
    court.decide("alice")
    assert await court.outcome() is APPROVED


async def test_a_machine_with_the_verb_does_not_count(court: Court) -> None:
    await court.open()
    machine = "system:serviceaccount:argocd:argocd"
    court.let_approve(users=[machine])
    court.decide(machine)
    court.decide("system:admin", "Deny")
    status = await court.status()
    assert status.outcome is PENDING
    assert {decision.reason for decision in status.decisions} == {"machines do not decide"}


async def test_quorum_and_required_group_of_a_rule(court: Court) -> None:
    rule = {"name": "security", "match": {"gates": ["Merge"]}, "quorum": 2, "requiredGroups": ["security"]}
    await court.open(rules=[rule])
    court.let_approve(users=["alice", "bob", "carol"])
    court.decide("alice")
    court.decide("bob")
    status = await court.status()
    assert status.outcome is PENDING
    assert status.missing is not None
    assert (status.missing.approvals, status.missing.groups) == (1, ["security"])
    [condition] = status.conditions
    assert condition.message == "lacks 1 approval, of group security"
    court.decide("carol", "Approve", "security")
    assert await court.outcome() is APPROVED


async def test_withdrawn_is_as_never_given_until_it_is_decided(court: Court) -> None:
    await court.open(quorum=2)
    court.let_approve(users=["alice", "bob"])
    court.decide("alice")
    assert (await court.status()).decisions[0].counted
    court.withdraw("alice")
    court.decide("bob")
    status = await court.status()
    assert status.outcome is PENDING
    assert [decision.username for decision in status.decisions] == ["bob"]


async def test_one_denial_denies_and_nothing_changes_that(court: Court) -> None:
    await court.open(users=["alice"])
    court.let_approve(users=["alice", "bob"])
    court.decide("bob", "Deny")
    court.decide("alice")
    assert await court.outcome() is DENIED
    court.withdraw("bob")
    assert await court.outcome() is DENIED


async def test_the_requester_may_not_approve_and_unknown_people_do_not_count(court: Court) -> None:
    await court.open(by=Requester(github_login="Octocat"), requester="MustNotApprove")
    court.let_approve(users=["alice", "bob"])
    court.decide("alice")
    court.decide("bob")
    status = await court.status()
    assert status.outcome is PENDING
    assert {"ConfigMap orch-logins" in (decision.reason or "") for decision in status.decisions} == {True}
    court.map_logins(octocat="alice", hubot="carol")
    reasons = {decision.username: decision.reason or "" for decision in (await court.status()).decisions}
    assert reasons["alice"].startswith("set the run off")
    court.map_logins(octocat="alice", hubot="carol\nbob\n")
    assert await court.outcome() is APPROVED


async def test_a_rule_that_became_stricter_counts_and_one_that_became_looser_does_not(court: Court) -> None:
    await court.open(quorum=2)
    court.let_approve(users=["alice", "bob", "carol"])
    court.decide("alice")
    await court.set_policy(quorum=1)
    assert await court.outcome() is PENDING
    await court.set_policy(quorum=3)
    court.decide("bob")
    assert await court.outcome() is PENDING
    court.decide("carol")
    assert await court.outcome() is APPROVED


async def test_a_new_rule_about_paths_applies_to_what_is_already_asked(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice", "dora"])
    court.decide("alice")
    await court.set_policy(rules=[{"name": "schema", "match": {"paths": ["db/**"]}, "users": ["dora"]}])
    assert await court.outcome() is PENDING
    court.decide("dora")
    assert await court.outcome() is APPROVED


async def test_without_enforcement_nothing_counts_then_or_later(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice", "bob"])
    court.admission.is_on = False
    court.decide("alice")
    court.decide("bob", "Deny")
    status = await court.status()
    assert status.outcome is PENDING
    assert {decision.reason for decision in status.decisions} == {NOT_ENFORCED}
    assert status.conditions[0].reason == "NotEnforced"
    court.admission.is_on = True
    assert await court.outcome() is PENDING
    for user in ("alice", "bob"):
        court.withdraw(user)
    assert (await court.status()).decisions == []
    court.decide("alice")
    assert await court.outcome() is APPROVED


async def test_an_answer_that_came_while_the_operator_was_down_counts_in_time_only(court: Court) -> None:
    await court.open(quorum=2)
    court.let_approve(users=["alice", "bob"])
    court.decide("alice")
    await court.reconcile()
    court.forward(hours=24)
    court.decide("bob")
    status = await court.status()
    assert status.outcome is ApprovalOutcome.EXPIRED
    assert {decision.username: decision.counted for decision in status.decisions} == {"alice": True, "bob": False}


async def test_it_looks_again_when_its_time_is_over(court: Court) -> None:
    await court.open()
    assert (await court.reconcile()).requeue_after == timedelta(hours=24)


async def test_a_question_whose_head_has_moved_is_closed(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    await court.note(sha("head"))
    assert await court.outcome() is PENDING
    await court.note(sha("another head"))
    court.decide("alice")
    assert await court.outcome() is SUPERSEDED


async def test_a_question_that_the_run_has_not_noted_yet_stays_open(court: Court) -> None:
    await court.open()
    await court.run_goes_on()
    assert await court.outcome() is PENDING


async def test_a_branch_that_somebody_else_pushed_to_closes_the_question(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    await court.note(sha("head"), taken_over=True)
    court.decide("alice")
    assert await court.outcome() is SUPERSEDED


async def test_a_run_that_is_over_or_gone_needs_no_answer(court: Court) -> None:
    await court.open()
    await court.run_goes_on(completion_time=BEGAN)
    assert await court.outcome() is SUPERSEDED


async def test_a_new_run_under_the_old_name_has_no_claim_on_the_answer(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    court.decide("alice")
    await court.runs.delete(court.run)
    again = court.run.model_copy(deep=True, update={"status": IssueRunStatus()})
    again.metadata.uid = again.metadata.resource_version = None
    await court.runs.create(again)
    assert await court.outcome() is SUPERSEDED


async def test_a_denial_that_races_the_closing_write_is_seen(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice", "bob"])
    court.decide("alice")
    count = court.counting.count

    async def slowly(approval: object) -> object:
        tally = await count(approval)  # type: ignore[arg-type]
        court.counting.count = count  # type: ignore[method-assign]
        court.decide("bob", "Deny")
        return tally

    court.counting.count = slowly  # type: ignore[assignment,method-assign]
    with pytest.raises(Conflict):
        await court.reconcile()
    assert await court.outcome() is DENIED
