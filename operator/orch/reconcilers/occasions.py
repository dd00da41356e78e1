"""On which occasion the IssueRun reconciler acts, for `orch.failpoints`: what makes the same act another one on a run's way.

Asked only in a process that was told to die, so that the crash matrix kills each act on each of its occasions.
"""

from __future__ import annotations

from orch.api.v1alpha1 import IssueRun, PullRequestState


def tell_occasion(run: IssueRun) -> str:
    """Where the run is: the stage of its newest step, and whether its branch moves once more; or how it ends."""
    status = run.status
    pull, branch = status.pull_request, status.branch
    if status.failure is not None:
        return "ends unpublished" if pull is None else "ends unmerged"
    if pull is not None and pull.state is PullRequestState.MERGED:
        return "merged"
    stage = status.steps[-1].stage.value if status.steps else "begins"
    is_moving = branch is not None and branch.expected_sha not in (None, branch.head_sha)
    return f"{stage} moves" if is_moving else stage
