"""OrchestratedRepo, second part: what a run may spend, change, publish and merge."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from orch.api.v1alpha1.common import LocalRef, Model
from orch.api.v1alpha1.markers import SET, Rule, keyed_by
from orch.api.v1alpha1.types import (
    CheckName,
    DnsLabel,
    Duration,
    LabelName,
    Money,
    PathGlob,
    at_least,
    at_most,
    count,
    line,
    text,
)
from orch.api.v1alpha1.vocabulary import Guard, GuardAction, MergeMethod


class BudgetSpec(Model):
    """What runs may spend on models. Decimal strings: the API conventions forbid floats."""

    per_run_usd: Money = Decimal(5)
    """US dollars for one run. Each model call is reserved at its worst case before it is made; at the limit the run
    parks with `BudgetExhausted` and keeps its work."""


class GuardRule(Model):
    """What one guard's findings do."""

    RULES = (
        Rule(
            "!(self.guard in ['SecretFound','Submodule','Symlink','Workflows']) || self.action != 'Allow'",
            "this guard can be set to Approve or Deny only",
            lambda rule: (
                rule["guard"] not in {"SecretFound", "Submodule", "Symlink", "Workflows"} or rule["action"] != "Allow"
            ),
        ),
    )

    guard: Guard
    """The guard."""
    action: GuardAction
    """Ignore its findings, ask a person before the first push, or end the run."""


class GuardsSpec(Model):
    """What a change may touch. Checked on the real diff in orch's own mirror, before every push."""

    RULES = (
        Rule(
            "!has(self.protectedPaths) || !has(self.exemptPaths)"
            " || !self.protectedPaths.exists(p, p in self.exemptPaths)",
            "a path cannot be in protectedPaths and exemptPaths at once",
            lambda guards: set(guards.get("protectedPaths", [])).isdisjoint(guards.get("exemptPaths", [])),
        ),
    )

    max_changed_files: Annotated[int, count(1, 3000)] = 20
    """Files that are added, changed or deleted; more is a `LargeChange`."""
    max_changed_lines: Annotated[int, count(1, 100_000)] = 1000
    """Lines added and deleted, together; more is a `LargeChange`."""
    max_file_bytes: Annotated[int, Field(ge=1, le=104_857_600, json_schema_extra={"format": "int64"})] = 1_048_576
    """Size of one file after the change; more is a `LargeChange`."""
    max_function_complexity: Annotated[int, count(5, 1000)] = 15
    """Cyclomatic complexity of one function; a change that raises it beyond is a `Complexity`. The default is lizard's."""
    allowed_paths: Annotated[list[PathGlob], Field(max_length=100), SET] = Field(default=[])
    """If given, every other path is a `ProtectedPath`."""
    protected_paths: Annotated[list[PathGlob], Field(max_length=100), SET] = Field(default=[])
    """A change here is a `ProtectedPath`."""
    exempt_paths: Annotated[list[PathGlob], Field(max_length=100), SET] = Field(default=[])
    """Paths that guards pass over; Workflows, Symlink and Submodule do not."""
    rules: Annotated[list[GuardRule], Field(max_length=16), keyed_by("guard")] = Field(default=[])
    """Other actions than a guard's own."""


class CommitSpec(Model):
    """How commits are signed with a name."""

    RULES = (
        Rule(
            "has(self.authorName) == has(self.authorEmail)",
            "authorName and authorEmail go together",
            lambda commit: ("authorName" in commit) == ("authorEmail" in commit),
        ),
    )

    author_name: Annotated[str, line(100)] | None = None
    """Name of the author; default: the operator's."""
    author_email: Annotated[str, text(254, 3, r"^[^\s@<>]+@[^\s@<>]+$")] | None = None
    """Address of the author; default: the operator's."""
    sign_off: bool = False
    """Add a `Signed-off-by` trailer (Developer Certificate of Origin)."""
    signing_secret_ref: LocalRef | None = None
    """Secret whose key `ssh-privatekey` signs each commit: ed25519, without a passphrase, registered as a signing key of the account."""


class PublishSpec(Model):
    """How a change becomes a pull request."""

    branch_prefix: Annotated[str, text(40, 1, r"^[A-Za-z0-9][A-Za-z0-9._-]*/$")] = "orch/"
    """Start of the branches' names; the rest is the issue's number and the run's identity."""
    labels: Annotated[list[LabelName], Field(max_length=20), SET] = Field(default=[])
    """Labels for the pull request; missing ones are made."""
    commit: CommitSpec = CommitSpec()
    """Who commits are by."""


class NoChecks(StrEnum):
    """What a commit without any check means."""

    ALLOW = "Allow"
    HOLD = "Hold"


class UpToDate(StrEnum):
    """When the branch must contain the newest base commit."""

    FROM_BRANCH_RULES = "FromBranchRules"
    ALWAYS = "Always"


class MergeQueue(StrEnum):
    """Whether orch uses the merge queue of a branch whose rules demand one."""

    AUTO = "Auto"
    DISABLED = "Disabled"


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# Go also knows `Local` and offsets such as `+02:00`, which the operator's own database does not.
_TIME_ZONE = Rule(
    "self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
    "must be an IANA time zone",
    _is_time_zone,
)


def _cron_field(value: str) -> str:
    item = rf"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


_CRON: Final = " ".join(
    map(
        _cron_field,
        (
            "[0-5]?[0-9]",
            "[01]?[0-9]|2[0-3]",
            "0?[1-9]|[12][0-9]|3[01]",
            "0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC",
            "[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT",
        ),
    )
)


class Freeze(Model):
    """A time in which nothing is merged."""

    name: DnsLabel
    """Name of the freeze, shown while a run waits for its end."""
    schedule: Annotated[str, text(100, 9, f"^{_CRON}$")]
    """When it begins: five fields of cron (minute, hour, day of month, month, day of week), e.g. `0 16 * * 5`."""
    duration: Annotated[Duration, at_least("1m"), at_most("8784h")]
    """How long it lasts."""
    time_zone: Annotated[str, text(64, 1, r"^[A-Za-z][A-Za-z0-9_+/-]*$"), _TIME_ZONE] = "UTC"
    """IANA time zone of the schedule."""


def _checks_apart(merge: Mapping[str, Any]) -> bool:
    return set(merge.get("requiredChecks", [])).isdisjoint(merge.get("ignoredChecks", []))


class MergeSpec(Model):
    """When and how a pull request is merged."""

    RULES = (
        Rule(
            "!has(self.requiredChecks) || !has(self.ignoredChecks)"
            " || !self.requiredChecks.exists(c, c in self.ignoredChecks)",
            "a check cannot be in requiredChecks and ignoredChecks at once",
            _checks_apart,
        ),
    )

    method: Literal[MergeMethod.SQUASH, MergeMethod.MERGE, MergeMethod.REBASE] = MergeMethod.SQUASH
    """How the pull request is merged. Where the branch is merged by a merge queue, its rule says how, not this."""
    queue: MergeQueue = MergeQueue.AUTO
    """Where the branch rules demand a merge queue, orch puts the pull request into it as soon as every gate is open, and takes it
    out again when one closes. `Disabled`: it stays out, `RulesFit` says so, and a person merges each pull request. Elsewhere orch
    merges directly, whatever this says."""
    required_checks: Annotated[list[CheckName], Field(max_length=50), SET] = Field(default=[])
    """Checks that must pass, beside those that the branch rules demand."""
    ignored_checks: Annotated[list[CheckName], Field(max_length=50), SET] = Field(default=[])
    """Checks whose failure is neither fixed nor waited for."""
    no_checks: NoChecks = NoChecks.HOLD
    """A commit on which no check appears within the grace period: wait for a person, or take it as passed."""
    up_to_date: UpToDate = UpToDate.FROM_BRANCH_RULES
    """Whether the branch must contain the newest base commit: as the branch rules say, or always."""
    blocker_label: LabelName | None = None
    """A label on the pull request that holds the merge back."""
    freezes: Annotated[list[Freeze], Field(max_length=10), keyed_by("name")] = Field(default=[])
    """Times in which nothing is merged."""
    delete_branch: bool = True
    """Delete the branch after the merge."""


class CircuitBreakerSpec(Model):
    """When runs that fail one after the other stop the repository."""

    consecutive_failures: Annotated[int, count(1, 100)] = 5
    """Failed runs in a row after which no new one starts until a person resumes. A merged run begins the row anew; runs
    that policy or people ended do not count."""
