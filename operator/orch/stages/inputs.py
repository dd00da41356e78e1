"""What a work step is given: the issue as it was trusted, the commits as a bundle, commands, limits, the model.

Made by `orch.stages.work` when it starts a step, read by the stages that need to know what an answer was about. It starts
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orch.api.v1alpha1 import IssueRun, Step, StepState
from orch.api.work import (
    BadDocument,
    Commands,
    Feedback,
    IssueText,
    Limits,
    ModelChoice,
    StepInput,
    StepStage,
    decode,
)
from orch.errors import NotFound, Terminal
from orch.stages.contract import RunContext

INPUT_LIMIT: Final = 8_000_000


@dataclass(frozen=True)
class Order:
    """What a stage wants done, on which commits."""

    stage: StepStage
    head_sha: str
    base_sha: str
    timeout: timedelta
    merge_sha: str | None = None
    analysis: str = ""
    plan: str = ""
    feedback: tuple[Feedback, ...] = ()


def step_name(run: IssueRun, stage: StepStage, number: int) -> str:
    """`<run>-<stage>-<n>`: deterministic, so that a start that was repeated finds the first."""
    return f"{run.metadata.name}-{stage.lower()}-{number}"


async def make_input(ctx: RunContext, order: Order, number: int) -> StepInput:
    """All that the step is given, its bundle stored."""
    pipeline = ctx.repo.spec.pipeline
    return StepInput(
        name=step_name(ctx.run, order.stage, number),
        identity=ctx.run.status.identity or "",
        stage=order.stage,
        number=number,
        issue=await issue_text(ctx),
        bundle=await _bundle(ctx, order),
        base_sha=order.base_sha,
        head_sha=order.head_sha,
        merge_sha=order.merge_sha,
        acceptance_required=ctx.repo.spec.issues.require_acceptance_criteria,
        analysis=order.analysis,
        plan=order.plan,
        feedback=order.feedback,
        commands=Commands(
            working_directory=pipeline.working_directory or ".",
            setup=tuple(pipeline.setup or ()),
            lint=tuple(pipeline.lint or ()),
            test=tuple(pipeline.test or ()),
            env={entry.name: entry.value for entry in pipeline.env or ()},
            test_timeout_seconds=pipeline.timeouts.test.total_seconds(),
        ),
        limits=Limits(seconds=order.timeout.total_seconds(), test_fix=pipeline.attempts.test_fix),
        model=_model(ctx, order.stage),
    )


async def read_input(ctx: RunContext, step: Step) -> StepInput:
    """What the step was given."""
    return decode(await ctx.artifacts.get(step.input_digest or "", limit=INPUT_LIMIT), StepInput)


async def issue_text(ctx: RunContext) -> IssueText:
    """The snapshot that the claim took: what was trusted then, whatever the issue says now."""
    digest = ctx.run.status.issue.content_digest if ctx.run.status.issue else None
    if digest is None:
        raise Terminal("SnapshotMissing", "the run has no snapshot of its issue")
    return decode(await ctx.artifacts.get(digest, limit=INPUT_LIMIT), IssueText)


async def _bundle(ctx: RunContext, order: Order) -> str:
    """Digest of a bundle with the history of the order's commits. The step before has mostly been given the same."""
    kept = await _given_before(ctx, order)
    if kept is not None:
        return kept
    shas = [sha for sha in (order.base_sha, order.head_sha, order.merge_sha) if sha]
    bundle = await ctx.git.bundle(ctx.remote, list(dict.fromkeys(shas)))
    try:
        return await ctx.artifacts.put_file(bundle)
    finally:
        bundle.unlink(missing_ok=True)


async def _given_before(ctx: RunContext, order: Order) -> str | None:
    """The bundle of the newest step, if it holds these commits and the step ended well, so that it was there a moment ago."""
    newest = ctx.run.status.steps[-1] if ctx.run.status.steps else None
    if newest is None or newest.state is not StepState.SUCCEEDED:
        return None
    try:
        given = await read_input(ctx, newest)
    except (NotFound, BadDocument):
        return None
    same = (given.base_sha, given.head_sha, given.merge_sha) == (order.base_sha, order.head_sha, order.merge_sha)
    return given.bundle if same else None


def _model(ctx: RunContext, stage: StepStage) -> ModelChoice:
    spec = ctx.repo.spec.model
    override = next((entry for entry in spec.overrides or () if entry.stage == stage.value), None)
    asked = ctx.run.spec.overrides.model_name if ctx.run.spec.overrides else None
    return ModelChoice(
        name=asked or (override and override.name) or spec.name or ctx.default_model,
        max_output_tokens=(override and override.max_output_tokens) or spec.max_output_tokens,
        temperature=spec.temperature,
    )
