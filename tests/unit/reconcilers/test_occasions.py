"""What makes the same act another one on a run's way."""

import pytest
from tests.builders import a_run, a_step, sha

from orch.api.v1alpha1 import BranchStatus, FailureClass, FailureStatus, PullRequestState, PullRequestStatus
from orch.reconcilers.occasions import tell_occasion

IMPLEMENTED = [a_step("analyse-1"), a_step("plan-1"), a_step("implement-1")]
OPEN = PullRequestStatus(number=11, state=PullRequestState.OPEN)
MERGED = PullRequestStatus(number=11, state=PullRequestState.MERGED)
DENIED = FailureStatus(class_=FailureClass.POLICY_DENIED, reason="Denied", message="no")


def at(head: str, *, pushed: str | None) -> BranchStatus:
    return BranchStatus(name="orch/issue-7", head_sha=sha(head), expected_sha=pushed and sha(pushed))


@pytest.mark.parametrize(
    ("status", "occasion"),
    [
        pytest.param({}, "begins", id="no step yet"),
        pytest.param({"steps": IMPLEMENTED[:1]}, "Analyse", id="the newest step says where it is"),
        pytest.param({"steps": IMPLEMENTED, "branch": at("one", pushed=None)}, "Implement", id="the first push"),
        pytest.param({"steps": IMPLEMENTED, "branch": at("one", pushed="one")}, "Implement", id="it is pushed"),
        pytest.param({"steps": IMPLEMENTED, "branch": at("two", pushed="one")}, "Implement moves", id="a later push"),
        pytest.param(
            {"steps": [*IMPLEMENTED, a_step("conflict-1")], "branch": at("two", pushed="one"), "pull_request": OPEN},
            "Merge moves",
            id="a push that solves a conflict",
        ),
        pytest.param({"steps": IMPLEMENTED, "pull_request": MERGED}, "merged", id="after the merge"),
        pytest.param({"steps": IMPLEMENTED, "failure": DENIED}, "ends unpublished", id="an end that nobody sees"),
        pytest.param(
            {"steps": IMPLEMENTED, "failure": DENIED, "pull_request": OPEN},
            "ends unmerged",
            id="an end that leaves a PR",
        ),
    ],
)
def test_an_occasion(status: dict[str, object], occasion: str) -> None:
    assert tell_occasion(a_run(**status)) == occasion
