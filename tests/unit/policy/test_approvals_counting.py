"""How answers are counted: a table of answers and policies, and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    ApprovalPolicy,
    ApprovalSpec,
    ApprovalStatus,
    Decision,
    Gate,
    ObjectMeta,
    Requester,
    Review,
    Risk,
    Target,
    Verdict,
)
from orch.api.v1alpha1.reasons import ApprovalReason
from orch.policy.approvals import Count, People, count, lacks, read_logins, record, subject
from orch.policy.approvals.counting import NOT_ENFORCED

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = NOW + 24 * HOUR
DIGEST = "sha256:" + "a" * 64
ASKED = subject(repository="acme/web", policy_digest=DIGEST, head_sha="1" * 40)
APPROVED, DENIED = ApprovalOutcome.APPROVED, ApprovalOutcome.DENIED
EXPIRED, PENDING = ApprovalOutcome.EXPIRED, ApprovalOutcome.PENDING
YES: dict[str, Any] = {"verdict": "Approve"}
NO: dict[str, Any] = {"verdict": "Deny"}


def of(*groups: str) -> dict[str, Any]:
    """An approval that claims groups."""
    return {**YES, "groups": list(groups)}


def a_policy(**fields: Any) -> ApprovalPolicy:
    return ApprovalPolicy.model_validate({"onExpiry": "Deny", "validFor": "72h", "quorum": 1, **fields})


def a_question(
    decisions: Mapping[str, Mapping[str, Any]],
    *,
    by: Requester = Requester(github_login="octocat"),  # noqa: B008 - frozen
    **policy: Any,
) -> ApprovalSpec:
    return ApprovalSpec(
        target=Target(kind="IssueRun", name="r", uid="u"),
        repository_ref={"name": "web"},
        gate=Gate.MERGE,
        subject=ASKED,
        policy=a_policy(**policy),
        expire_time=END,
        risk=Risk.LOW,
        requester=by,
        review=Review(),
        decisions={name: Decision.model_validate(decision) for name, decision in decisions.items()},
    )


class Everybody(frozenset[str]):
    """Contains every name."""

    def __contains__(self, _name: object) -> bool:
        return True


ALL = People(enforced=True, may_approve=Everybody())


def counted(
    spec: ApprovalSpec, status: ApprovalStatus | None = None, now: datetime = NOW, people: People = ALL
) -> Count:
    return count(spec, status or ApprovalStatus(), policy=spec.policy, people=people, now=now)


def seen(tally: Count) -> ApprovalStatus:
    """The status after a count."""
    return ApprovalStatus(outcome=tally.outcome, decisions=list(tally.decisions))


RULES = [{"name": "security", "quorum": 2, "requiredGroups": ["security"]}]


@pytest.mark.parametrize(
    ("policy", "decisions", "outcome", "lacking"),
    [
        pytest.param({}, {}, PENDING, "1 approval", id="nobody"),
        pytest.param({}, {"alice": YES}, APPROVED, "0 approvals", id="one of one"),
        pytest.param({"quorum": 2}, {"alice": YES}, PENDING, "1 approval", id="one of two"),
        pytest.param({"quorum": 2}, {"alice": YES, "bob": YES}, APPROVED, "0 approvals", id="two of two"),
        pytest.param({"quorum": 2}, {"alice": YES, "Alice": YES}, PENDING, "1 approval", id="one name in two cases"),
        pytest.param({"quorum": 2}, {"alice": YES, "ａlice": YES}, PENDING, "1 approval", id="a wide letter"),
        pytest.param({}, {"ａlice": YES}, PENDING, "1 approval", id="a letter that admission lets nobody decide with"),
        pytest.param({}, {"alice": YES, "ａlice": NO}, APPROVED, "0 approvals", id="nor deny"),
        pytest.param({}, {"alice": YES, "bob": NO}, DENIED, "0 approvals", id="one denial denies"),
        pytest.param({"users": ["bob"]}, {"alice": YES}, PENDING, "1 approval", id="somebody else"),
        pytest.param({"users": ["bob"]}, {"bob": YES}, APPROVED, "0 approvals", id="the one who is asked"),
        pytest.param({"users": ["bob"]}, {"Bob": YES}, PENDING, "1 approval", id="names are exact"),
        pytest.param({"users": ["bob"]}, {"alice": NO}, DENIED, "1 approval", id="whoever has the verb may stop"),
        pytest.param({"groups": ["dev"]}, {"alice": YES}, PENDING, "1 approval", id="no group claimed"),
        pytest.param({"groups": ["dev"]}, {"alice": of("ops", "dev")}, APPROVED, "0 approvals", id="a group claimed"),
        pytest.param(
            {"users": ["bob"], "groups": ["dev"]}, {"bob": YES}, APPROVED, "0 approvals", id="users or groups"
        ),
        pytest.param(
            {"requiredGroups": ["security"]}, {"alice": YES}, PENDING, "1 approval, of group security", id="none of it"
        ),
        pytest.param({"requiredGroups": ["security"]}, {"alice": of("security")}, APPROVED, "0 approvals", id="of it"),
        pytest.param(
            {"requiredGroups": ["legal", "security"]},
            {"alice": of("security", "legal")},
            APPROVED,
            "0 approvals",
            id="one person of two required groups",
        ),
        pytest.param(
            {"users": ["bob"], "requiredGroups": ["security"]},
            {"alice": of("security")},
            PENDING,
            "1 approval",
            id="a required group does not stand for the users",
        ),
        pytest.param(
            {"users": ["bob"], "requiredGroups": ["security"]},
            {"alice": of("security"), "bob": YES},
            APPROVED,
            "0 approvals",
            id="the users and the required group",
        ),
        pytest.param({"rules": RULES}, {"alice": of("security")}, PENDING, "1 approval", id="a rule's quorum"),
        pytest.param(
            {"rules": RULES}, {"alice": YES, "bob": YES}, PENDING, "1 approval, of group security", id="a rule's group"
        ),
        pytest.param(
            {"rules": RULES}, {"alice": of("security"), "bob": YES}, APPROVED, "0 approvals", id="a rule that is met"
        ),
        pytest.param(
            {"users": ["bob"], "rules": RULES},
            {"alice": of("security"), "carol": YES},
            PENDING,
            "1 approval",
            id="a rule does not replace the repository's own people",
        ),
        pytest.param(
            {"users": ["bob"], "rules": [{"name": "x", "users": ["carol"]}]},
            {"bob": YES, "carol": YES},
            APPROVED,
            "0 approvals",
            id="people of several rules, each for their own",
        ),
    ],
)
def test_what_answers_amount_to(
    policy: dict[str, Any], decisions: dict[str, Any], outcome: ApprovalOutcome, lacking: str
) -> None:
    tally = counted(a_question(decisions, **policy))
    assert (tally.outcome, lacks(tally.missing)) == (outcome, lacking)
    assert (tally.valid_until == NOW + 72 * HOUR) is (outcome is APPROVED)


MUST_NOT = {"requester": "MustNotApprove"}
LOGINS = {
    "alice": frozenset({"octocat"}),
    "al": frozenset({"octocat"}),
    "bob": frozenset({"hubot", "bob-at-home"}),
}
KNOWN = People(enforced=True, may_approve=Everybody(), logins=LOGINS)
BY_USER = Requester(username="alice")


@pytest.mark.parametrize(
    ("name", "requester", "rule", "reason"),
    [
        pytest.param("alice", Requester(github_login="octocat"), {}, None, id="allowed by default"),
        pytest.param("alice", Requester(github_login="octocat"), MUST_NOT, "set the run off", id="by login"),
        pytest.param("alice", Requester(github_login="OctoCat"), MUST_NOT, "set the run off", id="logins have no case"),
        pytest.param("bob", Requester(github_login="octocat"), MUST_NOT, None, id="somebody else"),
        pytest.param("bob", Requester(github_login="bob-at-home"), MUST_NOT, "set the run off", id="a second login"),
        pytest.param("carol", Requester(github_login="octocat"), MUST_NOT, "no login", id="not in the map"),
        pytest.param("alice", BY_USER, MUST_NOT, "set the run off", id="by user name"),
        pytest.param("ALICE", BY_USER, MUST_NOT, "set the run off", id="in another spelling"),
        pytest.param("al", BY_USER, MUST_NOT, "set the run off", id="a second user of the same login"),
        pytest.param("carol", BY_USER, MUST_NOT, None, id="a user needs no map"),
        pytest.param("carol", Requester(), MUST_NOT, "not known who", id="nobody knows who"),
    ],
)
def test_the_requester(name: str, requester: Requester, rule: dict[str, Any], reason: str | None) -> None:
    tally = counted(a_question({name: YES}, by=requester, **rule), people=KNOWN)
    [decision] = tally.decisions
    assert decision.counted is (reason is None)
    assert (reason or "") in (decision.reason or "")
    denied = counted(a_question({name: NO}, by=requester, **rule), people=KNOWN)
    assert denied.outcome is DENIED


def test_the_map_of_logins_is_read_line_by_line() -> None:
    data = {"Octocat": b"alice\n  oidc:alice@acme.example \n\n", "hubot": b"bob", "x": b"alice", "bad": b"\xff\xfe"}
    assert read_logins(data) == {
        "alice": frozenset({"octocat", "x"}),
        "oidc:alice@acme.example": frozenset({"octocat"}),
        "bob": frozenset({"hubot"}),
        "\ufffd\ufffd": frozenset({"bad"}),
    }


@pytest.mark.parametrize("verdict", [YES, NO], ids=["approve", "deny"])
@pytest.mark.parametrize(
    ("name", "more", "people", "reason"),
    [
        ("system:serviceaccount:argocd:argocd", {}, ALL, "machines do not decide"),
        ("system:admin", {}, ALL, "machines do not decide"),
        ("alice", {"digest": "sha256:" + "b" * 64}, ALL, "given for another subject"),
        ("alice", {}, People(enforced=True, may_approve={"bob"}), "lacks the verb approve"),
        ("alice", {}, People(enforced=False, may_approve=Everybody()), NOT_ENFORCED),
    ],
)
def test_what_counts_neither_way(
    name: str, more: dict[str, Any], people: People, reason: str, verdict: dict[str, Any]
) -> None:
    tally = counted(a_question({name: {**verdict, **more}}), people=people)
    assert tally.outcome is PENDING
    [decision] = tally.decisions
    assert decision.counted is False
    assert (decision.reason or "").startswith(reason)


def test_a_decision_for_the_right_digest_counts() -> None:
    assert counted(a_question({"alice": {**YES, "digest": ASKED.digest}})).outcome is APPROVED


def test_an_answer_first_seen_after_the_end_does_not_count() -> None:
    assert counted(a_question({"alice": YES}), now=END).outcome is EXPIRED
    early = seen(counted(a_question({"alice": YES}, quorum=2)))
    tally = counted(a_question({"alice": YES, "bob": YES}, quorum=2), early, now=END)
    assert tally.outcome is EXPIRED
    assert {d.username: d.counted for d in tally.decisions} == {"alice": True, "bob": False}


def test_a_late_denial_does_not_turn_expired_into_denied() -> None:
    assert counted(a_question({"alice": NO}), now=END + HOUR).outcome is EXPIRED


@pytest.mark.parametrize("changed", [NO, of("security"), {**YES, "comment": "on second thought"}], ids=str)
def test_a_changed_answer_is_a_new_one(changed: dict[str, Any]) -> None:
    early = seen(counted(a_question({"alice": YES}, quorum=2)))
    [decision] = counted(a_question({"alice": changed}, quorum=2), early, now=NOW + HOUR).decisions
    assert decision.observed_time == NOW + HOUR
    [same] = counted(a_question({"alice": YES}, quorum=2), early, now=NOW + HOUR).decisions
    assert same.observed_time == NOW


def test_what_was_given_while_nothing_was_enforced_does_not_count_afterwards_either() -> None:
    forged = seen(counted(a_question({"alice": YES}), people=People(enforced=False, may_approve=Everybody())))
    assert counted(a_question({"alice": YES}), forged).outcome is PENDING
    withdrawn = seen(counted(a_question({}), forged))
    assert counted(a_question({"alice": YES}), withdrawn).outcome is APPROVED


def test_a_verb_that_came_later_counts() -> None:
    early = counted(a_question({"alice": YES}), people=People(enforced=True, may_approve=()))
    assert early.may_change
    assert counted(a_question({"alice": YES}), seen(early), now=NOW + HOUR).outcome is APPROVED


def test_an_approval_that_is_counted_again_keeps_its_times_or_gets_shorter_ones() -> None:
    spec = a_question({"alice": YES})
    status = ApprovalStatus(outcome=APPROVED, decide_time=NOW, valid_until=NOW + 72 * HOUR)
    again = counted(spec, status, now=NOW + HOUR)
    assert (again.decide_time, again.valid_until) == (NOW, NOW + 72 * HOUR)
    short = count(spec, status, policy=a_policy(validFor="2h"), people=ALL, now=NOW + HOUR)
    assert short.valid_until == NOW + 2 * HOUR


def test_an_approval_whose_people_lost_the_verb_is_open_again_and_unused() -> None:
    spec = a_question({"alice": YES})
    approval = Approval(metadata=ObjectMeta(name="a"), spec=spec)
    record(approval, counted(spec), NOW)
    approval.status.consumed_time = NOW
    record(approval, counted(spec, approval.status, people=People(enforced=True, may_approve=())), NOW + HOUR)
    status = approval.status
    assert (status.outcome, status.decide_time, status.valid_until, status.consumed_time) == (PENDING, None, None, None)
    [condition] = status.conditions
    assert (condition.status, condition.message) == ("False", "lacks 1 approval")


def test_the_condition_says_why_nothing_counts() -> None:
    spec = a_question({"alice": YES})
    approval = Approval(metadata=ObjectMeta(name="a"), spec=spec)
    record(approval, counted(spec, people=People(enforced=False, may_approve=Everybody())), NOW)
    [condition] = approval.status.conditions
    assert (condition.status, condition.reason) == ("False", ApprovalReason.NOT_ENFORCED)


@given(
    st.dictionaries(
        st.sampled_from(["alice", "Alice", "bob", "carol", "dora", "system:admin"]),
        st.tuples(st.sampled_from(list(Verdict)), st.sets(st.sampled_from(["dev", "security"]))),
        max_size=6,
    ),
    st.sets(st.sampled_from(["alice", "bob", "carol"])),
    st.integers(min_value=-30, max_value=30),
)
def test_approved_means_that_every_rule_is_met_in_time_and_nobody_is_against(
    answers: dict[str, tuple[Verdict, set[str]]], verbs: set[str], hours: int
) -> None:
    decisions = {n: {"verdict": verdict, "groups": sorted(groups)} for n, (verdict, groups) in answers.items()}
    spec = a_question(decisions, users=["alice", "bob"], groups=["dev"], rules=RULES)
    now = NOW + timedelta(hours=hours)
    tally = counted(spec, now=now, people=People(enforced=True, may_approve=verbs))
    valid = {name: answer for name, answer in answers.items() if name in verbs}
    yes = {name: groups for name, (verdict, groups) in valid.items() if verdict is Verdict.APPROVE}
    enough = (
        any(name in ("alice", "bob") or "dev" in groups for name, groups in yes.items())
        and len({name.casefold() for name in yes}) >= 2
        and any("security" in groups for groups in yes.values())
        and all(verdict is Verdict.APPROVE for verdict, _ in valid.values())
    )
    # who is of no rule's people does not count, so nothing is lost by leaving them out
    assert (tally.outcome is APPROVED) is (now < END and enough)
