"""OrchestratedRepo: one repository on a code host and every policy for it. The operator never writes its spec."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from orch.api.v1alpha1.common import KubeObject, LocalRef, Model, ReconciledStatus, StatusModel, name_at_most
from orch.api.v1alpha1.markers import Rule, immutable, keyed_by
from orch.api.v1alpha1.orchestratedrepo_approvals import ApprovalsSpec
from orch.api.v1alpha1.orchestratedrepo_intake import ConcurrencySpec, IssuesSpec, ModelSpec, PipelineSpec
from orch.api.v1alpha1.orchestratedrepo_policy import (
    BudgetSpec,
    CircuitBreakerSpec,
    GuardsSpec,
    MergeSpec,
    PublishSpec,
)
from orch.api.v1alpha1.types import BranchName, Count, Digest, Duration, Time, at_least, at_most, text
from orch.api.v1alpha1.vocabulary import Mode

RepositoryName = Annotated[str, text(140, 3, r"^[A-Za-z0-9]([A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$")]
HostName = Annotated[str, text(253, 1, r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$")]


def _merge_is_asked(spec: Mapping[str, Any]) -> bool:
    never = any(entry == {"gate": "Merge", "when": "Never"} for entry in spec.get("approvals", {}).get("gates", []))
    return not never or spec.get("mode") == "Autonomous"


class OrchestratedRepoSpec(Model):
    """One repository and every policy for it."""

    RULES = (
        Rule(
            "!has(self.approvals.gates) || self.mode == 'Autonomous'"
            " || !self.approvals.gates.exists(g, g.gate == 'Merge' && g.when == 'Never')",
            "gate Merge may be Never in mode Autonomous only",
            _merge_is_asked,
        ),
        Rule(
            "!has(self.merge.blockerLabel) || !has(self.publish.labels)"
            " || !(self.merge.blockerLabel in self.publish.labels)",
            "publish.labels must not hold merge.blockerLabel: nothing could ever be merged",
            lambda spec: spec["merge"].get("blockerLabel") not in spec["publish"].get("labels", []),
        ),
    )

    repository: Annotated[RepositoryName, immutable("repository")]
    """`owner/name` on the host. Immutable: another repository is another object."""
    host: Annotated[HostName, immutable("host")] = "github.com"
    """An entry of the operator's own list of hosts, never an address by itself. Immutable."""
    credentials_ref: LocalRef
    """Secret in the same namespace with the key `token`: a token that may read and write contents, issues, pull
    requests, commit statuses and actions of the repository."""
    base_branch: BranchName | None = None
    """Branch that changes are made for; default: the repository's default branch."""
    interval: Annotated[Duration, at_least("10s"), at_most("24h")] = timedelta(minutes=1)
    """How often the host is asked for new issues. Asking is free of quota while nothing has changed."""
    suspend: bool | None = None
    """True: no new work; what is running finishes its step and waits. No default: people own it, Git does not."""
    mode: Mode = Mode.SUPERVISED
    """`Manual`: only runs that a person asked for. `Supervised`: the merge is always asked. `Autonomous`: asks only
    what policy and risk demand."""
    issues: IssuesSpec = IssuesSpec()
    """Which issues are taken."""
    concurrency: ConcurrencySpec = ConcurrencySpec()
    """How much goes on at once."""
    pipeline: PipelineSpec = PipelineSpec()
    """How the repository is set up and tested."""
    model: ModelSpec = ModelSpec()
    """Which model works."""
    budget: BudgetSpec = BudgetSpec()
    """What runs may spend."""
    guards: GuardsSpec = GuardsSpec()
    """What a change may touch."""
    approvals: ApprovalsSpec = ApprovalsSpec()
    """When people are asked."""
    publish: PublishSpec = PublishSpec()
    """How a change becomes a pull request."""
    merge: MergeSpec = MergeSpec()
    """When and how a pull request is merged."""
    circuit_breaker: CircuitBreakerSpec = CircuitBreakerSpec()
    """When runs that fail one after the other stop the repository."""


class Visibility(StrEnum):
    """Who may see the repository."""

    PUBLIC = "Public"
    PRIVATE = "Private"
    INTERNAL = "Internal"


class RepositoryStatus(StatusModel):
    """Who the repository is, by the host's answer. The id is compared before every write."""

    id: Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})]
    """The host's number for the repository; it stays when the repository is renamed."""
    node_id: Annotated[str, text(100)] | None = None
    """The host's global id."""
    default_branch: Annotated[str, text(255)]
    """The repository's default branch."""
    visibility: Visibility | None = None
    """Who may see it."""
    archived: bool = False
    """Whether it is read-only."""
    url: Annotated[str, text(512)] | None = None
    """Its web page."""


class RunsStatus(StatusModel):
    """What is going on now."""

    queued: Count = 0
    """Runs that wait for a slot."""
    active: Count = 0
    """Runs at work."""
    waiting: Count = 0
    """Runs that wait for something outside of orch."""
    awaiting_approval: Count = 0
    """Runs that wait for a decision of a person."""
    open_pull_requests: Count = 0
    """Pull requests of orch that are open."""


class TotalsStatus(StatusModel):
    """The repository's runs that still exist, by how they ended. Deleting runs takes them out of the count."""

    started: Count = 0
    """All runs, those at work among them."""
    merged: Count = 0
    """Runs that ended with a merged pull request."""
    failed: Count = 0
    """Runs that failed."""
    rejected: Count = 0
    """Runs that policy or a person denied."""
    cancelled: Count = 0
    """Runs that people or the world ended."""


class RefusedIssue(StatusModel):
    """An open issue that carries a label of the selector and is not taken."""

    issue_number: Annotated[int, Field(ge=1, le=2147483647)]
    """The issue."""
    reason: Annotated[str, text(64)]
    """Why, for machines; see the reference of conditions."""
    message: Annotated[str, text(512)]
    """Why, and what to do, for people."""


class CircuitState(StrEnum):
    """Whether new runs may start."""

    CLOSED = "Closed"
    OPEN = "Open"


class CircuitStatus(StatusModel):
    """The circuit breaker. Open: no new run starts until a person sets the annotation `orch.dev/resetAt` to a new value."""

    state: CircuitState = CircuitState.CLOSED
    """Whether new runs may start."""
    consecutive_failures: Count = 0
    """Runs that failed, in the order of their creation, since the last one that was merged."""
    opened_time: Time | None = None
    """When it opened."""
    reset_time: Time | None = None
    """When a person closed it; runs from before do not count."""
    last_handled_reset_at: Annotated[str, text(256)] | None = None
    """The annotation's value that was obeyed last."""


class RateLimitStatus(StatusModel):
    """The host's quota for this credential, written at most once in five minutes."""

    limit: Count
    """Requests in one window."""
    remaining: Count
    """Requests that are left in this window."""
    reset_time: Time
    """When the window ends."""
    observed_time: Time | None = None
    """When the host said so."""


class OrchestratedRepoStatus(ReconciledStatus):
    """What the operator knows of the repository."""

    repository: RepositoryStatus | None = None
    """Who the repository is, by the host's answer."""
    policy_digest: Digest | None = None
    """Digest of the effective policy; an approval given under another one does not count."""
    runs: RunsStatus = Field(default_factory=RunsStatus)
    """What is going on now."""
    totals: TotalsStatus | None = None
    """How runs ended, counted anew when one ends."""
    refused: Annotated[list[RefusedIssue], Field(max_length=20), keyed_by("issueNumber")] = Field(default_factory=list)
    """Issues with a label of the selector that are not taken, and why: the first twenty by number."""
    refused_omitted: Count = 0
    """How many more there are than are listed."""
    rate_limit: RateLimitStatus | None = None
    """The host's quota for this credential."""
    circuit: CircuitStatus | None = None
    """The circuit breaker."""


class OrchestratedRepo(KubeObject):
    """One repository on a code host and every policy for it."""

    KIND = "OrchestratedRepo"
    PLURAL = "orchestratedrepos"
    SHORT = "orepo"
    RULES = (name_at_most(40),)

    spec: OrchestratedRepoSpec
    """What the repository's people want."""
    status: OrchestratedRepoStatus = Field(default_factory=OrchestratedRepoStatus)
    """What the operator knows of it."""
