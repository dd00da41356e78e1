"""Words that several kinds use: gates, risks, guards, stages. Values are what stands in the YAML."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How much freedom a repository's runs have."""

    MANUAL = "Manual"
    SUPERVISED = "Supervised"
    AUTONOMOUS = "Autonomous"


class Gate(StrEnum):
    """A point of the way where people can be asked."""

    PLAN = "Plan"
    PUBLISH = "Publish"
    MERGE = "Merge"


class When(StrEnum):
    """When a gate asks."""

    NEVER = "Never"
    BY_RISK = "ByRisk"
    ALWAYS = "Always"


class Risk(StrEnum):
    """How much harm a change can do."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class Guard(StrEnum):
    """A check on the real diff, made before the first push and again after each fix."""

    BINARY_FILE = "BinaryFile"
    BREAKING_CHANGE = "BreakingChange"
    COMPLEXITY = "Complexity"
    CONFIGURATION = "Configuration"
    DELETION = "Deletion"
    DEPENDENCIES = "Dependencies"
    LARGE_CHANGE = "LargeChange"
    LICENSES = "Licenses"
    MIGRATIONS = "Migrations"
    PROTECTED_PATH = "ProtectedPath"
    SECRET_FOUND = "SecretFound"  # noqa: S105 - a guard's name
    SECURITY = "Security"
    SUBMODULE = "Submodule"
    SYMLINK = "Symlink"
    TESTS_MISSING = "TestsMissing"
    WORKFLOWS = "Workflows"


class GuardAction(StrEnum):
    """What a guard's finding does."""

    ALLOW = "Allow"
    APPROVE = "Approve"
    DENY = "Deny"


class OnExpiry(StrEnum):
    """What happens to a run when nobody has decided in time."""

    DENY = "Deny"
    HOLD = "Hold"


class RequesterRule(StrEnum):
    """Whether whoever set a run off may approve it."""

    MAY_APPROVE = "MayApprove"
    MUST_NOT_APPROVE = "MustNotApprove"


class Verdict(StrEnum):
    """A person's decision."""

    APPROVE = "Approve"
    DENY = "Deny"


class ApprovalOutcome(StrEnum):
    """How a question ended."""

    PENDING = "Pending"
    APPROVED = "Approved"
    DENIED = "Denied"
    EXPIRED = "Expired"
    SUPERSEDED = "Superseded"
    NOT_REQUIRED = "NotRequired"


class MergeMethod(StrEnum):
    """How a pull request is or was merged; `Unknown` when a person merged, and never a setting."""

    SQUASH = "Squash"
    MERGE = "Merge"
    REBASE = "Rebase"
    UNKNOWN = "Unknown"


class RunStage(StrEnum):
    """The stages of a run, in their order."""

    QUEUED = "Queued"
    CLAIM = "Claim"
    ANALYSE = "Analyse"
    PLAN = "Plan"
    IMPLEMENT = "Implement"
    TEST = "Test"
    GUARD = "Guard"
    PUBLISH = "Publish"
    CHECKS = "Checks"
    REVIEW = "Review"
    MERGE = "Merge"
    VERIFY = "Verify"
    DONE = "Done"


class FailureClass(StrEnum):
    """What the loop does with a failure; the same words as `orch.errors`."""

    RATE_LIMITED = "RateLimited"
    BUDGET_EXHAUSTED = "BudgetExhausted"
    TRANSIENT = "Transient"
    TERMINAL = "Terminal"
    POLICY_DENIED = "PolicyDenied"
    NEEDS_HUMAN = "NeedsHuman"
    CANCELLED = "Cancelled"
    LOST = "Lost"


class ArtifactKind(StrEnum):
    """Where an artifact is kept."""

    CONFIG_MAP = "ConfigMap"
    OBJECT = "Object"
    GIT_REF = "GitRef"
    URL = "URL"
