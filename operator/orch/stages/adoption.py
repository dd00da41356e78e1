"""When somebody else has pushed to the run's branch: what is there is told, and a person may have the run go on with it.

Used by interference, and by publish before there is a pull request. A wish names the commit that its person has looked at, and
what was pushed since is not meant. What is adopted is a stranger's data, as a work step's bundle is: it is judged by all guards,
and people are asked about it anew. Nothing here pushes.
"""

from __future__ import annotations

from orch.api.v1alpha1 import AdoptRequest, TheirCommit, TheirHead
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import NotFound, Terminal, Transient
from orch.policy.text import one_line
from orch.ports import CommitFacts
from orch.stages import texts
from orch.stages.base import branch
from orch.stages.contract import RunContext, Waiting
from orch.stages.guard import judge
from orch.stages.implement import latest_change
from orch.stages.pacing import SOONEST, for_people


async def adopted(ctx: RunContext, head: str) -> Waiting | None:
    """None: the run goes on with `head`, the commit on its branch that is not orch's. Raises PolicyDenied where a guard refuses
    it, Terminal where it is no change of the base branch."""
    wish, record = _wish(ctx), branch(ctx)
    if wish is None:
        await _tell(ctx, head)
        return Waiting(WaitingReason.TAKEN_OVER, _moved(ctx, head), for_people(ctx))
    if wish.head_sha != head:
        await _tell(ctx, head)
        return Waiting(WaitingReason.TAKEN_OVER, _missed(ctx, wish, head), for_people(ctx))
    found = await ctx.git.fetch_theirs(ctx.remote, record.name or "")
    if found != head:  # pushed a moment ago: the host's two answers need not be of the same age
        return Waiting(WaitingReason.TAKEN_OVER, _missed(ctx, wish, found), SOONEST)
    base = await ctx.git.fetch(ctx.remote, record.base_branch or "main")
    step = latest_change(ctx)
    # the newest step's change is theirs now: what it made is on the branch, or they have done without it
    await judge(ctx, head, base=base, step=step.name if step else "", document=texts.adopted_diff_key(head))
    # In the same breath as the record of what was judged: with one of them alone, our old head would go over theirs.
    record.expected_sha, record.taken_over, record.theirs, record.adopted = head, False, None, wish
    ctx.run.status.checks = None
    # before people are asked: as long as the branch is written down as theirs, a question about it is closed
    await ctx.save()
    return None


def _wish(ctx: RunContext) -> AdoptRequest | None:
    """What a person asks for; a wish is good for one time, and the branch may have been taken over again since."""
    wish = ctx.run.spec.adopt
    return wish if wish != branch(ctx).adopted else None


def _moved(ctx: RunContext, head: str) -> str:
    """Stable while nothing moves. It says what is there, and how to go on."""
    text = f"somebody else moved branch {branch(ctx).name} to {head[:8]}: orch does not push to it again"
    adopt = f"kubectl orch resume {ctx.run.metadata.name} --adopt"
    return f"{text}. {adopt} has it go on with that commit; or merge or close the pull request, or cancel the run"


def _missed(ctx: RunContext, wish: AdoptRequest, head: str) -> str:
    text = f"{wish.username} adopts {wish.head_sha[:8]}, but branch {branch(ctx).name} is at {head[:8]}"
    return f"{text}: look at that, then kubectl orch resume {ctx.run.metadata.name} --adopt"


async def _tell(ctx: RunContext, head: str) -> None:
    """Note for people what is there. Where it cannot be read now, that is tried again at the next look, and holds nothing up."""
    record = branch(ctx)
    if record.theirs is not None and record.theirs.head_sha == head and record.theirs.files is not None:
        return
    try:
        record.theirs = await _look(ctx, head)
    except (NotFound, Terminal, Transient):
        record.theirs = TheirHead(head_sha=head)


async def _look(ctx: RunContext, head: str) -> TheirHead:
    record = branch(ctx)
    base = record.expected_sha or record.base_sha or head
    await ctx.git.fetch_theirs(ctx.remote, record.name or "")
    commits = await ctx.git.added(ctx.remote, base=base, sha=head)
    diff = await ctx.git.diff(ctx.remote, base=base, sha=head)
    return TheirHead(
        head_sha=head,
        commits=[_shown(commit) for commit in commits.newest],
        commits_omitted=commits.count - len(commits.newest),
        files=len(diff.changes),
        additions=sum(change.additions for change in diff.changes),
        deletions=sum(change.deletions for change in diff.changes),
    )


def _shown(commit: CommitFacts) -> TheirCommit:
    return TheirCommit(sha=commit.sha, author=one_line(commit.author, 64), subject=one_line(commit.subject, 120))
