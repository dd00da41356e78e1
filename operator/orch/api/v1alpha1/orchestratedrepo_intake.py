"""OrchestratedRepo, first part: which issues are taken, how many at once, how it is built, which model works."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from orch.api.v1alpha1.common import Model
from orch.api.v1alpha1.markers import ATOMIC, SET, Rule, keyed_by
from orch.api.v1alpha1.types import (
    LINE_PATTERN,
    Complexity,
    Duration,
    GitHubLogin,
    LabelName,
    ModelName,
    Percent,
    at_least,
    at_most,
    count,
    format_money,
    text,
)


class MinimumPermission(StrEnum):
    """A repository role of GitHub, lowest first."""

    TRIAGE = "Triage"
    WRITE = "Write"
    MAINTAIN = "Maintain"
    ADMIN = "Admin"


class CommentTrust(StrEnum):
    """Whose comments a run reads."""

    NONE = "None"
    TRUSTED = "Trusted"


class ContentChange(StrEnum):
    """What an edit of the issue does to its run."""

    IGNORE = "Ignore"
    HOLD = "Hold"
    REPLAN = "Replan"


def _apart(selector: dict[str, list[str]]) -> bool:
    wanted = {*selector.get("anyOf", []), *selector.get("allOf", [])}
    return wanted.isdisjoint(selector.get("noneOf", []))


def _can_be_listed(selector: dict[str, list[str]]) -> bool:
    return not any("," in label for label in selector.get("anyOf", []))


class Selector(Model):
    """Which labels make an issue wanted.

    A comma is refused in `anyOf`, as it ends a label's name in GitHub's REST "List repository issues"."""

    RULES = (
        Rule(
            "!has(self.anyOf) || !self.anyOf.exists(l, l.contains(','))",
            "GitHub cannot list issues by a label with a comma: rename the label, or ask for it in allOf",
            _can_be_listed,
        ),
        Rule(
            "!has(self.noneOf) || ((!has(self.anyOf) || !self.anyOf.exists(l, l in self.noneOf))"
            " && (!has(self.allOf) || !self.allOf.exists(l, l in self.noneOf)))",
            "a label cannot be wanted (anyOf, allOf) and unwanted (noneOf) at once",
            _apart,
        ),
    )

    any_of: Annotated[list[LabelName], Field(max_length=10), SET] = Field(default=["orch"])
    """One of these must be on the issue, put there by somebody whom `trust` names. Empty: none is taken by labels."""
    all_of: Annotated[list[LabelName], Field(max_length=10), SET] = Field(default=[])
    """All of these must be on the issue as well."""
    none_of: Annotated[list[LabelName], Field(max_length=20), SET] = Field(
        default=["blocked", "manual-only", "wontfix"]
    )
    """None of these may be on the issue."""


class TrustSpec(Model):
    """Who may start a run, and whose text reaches a model. Loosening it lets strangers spend your money."""

    minimum_permission: MinimumPermission = MinimumPermission.WRITE
    """The role on the repository that whoever labels must have at that moment, by the code host's own answer."""
    allowed_actors: Annotated[list[GitHubLogin], Field(max_length=50), SET] = Field(default=[])
    """Accounts that may start runs whatever their role, by their exact login, e.g. `acme-triage[bot]`."""
    comments: CommentTrust = CommentTrust.TRUSTED
    """Comments that a run reads beside the issue: those of trusted people, or none."""
    on_content_change: ContentChange = ContentChange.HOLD
    """When title, text or trusted comments change after the label: go on with the old text, wait for a trusted person
    to label again, or plan anew."""


class IssuesSpec(Model):
    """Which issues are taken."""

    selector: Selector = Selector()
    """The labels that make an issue wanted."""
    trust: TrustSpec = TrustSpec()
    """Who may start a run."""
    require_acceptance_criteria: bool = False
    """Refuse issues in which the analysis finds no acceptance criteria."""
    max_complexity: Complexity = 7
    """Refuse issues that the analysis finds harder than this."""
    min_confidence_percent: Percent = 60
    """Refuse issues when the analysis is less sure than this that it can be done."""


class ConcurrencySpec(Model):
    """How much goes on at once. At a limit, runs wait in the queue."""

    max_active_runs: Annotated[int, count(1, 100)] = 1
    """Runs between their start and their pull request."""
    max_open_pull_requests: Annotated[int, count(1, 100)] = 5
    """Pull requests of orch that are open."""
    max_runs_per_day: Annotated[int, count(1, 1000)] = 20
    """Runs that start within 24 hours."""
    max_runs_per_issue: Annotated[int, count(1, 10)] = 2
    """Runs that orch starts by itself for one issue; a person may ask for more."""


Commands = Annotated[list[Annotated[str, text(4096, 1)]], Field(max_length=20), ATOMIC]
StepTime = Annotated[Duration, at_least("10s"), at_most("24h")]


class EnvVar(Model):
    """An environment variable of the repository's commands. Never a secret: model and code can read it."""

    name: Annotated[str, text(128, 1, r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The variable's name."""
    value: Annotated[str, text(4096)]
    """The variable's value."""


class TimeoutsSpec(Model):
    """How long a part of a run may take before it is ended."""

    analyse: StepTime = timedelta(minutes=10)
    """One analysis."""
    plan: StepTime = timedelta(minutes=15)
    """One plan."""
    implement: StepTime = timedelta(hours=1)
    """One implementation, tests and their fixes within it included; also one fix of checks, review or conflict."""
    test: StepTime = timedelta(minutes=30)
    """One run of one of the repository's commands."""
    checks: Annotated[Duration, at_least("1m"), at_most("168h")] = timedelta(hours=1)
    """How long checks of a pull request may stay pending."""
    run: Annotated[Duration, at_least("10m"), at_most("720h")] = timedelta(hours=72)
    """The whole run, waiting for people included."""


class AttemptsSpec(Model):
    """How often something that failed is tried again. Waiting and lost steps use none."""

    implement: Annotated[int, count(1, 10)] = 2
    """Implementations, the first included."""
    test_fix: Annotated[int, count(0, 10)] = 3
    """Times that red tests or lint go back to the model within one step."""
    checks_fix: Annotated[int, count(0, 10)] = 2
    """Fixes after red checks on the pull request."""
    review_fix: Annotated[int, count(0, 10)] = 2
    """Fixes after a review that asks for changes."""
    conflict_fix: Annotated[int, count(0, 10)] = 2
    """Fixes of conflicts with the base branch."""


class PipelineSpec(Model):
    """How the repository is set up and tested: shell command lines, run in order in a checkout without credentials."""

    working_directory: (
        Annotated[
            str,
            text(256, 1, rf"^[^/\x00-\x1f\x7f-\x9f]{LINE_PATTERN[1:]}"),
            Rule(
                "!self.split('/').exists(s, s == '..')",
                "must stay inside the repository",
                lambda path: ".." not in path.split("/"),
            ),
        ]
        | None
    ) = None
    """Folder that the commands run in, from the repository's root, which is also the default."""
    setup: Commands = Field(default=[])
    """Prepares a fresh checkout, e.g. installs dependencies."""
    lint: Commands = Field(default=[])
    """Must succeed for a change to be published; run before `test`."""
    test: Commands = Field(default=[])
    """Must succeed for a change to be published. Empty: found by the files of the repository."""
    env: Annotated[list[EnvVar], Field(max_length=50), keyed_by("name")] = Field(default=[])
    """Environment of all commands."""
    timeouts: TimeoutsSpec = TimeoutsSpec()
    """How long a part of a run may take."""
    attempts: AttemptsSpec = AttemptsSpec()
    """How often something that failed is tried again."""


_TEMPERATURE = r"^(0(\.[0-9]{1,2})?|1(\.0{1,2})?)$"


def _temperature(value: object) -> Decimal:
    amount = Decimal(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else None
    if amount is None or not 0 <= amount <= 1:
        raise ValueError('must be from "0" to "1", as a string')
    return amount


Temperature = Annotated[
    Decimal,
    BeforeValidator(_temperature),
    PlainSerializer(format_money, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 4, "minLength": 1, "pattern": _TEMPERATURE}),
]
OutputTokens = Annotated[int, count(256, 128_000)]


class ModelStage(StrEnum):
    """A kind of work that a model does."""

    ANALYSE = "Analyse"
    PLAN = "Plan"
    IMPLEMENT = "Implement"
    CHECKS = "Checks"
    REVIEW = "Review"
    CONFLICT = "Conflict"


class ModelOverride(Model):
    """Another model for one kind of work."""

    RULES = (
        Rule(
            "has(self.name) || has(self.maxOutputTokens)",
            "an override sets name, maxOutputTokens or both",
            lambda override: "name" in override or "maxOutputTokens" in override,
        ),
    )

    stage: ModelStage
    """The kind of work: the three stages, or the fix of red checks, of a review's findings or of a conflict."""
    name: ModelName | None = None
    """The model's id; default: as for all."""
    max_output_tokens: OutputTokens | None = None
    """Tokens in one answer at most; default: as for all."""


class ModelSpec(Model):
    """Which model works. Keys are held by the gateway, never named here."""

    name: ModelName | None = None
    """The model's id, e.g. `claude-sonnet-4-5`; default: the operator's. It needs a price in the gateway's table."""
    max_output_tokens: OutputTokens = 16_000
    """Tokens in one answer at most."""
    temperature: Temperature | None = None
    """From "0" to "1", a string; default: the model's own."""
    overrides: Annotated[list[ModelOverride], Field(max_length=6), keyed_by("stage")] = Field(default=[])
    """Other settings for one kind of work."""
