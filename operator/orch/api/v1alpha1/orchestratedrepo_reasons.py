"""Condition types and reasons of an OrchestratedRepo. Used through `reasons`, which has those of the other kinds."""

from __future__ import annotations

from orch.api.documented import Documented


class OrchestratedRepoCondition(Documented):
    """Condition types of an OrchestratedRepo."""

    READY = "Ready", "Whether runs can start: the repository is there, the credential works, nothing is stalled."
    STALLED = "Stalled", "True while a person has to say that new work may start; absent otherwise."
    CREDENTIALS_READY = "CredentialsReady", "Whether the Secret holds a credential that the host accepts."
    CHECKS_READABLE = (
        "ChecksReadable",
        "Whether the credential may read check runs, which GitHub Actions and other Apps make. Else only commit statuses count.",
    )
    RULES_FIT = (
        "RulesFit",
        "Whether GitHub's rules for the base branch and for orch's own branches let it push and merge as spec.merge says.",
    )
    ADMISSION_ENFORCED = (
        "AdmissionEnforced",
        "Whether the API server protects decisions in this namespace. While it is not True, no decision counts.",
    )


class OrchestratedRepoReason(Documented):
    """Reasons of an OrchestratedRepo's conditions."""

    AVAILABLE = "Available", "The repository can be read and written. Nothing to do."
    SUSPENDED = "Suspended", "spec.suspend is true. Set it to false, or remove it, to go on."
    CREDENTIALS_VALID = "CredentialsValid", "The host accepts the credential. Nothing to do."
    CREDENTIALS_MISSING = (
        "CredentialsMissing",
        "The Secret of spec.credentialsRef is not there, or has no key `token`. Create it in the same namespace.",
    )
    BAD_CREDENTIALS = "BadCredentials", "The host refuses the token (401). Put a valid one into the Secret."
    FORBIDDEN = (
        "Forbidden",
        "The token lacks a permission (403). The message names what was tried; grant it to the token.",
    )
    CHECK_RUNS_READABLE = "CheckRunsReadable", "The credential reads check runs and commit statuses. Nothing to do."
    CHECK_RUNS_REFUSED = (
        "CheckRunsRefused",
        "The token may not read check runs (403). Use a GitHub App with Checks (read), or a classic token with the scope "
        "repo; a fine-grained token cannot get the permission. orch asks again when a run reads checks, or a person asks.",
    )
    RULES_FIT = "Fits", "orch can merge; the message says what a run waits for on GitHub. Nothing to do."
    METHOD_REFUSED = (
        "MergeMethodRefused",
        "The base branch does not take pull requests by spec.merge.method. Set it to one that the message names, or allow it "
        "on GitHub.",
    )
    MERGE_QUEUE_REQUIRED = (
        "MergeQueueRequired",
        "The base branch asks for a merge queue, and spec.merge.queue is Disabled. A person merges each pull request, or set it to "
        "Auto.",
    )
    BRANCH_LOCKED = "BranchLocked", "The base branch takes no changes. Unlock it, or let orch bypass that rule."
    PUSH_BLOCKED = (
        "PushBlocked",
        "A ruleset of GitHub covers orch's own branches, which it then cannot push. Leave spec.publish.branchPrefix out of it.",
    )
    STATUS_UNWRITABLE = (
        "StatusUnwritable",
        "The base branch requires the status orch, which the token may not write. Grant it Commit statuses (write).",
    )
    REPOSITORY_NOT_FOUND = (
        "RepositoryNotFound",
        "No such repository, or the token may not see it: the host answers 404 to both. Check both.",
    )
    REPOSITORY_EMPTY = "RepositoryEmpty", "The repository has no commit. Push a first one."
    REPOSITORY_ARCHIVED = "RepositoryArchived", "The repository is read-only. Unarchive it, or delete this object."
    REPOSITORY_CHANGED = (
        "RepositoryChanged",
        "Another repository has this name now: its id differs. If that is meant, delete this object, create it anew.",
    )
    REPOSITORY_CLAIMED = (
        "RepositoryClaimed",
        "Another OrchestratedRepo works on the repository. Delete one; the other goes on within spec.interval.",
    )
    BRANCH_NOT_FOUND = "BranchNotFound", "The repository has no branch spec.baseBranch. Correct it, or push the branch."
    HOST_NOT_ALLOWED = "HostNotAllowed", "spec.host is not in the operator's list of hosts. Ask who runs the operator."
    INVALID_SPEC = (
        "InvalidSpec",
        "The spec asks for something that cannot be, e.g. a freeze without an end. The message says what.",
    )
    RATE_LIMITED = (
        "RateLimited",
        "The host asks us to wait. Goes on by itself; a GitHub App has a larger quota than a token.",
    )
    UNREACHABLE = (
        "Unreachable",
        "The host does not answer. Tried again with growing pauses; check network and status page.",
    )
    CIRCUIT_OPEN = (
        "CircuitOpen",
        "spec.circuitBreaker.consecutiveFailures runs in a row failed. Mend the cause, then kubectl orch resume.",
    )
    PROGRESSING = "Progressing", "The operator is looking at the repository. Wait a moment."
    # the admission policies
    ENFORCED = (
        "Enforced",
        "A decision that the operator forged, as a dry run, was refused by the policy. Nothing to do.",
    )
    POLICY_MISSING = (
        "PolicyMissing",
        "An admission policy or its binding is not there; the message names it. Apply manifests/admission.yaml.",
    )
    POLICY_CHANGED = (
        "PolicyChanged",
        "An admission policy is not that of this release, or its binding does not deny. Apply manifests/admission.yaml.",
    )
    CRDS_CHANGED = (
        "CRDsChanged",
        "A CRD is not that of this release, so that fields of policy or answers would be lost. Apply crds/ of this release.",
    )
    POLICY_NOT_IN_FORCE = (
        "PolicyNotInForce",
        "The policies are there, but a forged decision was accepted here. Have their bindings select this namespace.",
    )
    POLICY_UNKNOWN = (
        "PolicyUnknown",
        "The operator could not try the policies; the message says what was refused. Apply manifests/operator.yaml.",
    )
