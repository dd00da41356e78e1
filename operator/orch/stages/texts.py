"""All that orch says on GitHub: fixed templates around rendered text. Commit and merge messages hold no words of a model.

The issue's title is a stranger's text: it passes `one_line` or `render_untrusted` wherever it appears.
"""

from __future__ import annotations

from typing import Final

from orch.api.conditions import is_false
from orch.api.v1alpha1 import FailureStatus, Finding, IssueRun, OrchestratedRepo, Step
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason, find_meaning
from orch.policy.render import marker, render_title, render_untrusted
from orch.policy.text import one_line
from orch.ports import Author, CommitStatus, StatusState

RUN_TRAILER = "Orch-Run"
"""Names the run in the message of each commit of ours; its value is the run's identity."""
_DIFF = "diff-"
_NO_NEW_ATTEMPT = {IssueRunReason.CLAIMED_ELSEWHERE, IssueRunReason.DELETED, IssueRunReason.CLOSED_BY_HUMAN}
"""Somebody has decided otherwise, or another run is at it."""

_RELEASED = "<!-- orch:released -->"
_DESCRIPTION: Final = 140
"""Characters of a commit status' description (REST "Create a commit status")."""


def author(repo: OrchestratedRepo) -> Author:
    """Who our commits are by."""
    commit = repo.spec.publish.commit
    return Author(
        name=(commit and commit.author_name) or "orch",
        email=(commit and commit.author_email) or "orch@users.noreply.github.com",
    )


def commit_message(run: IssueRun, step: Step, *, sign_off: Author | None) -> str:
    """Subject, body and trailers of a commit. Free of model text and of closing keywords."""
    what = {
        "checks": "Mend failing checks of",
        "review": "Address the review of",
        "conflict": "Merge the base branch into",
    }
    kind = step.name.rsplit("-", 2)[-2]
    lines = [
        f"{what.get(kind, 'Change for')} issue {run.spec.issue_number}",
        "",
        f"{RUN_TRAILER}: {run.status.identity}",
    ]
    if sign_off is not None:
        lines.append(f"Signed-off-by: {sign_off.name} <{sign_off.email}>")
    return "\n".join(lines) + "\n"


def update_message(run: IssueRun, base: str) -> str:
    """Message of a merge of the base branch into ours."""
    return (
        f"Merge {one_line(base, limit=200)} for issue {run.spec.issue_number}\n\n{RUN_TRAILER}: {run.status.identity}\n"
    )


def merge_message(run: IssueRun) -> tuple[str, str]:
    """Title and body of the merge commit. Always sent, so that GitHub never puts the PR's own text there."""
    pull = run.status.pull_request
    return (
        f"Resolve issue {run.spec.issue_number} (#{pull.number if pull else '?'})",
        f"{RUN_TRAILER}: {run.status.identity}\n",
    )


def pull_title(run: IssueRun) -> str:
    """The issue's title, as one harmless line."""
    title = (run.status.issue and run.status.issue.title) or f"Issue {run.spec.issue_number}"
    return render_title(title)


def pull_body(run: IssueRun, repo: OrchestratedRepo) -> str:
    """Facts from code first, the model's words quoted below them, and how to stop or undo it."""
    plan, usage = run.status.plan, run.status.usage
    parts = [
        marker(run.status.identity or "", "pull-request"),
        f"Closes #{run.spec.issue_number}",
        "### What code found",
        *_facts(run),
        *_findings(run),
        _tests(run),
        _flaky(run),
        f"- cost so far: {usage.cost_usd} USD in {usage.model_calls} model calls",
        "### What the model says",
        render_untrusted((plan.summary if plan else None) or "", limit=1_500),
        "### How to steer it",
        f"- stop: close this pull request, or remove the label from issue {run.spec.issue_number}",
        "- change: request changes in a review",
        f"- undo after the merge: RollbackPoint `{repo.metadata.name}-<number of this pull request>` holds the commits to revert",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def sticky(run: IssueRun) -> str:
    """The one comment on the issue, as the run stands now."""
    return "\n".join([marker(run.status.identity or "", "claim"), *_story(run)]) + "\n"


_WAITING_STATUS: Final = {
    None: "orch is at work on this change",
    WaitingReason.AWAITING_APPROVAL: "waits for an approval: kubectl orch inbox",
    WaitingReason.AWAITING_CHECKS: "waits for checks",
    WaitingReason.AWAITING_REVIEW: "waits for a review",
    WaitingReason.BUDGET_EXHAUSTED: "waits for money: see spec.budget",
    WaitingReason.CONTENT_CHANGED: "the issue was edited after its label: somebody trusted labels it again",
    WaitingReason.MERGE_FROZEN: "waits for the end of a freeze of merges",
    WaitingReason.TAKEN_OVER: "somebody else has pushed: kubectl orch resume RUN --adopt goes on with that",
}


def waiting_status(reason: WaitingReason | None, message: str) -> str | None:
    """The description of a status that is pending; None for a wait that is no news. Free of counts and times."""
    if reason is WaitingReason.AWAITING_HUMAN:
        return render_title(f"needs a person: {message}", limit=_DESCRIPTION)
    return _WAITING_STATUS.get(reason)


def failed_status(failure: FailureStatus) -> CommitStatus:
    """What stands on the head of a run that ended without a merge."""
    return CommitStatus(StatusState.FAILURE, render_title(f"ended without a merge: {failure.reason}", _DESCRIPTION))


def is_released(body: str) -> bool:
    """Whether a sticky comment says that its run has ended: it claims the issue no more."""
    return _RELEASED in body


def diff_document(run: IssueRun) -> str | None:
    """Name of the ConfigMap with the newest diff."""
    kept = [artifact.ref.name for artifact in run.status.artifacts if artifact.name.startswith(_DIFF)]
    return kept[-1] if kept else None


def diff_key(step: str) -> str:
    """`diff-<kind>-<n>`: the document of one step's change."""
    return f"{_DIFF}{'-'.join(step.rsplit('-', 2)[-2:])}"


def update_diff_key(head: str) -> str:
    """`diff-update-<sha>`: the document of the change after a merge of the base branch."""
    return f"{_DIFF}update-{head[:10]}"


def adopted_diff_key(head: str) -> str:
    """`diff-adopted-<sha>`: the document of the change with somebody else's commits."""
    return f"{_DIFF}adopted-{head[:10]}"


def _story(run: IssueRun) -> list[str]:
    name, pull, failure = run.metadata.name, run.status.pull_request, run.status.failure
    cost = f"{run.status.usage.cost_usd} USD"
    if failure is not None:
        quoted = render_untrusted(failure.message or "", limit=1_000)
        return [_RELEASED, f"**orch** ended run `{name}`: {failure.reason} ({cost}).", "", quoted, "", _next(run)]
    if pull is not None and pull.merge_sha is not None:
        return [_RELEASED, f"**orch** merged #{pull.number} as {pull.merge_sha} ({cost})."]
    if run.status.branch is not None and run.status.branch.taken_over:
        return [_taken_over(name)]
    # true until the end, so that nothing is written for it on the way: GitHub links the pull request here by itself
    return [f"**orch** works on this issue (run `{name}`). Remove the label, or close its pull request, to stop it."]


def _taken_over(name: str) -> str:
    return (
        f"**orch** has stopped at run `{name}`: somebody else has pushed to its branch, so orch neither pushes nor merges."
        f" `kubectl orch resume {name} --adopt` has it go on with what is there, once its guards have judged it; or merge or"
        " close the pull request."
    )


def _next(run: IssueRun) -> str:
    """What a person can do: the same words as in the reference of conditions."""
    reason = run.status.failure.reason if run.status.failure else ""
    advice = find_meaning(reason, IssueRunReason) or "Mend what the reason names."
    if reason in _NO_NEW_ATTEMPT:
        return f"What you can do: {advice}"
    return f"What you can do: {advice} Then take the label off and put it on again for a new attempt."


def _findings(run: IssueRun) -> list[str]:
    change = run.status.change
    if change is None or not change.findings:
        return []
    told = [
        f"- guard {f.guard} ({f.action}{_rule(f)}): {_place(f)}{render_title(f.message, limit=300)}"
        for f in change.findings[:10]
    ]
    more = len(change.findings) - len(told) + change.findings_omitted
    return [*told, f"- and {more} more findings: `kubectl describe irun {run.metadata.name}`"] if more else told


def _rule(finding: Finding) -> str:
    """What of the guard was hit; a glob or a word of the change, so a stranger's text."""
    return f", rule {render_title(finding.rule, limit=60)}" if finding.rule else ""


def _place(finding: Finding) -> str:
    """`path:line: `, or nothing for the change as a whole. The path is a stranger's text."""
    if not finding.path:
        return ""
    return f"{render_title(finding.path, limit=120)}{f':{finding.line}' if finding.line else ''}: "


def _tests(run: IssueRun) -> str:
    if is_false(run, IssueRunCondition.TESTED):
        return "- **the repository has no tests that orch finds**: nothing was tested, set `spec.pipeline.test`"
    return "- tests in the sandbox are a claim: the checks of this pull request are the proof"


def _flaky(run: IssueRun) -> str:
    """The names are a stranger's text."""
    names = run.status.change.flaky_tests if run.status.change else []
    told = ", ".join(render_title(name, limit=120) for name in names)
    return (
        f"- flaky, as they failed in one of two runs on the same tree (nothing was done about them): {told}"
        if told
        else ""
    )


def _facts(run: IssueRun) -> list[str]:
    change = run.status.change
    if change is None:
        return []
    risk = f"- risk: {change.risk}" + (f" ({'; '.join(change.risk_reasons)})" if change.risk_reasons else "")
    return [f"- {change.files} files, +{change.additions} −{change.deletions}", risk]
