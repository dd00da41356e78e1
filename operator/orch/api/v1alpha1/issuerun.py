"""IssueRun: one attempt to bring one issue to a merged pull request. Created by the operator or by a person."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import KubeObject, LocalRef, Model, RepositoryRef, name_at_most
from orch.api.v1alpha1.issuerun_adoption import AdoptRequest
from orch.api.v1alpha1.issuerun_status import IssueRunStatus
from orch.api.v1alpha1.markers import Rule, immutable
from orch.api.v1alpha1.types import GitHubLogin, ModelName, Money, Number, Time, Username, count, text


class TriggerType(StrEnum):
    """What started a run."""

    LABEL = "Label"
    MANUAL = "Manual"
    RETRY = "Retry"


class Trigger(Model):
    """What started the run, and who."""

    RULES = (
        Rule(
            "self.type == 'Manual' || self.type == 'Retry' ? has(self.username) : has(self.githubLogin)",
            "Manual and Retry name a Kubernetes user, Label a GitHub login",
            lambda trigger: ("githubLogin" if trigger["type"] == "Label" else "username") in trigger,
        ),
    )

    type: TriggerType
    """A label on the issue, a person's own request, or a person's request to try again."""
    username: Username | None = None
    """Manual and Retry: the Kubernetes user who asked."""
    github_login: GitHubLogin | None = None
    """Label: the account that put the label on."""
    time: Time | None = None
    """When."""
    event_id: Annotated[str, text(64, 1, r"^[A-Za-z0-9_=-]+$")] | None = None
    """Label: the host's id of the event, so that it starts one run only."""


class PlanApproval(StrEnum):
    """A run may ask for more approval than policy does, never for less."""

    ALWAYS = "Always"


class RunOverrides(Model):
    """What this run does otherwise than the repository's policy; only ever stricter."""

    budget_usd: Money | None = None
    """US dollars that the run may spend; the lower of this and the repository's `perRunUSD` counts."""
    model_name: ModelName | None = None
    """The model for all its work."""
    plan_approval: PlanApproval | None = None
    """Ask for approval of the plan."""


class CancelRequest(Model):
    """A person ends the run."""

    username: Username
    """Who."""
    reason: Annotated[str, text(1024, 1)]
    """Why; it is told on the issue."""


class IssueRunSpec(Model):
    """Which issue, and why. Immutable but for `suspend`, `cancel` and `adopt`."""

    RULES = (
        Rule("self.trigger == oldSelf.trigger", "trigger is immutable"),
        Rule(
            "has(self.retryOf) == has(oldSelf.retryOf) && has(self.overrides) == has(oldSelf.overrides)",
            "retryOf and overrides are immutable",
        ),
        Rule("!has(oldSelf.cancel) || has(self.cancel)", "cancel cannot be taken back"),
        Rule(
            "self.trigger.type != 'Retry' || has(self.retryOf)",
            "a Retry names retryOf",
            lambda spec: spec["trigger"]["type"] != "Retry" or "retryOf" in spec,
        ),
        Rule(
            "!has(self.retryOf) || self.trigger.type == 'Retry'",
            "only a Retry names retryOf",
            lambda spec: "retryOf" not in spec or spec["trigger"]["type"] == "Retry",
        ),
    )

    repository_ref: RepositoryRef
    """The OrchestratedRepo in the same namespace."""
    issue_number: Annotated[Number, Field(le=2_147_483_647), immutable("issueNumber")]
    """The issue's number."""
    attempt: Annotated[int, count(1, 1000), immutable("attempt")] = 1
    """The n-th run for this issue."""
    trigger: Trigger
    """What started it, and who."""
    retry_of: Annotated[LocalRef, immutable("retryOf")] | None = None
    """The run that this one tries again; what it learnt is told to the model."""
    overrides: Annotated[RunOverrides, immutable("overrides")] | None = None
    """What this run does otherwise."""
    suspend: bool | None = None
    """True: the running step finishes, nothing new is begun."""
    cancel: Annotated[CancelRequest, immutable("cancel", "cancel cannot be changed or taken back")] | None = None
    """A person ends the run. Set once."""
    adopt: AdoptRequest | None = None
    """A person has the run go on with commits that somebody else pushed to its branch, once its guards have judged them."""


class IssueRun(KubeObject):
    """One attempt to bring one issue to a merged pull request."""

    KIND = "IssueRun"
    PLURAL = "issueruns"
    SHORT = "irun"
    RULES = (name_at_most(52),)

    spec: IssueRunSpec
    """Which issue, and why."""
    status: IssueRunStatus = Field(default_factory=IssueRunStatus)
    """How far it is."""
