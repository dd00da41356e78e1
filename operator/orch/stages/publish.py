"""Stage Publish: the first push and every later one, then the pull request. A push is code execution: it stands behind
the guards and the gate Publish, and never moves a branch that somebody else has moved."""

from __future__ import annotations

from orch.api.conditions import is_true, set_condition
from orch.api.v1alpha1 import ChangeStatus, Gate, PullRequestState, PullRequestStatus
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.errors import HeadMoved
from orch.ports import Pull
from orch.stages import texts
from orch.stages.adoption import adopted
from orch.stages.asked import asked_change, changed_paths
from orch.stages.base import branch
from orch.stages.contract import NOW, Done, Outcome, RunContext, Waiting
from orch.stages.effects import done, find_effect, once
from orch.stages.gates import Question, ask, once_open, take_over
from orch.stages.pacing import for_people
from orch.stages.signs import show


async def publish(ctx: RunContext) -> Outcome:
    """Push the guarded head, then open the pull request or adopt the one that is there."""
    record = branch(ctx)
    is_missing = record.expected_sha != record.head_sha or _is_unasked(ctx)
    is_new = is_missing or ctx.run.status.pull_request is None
    if is_missing:
        pushed = await _push(ctx)
        if not isinstance(pushed, Done):
            return pushed
    if ctx.run.status.pull_request is None:
        opened = await _open(ctx)
        if not isinstance(opened, Done):
            return opened
    if not is_true(ctx.run, IssueRunCondition.PUBLISHED):
        await _tell(ctx)
        set_condition(
            ctx.run,
            IssueRunCondition.PUBLISHED,
            True,
            IssueRunReason.PUBLISHED,
            "the pull request is open",
            ctx.clock(),
        )
    if is_new:  # before its checks are read for the first time: what changes between two looks costs quota
        await show(ctx, Waiting(WaitingReason.AWAITING_CHECKS, "its checks are looked at next"))
    return Done()


def _is_unasked(ctx: RunContext) -> bool:
    """Whether our head is somebody else's commit that this gate has not let through yet. It is on the branch already."""
    record = branch(ctx)
    head = record.adopted.head_sha if record.adopted is not None else None
    return head is not None and head == record.head_sha and done(ctx.run, f"push/{head}") is None


async def _tell(ctx: RunContext) -> None:
    """The policy's labels. They may be put on twice, and are tried again when the first time failed."""
    pull, labels = ctx.run.status.pull_request, ctx.repo.spec.publish.labels
    if pull is not None and labels:
        await ctx.forge.add_labels(pull.number, labels)


async def _push(ctx: RunContext) -> Outcome:
    record = branch(ctx)
    if record.taken_over and (held := await _theirs(ctx)) is not None:
        return held
    change = await asked_change(ctx)
    # a merge of the base branch brings nothing that was not asked about
    is_known = done(ctx.run, f"push/{change.head_sha}") is not None
    gate = Done() if is_known else await ask(ctx, _question(ctx, change))
    if not isinstance(gate, Done):
        return gate
    head, name = record.head_sha or "", record.name or ""

    async def find() -> str | None:
        return head if await ctx.git.remote_sha(ctx.remote, name) == head else None

    async def act() -> str:
        await ctx.forge.confirm()
        await ctx.git.push(ctx.remote, sha=head, branch=name, expected=record.expected_sha)
        return head

    try:
        key = f"push/{head}"
        if is_known:
            pushed = await once(ctx, key, find=find, act=act, look_first=True)
        else:
            pushed = await once_open(ctx, Gate.PUBLISH, key, find=find, act=act, look_first=True)
    except HeadMoved:
        left = await _left_by_earlier_life(ctx) if record.expected_sha is None else None
        if left is None:
            await take_over(ctx)
            return await _theirs(ctx) or Waiting(None, f"branch {name} is adopted: going on with it", NOW)
        record.expected_sha = left
        return Waiting(None, f"branch {name} is of an earlier life of this run: going on with it", NOW)
    if isinstance(pushed, Waiting):
        return pushed
    record.expected_sha = head
    return Done()


async def _left_by_earlier_life(ctx: RunContext) -> str | None:
    """Where our branch is although this run has not pushed yet: the cluster was lost, and the run made anew. None when it
    holds anything that does not say it is this run's."""
    record = branch(ctx)
    found = await ctx.git.remote_sha(ctx.remote, record.name or "")
    if found is None or found == record.head_sha:
        return None
    ours = await ctx.git.all_say(
        ctx.remote,
        sha=found,
        base=record.base_sha or "",
        trailer=texts.RUN_TRAILER,
        value=ctx.run.status.identity or "",
    )
    return found if ours else None


async def _theirs(ctx: RunContext) -> Waiting | None:
    """None: the run goes on with what somebody else has left on the branch."""
    name = branch(ctx).name or ""
    found = await ctx.git.remote_sha(ctx.remote, name)
    if found is None:
        text = f"somebody else removed branch {name}: orch does not push to it again. Put it back, or cancel the run"
        return Waiting(WaitingReason.TAKEN_OVER, text, for_people(ctx))
    return await adopted(ctx, found)


async def _open(ctx: RunContext) -> Outcome:
    record = branch(ctx)
    name, base = record.name or "", record.base_branch or "main"

    async def find() -> str | None:
        pull = await ctx.forge.find_pull(head=name)
        return None if pull is None else _adopt(ctx, pull)

    async def act() -> str:
        title, body = texts.pull_title(ctx.run), texts.pull_body(ctx.run, ctx.repo)
        return _adopt(ctx, await ctx.forge.open_pull(head=name, base=base, title=title, body=body))

    number = await once(ctx, "pull-request", find=find, act=act)
    if isinstance(number, Waiting):
        return number
    if ctx.run.status.pull_request is None:
        _adopt(ctx, await ctx.forge.get_pull(int(number)))
    return Done()


async def find_lost_pull(ctx: RunContext) -> None:
    """Record a pull request whose opening was begun and never answered: a run that ends must not leave it unnamed."""
    if ctx.run.status.pull_request is None and find_effect(ctx.run, "pull-request") is not None:
        pull = await ctx.forge.find_pull(head=branch(ctx).name or "")
        if pull is not None:
            _adopt(ctx, pull)


def _adopt(ctx: RunContext, pull: Pull) -> str:
    ctx.run.status.pull_request = PullRequestStatus(
        number=pull.number, url=pull.url, state=PullRequestState.OPEN, head_sha=pull.head_sha
    )
    ctx.pull = pull
    return str(pull.number)


def _question(ctx: RunContext, change: ChangeStatus) -> Question:
    what = "Adopted commits" if _is_unasked(ctx) else "Push"
    return Question(
        gate=Gate.PUBLISH,
        title=f"{what} for issue #{ctx.run.spec.issue_number}",
        facts={"head_sha": change.head_sha, "change_digest": change.digest},
        paths=lambda: changed_paths(ctx),
        risk=change.risk,
        risk_reasons=change.risk_reasons,
        findings=change.findings,
        artifact=texts.diff_document(ctx.run),
    )
