"""What the reconciler tells of GitHub's rules, and what it costs to know them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Desk


def _rules(desk: Desk, *rules: dict[str, Any], **settings: Any) -> None:
    answer = desk.control.patch("/_control/repos/octo/demo", json={"rules": list(rules), **settings})
    assert answer.status_code == 200


async def test_rules_that_fit_say_what_runs_wait_for_and_cost_nothing_while_idle(desk: Desk, namespace: str) -> None:
    _rules(desk, {"branch": "main", "required_checks": ["orch", "tests"], "required_reviews": 1, "kind": "protection"})
    desk.apply(namespace, "demo", mode="Manual")
    await desk.look(namespace, "demo")
    status, reason, message = await desk.condition(namespace, "demo", "RulesFit")
    assert (status, reason) == ("True", "Fits")
    assert "the checks tests; orch's own status, orch" in message
    assert "its classic protection tells this token about checks alone" in message
    spent = desk.spent()
    for _ in range(3):
        await desk.look(namespace, "demo")
    assert desk.spent() == spent


@pytest.mark.parametrize(
    ("rules", "settings", "reason"),
    [
        ([{"branch": "main", "merge_methods": ["rebase"]}], {}, "MergeMethodRefused"),
        ([], {"merge_methods": ["merge"]}, "MergeMethodRefused"),
        ([{"branch": "orch/*"}], {}, "PushBlocked"),
        ([{"branch": "main", "locked": True}], {}, "BranchLocked"),
    ],
)
async def test_rules_that_do_not_are_told_and_seen_soon_when_they_are_mended(
    desk: Desk, namespace: str, rules: list[dict[str, Any]], settings: dict[str, Any], reason: str
) -> None:
    _rules(desk, *rules, **settings)
    desk.apply(namespace, "demo", mode="Manual")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo", "RulesFit"))[:2] == ("False", reason)
    assert (await desk.condition(namespace, "demo"))[0] == "True", "runs may start: a person can merge what they make"
    _rules(desk, merge_methods=["squash"])
    await desk.look(namespace, "demo", later=timedelta(minutes=6))
    assert (await desk.condition(namespace, "demo", "RulesFit"))[:2] == ("True", "Fits")
    _rules(desk, *rules, **settings)
    await desk.look(namespace, "demo", later=timedelta(minutes=6))
    assert (await desk.condition(namespace, "demo", "RulesFit"))[0] == "True", "what fits is looked at seldom"
    desk.kubectl("annotate", "orepo", "demo", "-n", namespace, "orch.dev/requestedAt=now")
    await desk.look(namespace, "demo", later=timedelta(minutes=1))
    assert (await desk.condition(namespace, "demo", "RulesFit"))[:2] == ("False", reason), "unless somebody asks"


async def test_a_merge_queue_fits_unless_policy_leaves_it_to_people(desk: Desk, namespace: str) -> None:
    _rules(desk, {"branch": "main", "merge_queue": True, "queue_method": "rebase"}, merge_methods=["rebase"])
    desk.apply(namespace, "demo", mode="Manual", merge={"method": "Squash"})
    await desk.look(namespace, "demo")
    status, reason, message = await desk.condition(namespace, "demo", "RulesFit")
    assert (status, reason) == ("True", "Fits")
    assert "the merge queue, which merges by Rebase" in message
    desk.apply(namespace, "demo", mode="Manual", merge={"method": "Squash", "queue": "Disabled"})
    await desk.look(namespace, "demo", later=timedelta(hours=1))
    assert (await desk.condition(namespace, "demo", "RulesFit"))[:2] == ("False", "MergeQueueRequired")


async def test_a_base_branch_that_is_not_there_is_named(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", mode="Manual", baseBranch="release/2")
    await desk.look(namespace, "demo")
    status, reason, message = await desk.condition(namespace, "demo")
    assert (status, reason) == ("False", "BranchNotFound")
    assert "release/2" in message
