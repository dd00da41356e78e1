"""The way of a run: a stage makes one fact true. What a kind of resource is reconciled to is not decided here.

PIPELINE is the order, once. Every stage may run at any time; those whose fact is recorded answer at once.
"""

from __future__ import annotations

from typing import Final

from orch.stages.analyse import analyse
from orch.stages.checks import checks
from orch.stages.claim import claim
from orch.stages.contract import Again, Done, Outcome, RunContext, Stage, Waiting
from orch.stages.guard import guard
from orch.stages.implement import implement
from orch.stages.interference import interference
from orch.stages.merge import merge
from orch.stages.plan import plan
from orch.stages.publish import publish
from orch.stages.queued import queued
from orch.stages.review import review
from orch.stages.verify import verify

PIPELINE: Final[tuple[Stage, ...]] = (
    queued,
    claim,
    analyse,
    plan,
    implement,
    guard,
    publish,
    checks,
    review,
    merge,
    verify,
)

__all__ = ["PIPELINE", "Again", "Done", "Outcome", "RunContext", "Stage", "Waiting", "interference"]
