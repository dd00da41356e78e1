"""Stage Claim: the issue is snapshotted and claimed by one sticky comment; the lowest comment among writers wins.

The snapshot (title, body, comments of trusted people) is an artifact whose digest is `status.issue.contentDigest`.
Later text of anybody is either held back (`onContentChange`) or never read.
"""

from __future__ import annotations

from functools import partial

from orch.api.v1alpha1 import CommentTrust, IssueRun, IssueStatus, TriggerType
from orch.api.work import IssueText, encode
from orch.errors import Cancelled, PolicyDenied
from orch.policy.identity import run_identity
from orch.policy.intake import is_trusted, refusal
from orch.policy.render import find_marker
from orch.policy.text import cut, one_line, plain
from orch.ports import Comment, Issue, Permission
from orch.stages import texts
from orch.stages.content import unvouched
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.effects import done, once

BODY_LIMIT = 64_000
COMMENT_LIMIT = 16_000
COMMENTS = 30
"""So many of the newest comments of trusted people are read."""
_AUTHORS = 30
"""So many people are asked about, the newest first; strangers may be many."""


async def claim(ctx: RunContext) -> Outcome:
    """Take the snapshot, then put up the sticky comment, then look whether somebody else's is older."""
    if is_claimed(ctx.run):
        return Done()
    issue = ctx.issue or await ctx.forge.get_issue(ctx.run.spec.issue_number)
    if issue.state != "open":
        raise Cancelled("IssueClosed", f"issue #{issue.number} is closed")
    if ctx.run.status.issue is None:
        held = await unvouched(ctx, issue)
        if held is not None:
            return held
        await _snapshot(ctx, issue, await ctx.forge.comments(issue.number))
    outcome = await once(ctx, _key(ctx.run), find=lambda: _own(ctx), act=lambda: _post(ctx), look_first=True)
    if isinstance(outcome, Waiting):
        return outcome
    return await _elect(ctx, int(outcome))


def is_claimed(run: IssueRun) -> bool:
    """Whether people see on the issue that it is taken."""
    return done(run, _key(run)) is not None and run.status.issue is not None


def _key(run: IssueRun) -> str:
    return f"claim/{run.status.identity}"


async def _snapshot(ctx: RunContext, issue: Issue, comments: list[Comment]) -> None:
    selector = ctx.repo.spec.issues.selector
    unwanted = refusal(issue.labels, selector)
    if ctx.run.spec.trigger.type is TriggerType.LABEL and unwanted is not None:
        raise Cancelled("Unlabelled", f"issue #{issue.number} is not wanted any more: {unwanted}")
    await _check_actor(ctx)
    ctx.run.status.held_time = None
    trusted = await _trusted_comments(ctx, comments)
    text = IssueText(
        number=issue.number,
        title=one_line(issue.title, limit=512),
        body=cut(plain(issue.body), BODY_LIMIT),
        author=issue.author[:100],
        comments=tuple(trusted),
    )
    author = await ctx.forge.permission(issue.author)
    ctx.run.status.issue = IssueStatus(
        title=one_line(issue.title, limit=256),
        url=issue.url,
        author=issue.author,
        author_permission=author.name.title(),
        content_digest=await ctx.artifacts.put(encode(text)),
        content_time=ctx.clock(),
    )


async def _check_actor(ctx: RunContext) -> None:
    """Who triggered must be trusted now, not only when the run was made: the queue may have been long."""
    trigger, trust = ctx.run.spec.trigger, ctx.repo.spec.issues.trust
    if trigger.github_login is None:
        return
    permission = await ctx.forge.permission(trigger.github_login)
    if not is_trusted(trigger.github_login, permission, trust):
        raise PolicyDenied("ActorNotTrusted", f"{trigger.github_login} may not start runs: see spec.issues.trust")


async def _trusted_comments(ctx: RunContext, comments: list[Comment]) -> list[str]:
    trust = ctx.repo.spec.issues.trust
    if trust.comments is CommentTrust.NONE:
        return []
    permissions: dict[str, Permission] = {}
    kept: list[str] = []
    for comment in reversed(comments):
        if find_marker(comment.body) is not None:
            continue
        if comment.author not in permissions:
            if len(permissions) == _AUTHORS:
                break
            permissions[comment.author] = await ctx.forge.permission(comment.author)
        if is_trusted(comment.author, permissions[comment.author], trust) and len(kept) < COMMENTS:
            kept.append(f"{comment.author}: {cut(plain(comment.body), COMMENT_LIMIT)}")
    return kept[::-1]


async def _own(ctx: RunContext) -> str | None:
    """Our sticky comment, the oldest: a stranger may have copied its marker, which anyone can read."""
    for comment in await ctx.forge.comments(ctx.run.spec.issue_number):
        if _claimant(comment) == ctx.run.status.identity and await _may_claim(ctx, comment):
            return str(comment.id)
    return None


async def _post(ctx: RunContext) -> str:
    comment = await ctx.forge.create_comment(ctx.run.spec.issue_number, texts.sticky(ctx.run))
    return str(comment.id)


async def _elect(ctx: RunContext, own: int) -> Outcome:
    """Two clusters on one repository: of the claims that are still held, the lowest comment id among writers wins.

    A claim of an earlier attempt that is over holds nothing, though nobody may have been able to say so on the issue."""
    ours = _identities(ctx)
    for comment in await ctx.forge.comments(ctx.run.spec.issue_number):
        if comment.id >= own or texts.is_released(comment.body):
            continue
        identity = _claimant(comment)
        if identity is None or identity in ours:
            continue
        if await _may_claim(ctx, comment):
            raise Cancelled("ClaimedElsewhere", f"another run holds issue #{ctx.run.spec.issue_number}: {comment.url}")
    return Done()


async def _may_claim(ctx: RunContext, comment: Comment) -> bool:
    return await ctx.forge.permission(comment.author) >= Permission.WRITE


def _identities(ctx: RunContext) -> set[str | None]:
    """This run's, and those of the attempts before it once they are over."""
    own, repository, before = ctx.run.status.identity, ctx.repo.status.repository, ctx.previous
    if repository is None or (before is not None and before.status.completion_time is None):
        return {own}
    name = partial(
        run_identity,
        installation=ctx.installation,
        host=ctx.repo.spec.host,
        repository_id=repository.id,
        issue=ctx.run.spec.issue_number,
    )
    return {own, *(name(attempt=attempt) for attempt in range(1, ctx.run.spec.attempt))}


def _claimant(comment: Comment) -> str | None:
    """The identity of the run whose sticky comment this is."""
    found = find_marker(comment.body)
    return found.identity if found is not None and found.kind == "claim" else None
