"""Every condition type and reason: when it is set, and what a person can do. Used by all who set or read conditions.

The text beside a value is its documentation at run time too: `WaitingReason.QUEUE_FULL.meaning`. A run that ends takes
the reason of the error that ended it, so those are listed here as well.
"""

from __future__ import annotations

from orch.api.documented import Documented
from orch.api.v1alpha1.orchestratedrepo_reasons import OrchestratedRepoCondition, OrchestratedRepoReason

__all__ = [
    "AdapterReason",
    "ApprovalCondition",
    "ApprovalReason",
    "Documented",
    "IntakeReason",
    "IssueRunCondition",
    "IssueRunReason",
    "OrchestratedRepoCondition",
    "OrchestratedRepoReason",
    "WaitingReason",
    "find_meaning",
]


class IssueRunCondition(Documented):
    """Condition types of an IssueRun."""

    ACCEPTED = "Accepted", "Whether the run was admitted and its issue taken."
    PLANNED = "Planned", "Whether there is a plan, approved where that was asked."
    TESTED = (
        "Tested",
        "Whether the repository's tests passed on the change, by the sandbox: a claim, which its checks prove.",
    )
    PUBLISHED = "Published", "Whether the change is a pull request."
    CHECKS_PASSED = "ChecksPassed", "Whether all checks that count have passed on the current head."
    MERGE_APPROVED = "MergeApproved", "Whether the gate Merge is open for exactly this change."
    MERGED = "Merged", "Whether the pull request was merged."
    STATUS_SHOWN = (
        "StatusShown",
        "False while the credential may not say on the pull request how the run stands; absent otherwise.",
    )
    WAITING = "Waiting", "True while the run waits for something outside of orch; the reason says for what."
    SUCCEEDED = "Succeeded", "Unknown while the run is active; then True or False, for good."


class IntakeReason(Documented):
    """Reasons in `status.refused` of an OrchestratedRepo: why an issue that carries its label is not taken."""

    LABEL_EXCLUDES = (
        "LabelExcludes",
        "Another label of spec.issues.selector stands against it, or one is lacking. Change the labels.",
    )
    ACTOR_NOT_TRUSTED = (
        "ActorNotTrusted",
        "Whoever put the label on lacks the permission of spec.issues.trust. Somebody who has it labels the issue anew.",
    )
    ALREADY_TRIED = (
        "AlreadyTried",
        "The run of this labelling has ended. Mend what it names, take the label off and put it on again.",
    )
    TOO_MANY_RUNS = (
        "TooManyRuns",
        "The issue has had concurrency.maxRunsPerIssue runs. Raise it, or start one by `kubectl orch run`.",
    )
    DAY_IS_FULL = (
        "DayIsFull",
        "concurrency.maxRunsPerDay runs were started within 24 hours. It is taken when there is room again.",
    )


class WaitingReason(Documented):
    """Why an IssueRun waits (condition Waiting)."""

    AWAITING_APPROVAL = (
        "AwaitingApproval",
        "People are asked. Look with `kubectl orch approvals view NAME`, then `kubectl orch approve NAME`, or `deny` it.",
    )
    AWAITING_CHECKS = (
        "AwaitingChecks",
        "Checks of the pull request are still running. Look at them on the pull request.",
    )
    AWAITING_REVIEW = (
        "AwaitingReview",
        "The host's rules ask for a review, or a reviewer asked for changes. Review the pull request.",
    )
    AWAITING_HUMAN = "AwaitingHuman", "Only a person can go on: the message says what is needed. Or cancel the run."
    BUDGET_EXHAUSTED = (
        "BudgetExhausted",
        "The money is used up; the work is kept. Raise spec.budget, or cancel the run.",
    )
    CONTENT_CHANGED = (
        "ContentChanged",
        "The issue was edited after its label. Somebody trusted labels it again, or cancels the run.",
    )
    MERGE_FROZEN = (
        "MergeFrozen",
        "A freeze of spec.merge.freezes is on, or the blocker label is set. Goes on at its end.",
    )
    QUEUE_FULL = "QueueFull", "A limit of spec.concurrency is reached. Goes on when a run ends; or raise the limit."
    RATE_LIMITED = "RateLimited", "The host or the model service asks us to wait. Goes on by itself."
    SUSPENDED = "Suspended", "The repository or the run is suspended. Set spec.suspend to false to go on."
    TAKEN_OVER = (
        "TakenOver",
        "A person has pushed to the branch, so orch does not. `kubectl orch resume RUN --adopt` has it go on with what is there;"
        " or merge or close the pull request yourself.",
    )


class IssueRunReason(Documented):
    """Reasons of an IssueRun's conditions."""

    PROGRESSING = "Progressing", "The run is at work, or waits: see the condition Waiting."
    ADMITTED = "Admitted", "The run has a slot."
    PLANNED = "Planned", "There is a plan."
    TESTS_PASSED = "TestsPassed", "Lint and tests passed in the sandbox."
    NO_TESTS = (
        "NoTests",
        "No test command is set and none was found, so only the pull request's checks tell. Set spec.pipeline.test.",
    )
    PUBLISHED = "Published", "The change is a pull request."
    CHECKS_PASSED = "ChecksPassed", "All checks that count have passed on this head."
    CHECKS_PENDING = "ChecksPending", "Checks are still running on this head."
    CHECKS_FAILED = "ChecksFailed", "A check has failed on this head; it is fixed while attempts are left."
    CHECKS_INTERRUPTED = (
        "ChecksInterrupted",
        "A check ended without a verdict, e.g. cancelled. orch has jobs of GitHub Actions run again, twice at most; for the "
        "others the condition Waiting says what to do.",
    )
    NO_CHECKS = "NoChecks", "No check has appeared on this head; spec.merge.noChecks says what that means."
    APPROVED = "Approved", "The gate Merge is open: people approved, or policy does not ask."
    MERGED = "Merged", "The pull request was merged."
    MERGED_EXTERNALLY = "MergedExternally", "A person merged the pull request. Nothing to do."
    STATUS_REFUSED = (
        "StatusRefused",
        "The token may not write commit statuses. The run goes on, but branch rules that require `orch` block its merge. "
        "Grant the token the permission Commit statuses (write); it is tried again within 15 minutes.",
    )
    NOT_WAITING = "NotWaiting", "The run waits for nothing outside of orch."
    # how a run ends without a merge: policy
    NOT_ACTIONABLE = "NotActionable", "The issue does not say enough to start. Say more, then label it again."
    TOO_COMPLEX = "TooComplex", "Harder than spec.issues.maxComplexity. Split the issue, or raise the limit."
    NO_CRITERIA = "NoCriteria", "No acceptance criteria, and spec.issues asks for them. Add them, then label again."
    LOW_CONFIDENCE = (
        "LowConfidence",
        "Less sure than spec.issues.minConfidencePercent. Say more in the issue, or lower the limit.",
    )
    ACTOR_NOT_TRUSTED = (
        "ActorNotTrusted",
        "Whoever labelled may not start runs. Somebody with spec.issues.trust's permission labels again.",
    )
    GUARD_VIOLATION = (
        "GuardViolation",
        "A guard refuses the change: see status.change.findings. Change spec.guards, or the issue.",
    )
    DENIED = "Denied", "A person denied a gate. Talk to them; retry for another change."
    APPROVAL_EXPIRED = "ApprovalExpired", "Nobody decided in time, and onExpiry is Deny. Retry the run."
    # people
    CANCELLED_BY_USER = "CancelledByUser", "spec.cancel was set."
    ISSUE_CLOSED = "IssueClosed", "The issue was closed, deleted or transferred. Reopen and label it to start anew."
    UNLABELLED = "Unlabelled", "The labels that made the issue wanted are gone. Label it again to start anew."
    CLOSED_BY_HUMAN = "ClosedByHuman", "A person closed the pull request. The issue is not taken again by itself."
    CLAIMED_ELSEWHERE = "ClaimedElsewhere", "Another run, perhaps of another cluster, holds the issue."
    DELETED = "Deleted", "The IssueRun or its OrchestratedRepo was deleted. A pull request that is open stays."
    # attempts, limits and broken things
    ATTEMPTS_EXHAUSTED = (
        "AttemptsExhausted",
        "All attempts are used up; status.failure says of what. Retry with a better issue text.",
    )
    TIMED_OUT = "TimedOut", "Longer than spec.pipeline.timeouts.run. Raise it, or split the issue."
    TESTS_RED = "TestsRed", "Tests or lint stayed red after all fixes. See the artifacts of the run."
    NOTHING_CHANGED = "NothingChanged", "The model changed nothing. Say in the issue what should change."
    SETUP_FAILED = "SetupFailed", "A command of spec.pipeline.setup failed. Correct it; the message holds its end."
    BAD_ANSWER = "BadAnswer", "The model's answers could not be used, again and again. Retry, or choose another model."
    MODEL_REFUSED = "ModelRefused", "The gateway or the model service refuses for good, e.g. a model without a price."
    MODEL_UNAVAILABLE = "ModelUnavailable", "The model service did not answer well for too long. Tried again."
    STEP_FAILED = "StepFailed", "A work step ended without a report. Tried again; see the operator's log."
    STEPS_KEEP_VANISHING = (
        "StepsKeepVanishing",
        "Work steps are started and lost. Check the node and the runner, then retry.",
    )
    STEP_TOO_LARGE = (
        "StepTooLarge",
        "What a work step is to be told is too long; the message names it. Split the issue.",
    )
    CHANGE_MISSING = "ChangeMissing", "A step says it is done but gave back no change. Retry the run."
    REPORT_MISSING = "ReportMissing", "A step has no report. Retry the run."
    REPORT_UNREADABLE = (
        "ReportUnreadable",
        "A step's report breaks the contract. Are operator and agent of one release?",
    )
    SNAPSHOT_MISSING = "SnapshotMissing", "The snapshot of the issue is gone from the artifact store. Retry the run."
    UNREADABLE_BUNDLE = "UnreadableBundle", "What a step gave back is no sound git bundle, or too large. Retry the run."
    SUBJECT_KEEPS_MOVING = (
        "SubjectKeepsMoving",
        "A gate was asked too often, as the content moved each time. Let the branch rest.",
    )
    APPROVAL_GONE = (
        "ApprovalGone",
        "An approval was deleted, or no longer stood, just before its act. It is asked again.",
    )
    BASE_MISSING = "BaseMissing", "The run has no base commit. Retry the run."
    BRANCH_MISSING = "BranchMissing", "The run has no branch. Retry the run."
    HEAD_MOVED = "HeadMoved", "The branch is no longer where orch left it; see condition Waiting, TakenOver."
    NOT_MERGEABLE = "NotMergeable", "A rule of the repository blocks the merge; the message names it."
    PUSH_DECLINED = "PushDeclined", "The host refuses the push, e.g. by branch rules. The message holds its words."
    CHECKS_UNREADABLE = "ChecksUnreadable", "Checks are red and cannot be read. Look at the pull request."


class ApprovalCondition(Documented):
    """Condition types of an Approval."""

    DECIDED = "Decided", "False while it is open, True once it has an outcome; then decisions change nothing."


class ApprovalReason(Documented):
    """Reasons of an Approval's condition Decided."""

    PENDING = "Pending", "Decisions are awaited: `status.missing.approvals` says how many."
    APPROVED = "Approved", "Enough people approved. The run goes on."
    DENIED = "Denied", "One denial denies. The run ends; retry it for another change."
    EXPIRED = "Expired", "Nobody decided before `spec.expireTime`; `spec.policy.onExpiry` says what follows."
    SUPERSEDED = "Superseded", "What was asked about has moved, or is settled. Look for a newer Approval of the run."
    NOT_REQUIRED = "NotRequired", "Policy no longer asks."
    NOT_ENFORCED = (
        "NotEnforced",
        "Decisions were given while the API server does not refuse forged ones, so they do not count: apply the admission "
        "policies of manifests/, then withdraw the decisions and decide again.",
    )


class AdapterReason(Documented):
    """Reasons that come from git, the host or the cluster: in conditions, or in `status.failure` of a run."""

    GIT_MISSING = "GitMissing", "git is not installed where the operator runs. Install git >= 2.39."
    GIT_FAILED = "GitFailed", "git failed on the mirror; the message holds its last line. Tried again."
    MIRROR_UNUSABLE = "MirrorUnusable", "The mirror's folder cannot be used: disk full, or no permission. Tried again."
    MIRROR_INCOMPLETE = "MirrorIncomplete", "The mirror lacks what was fetched. It is fetched anew."
    MIRROR_KEY_MALFORMED = (
        "MirrorKeyMalformed",
        "The host's answer about the repository makes no sense. Look at the operator's log.",
    )
    REMOTE_MALFORMED = "RemoteMalformed", "The host gave a git address that is not https. Ask who runs the operator."
    TRANSPORT_NOT_ALLOWED = "TransportNotAllowed", "The host's git address is not https. Ask who runs the operator."
    REMOTE_REDIRECTS = "RemoteRedirects", "The git server redirects, which is not followed. Was the repository renamed?"
    REMOTE_FAILED = "RemoteFailed", "The git server answers with an error. Tried again."
    REMOTE_UNREACHABLE = "RemoteUnreachable", "The git server cannot be reached. Tried again with growing pauses."
    BRANCH_MALFORMED = "BranchMalformed", "A branch has a name that git does not take. Check spec.publish.branchPrefix."
    COMMIT_MALFORMED = "CommitMalformed", "A work step gave back something that is no commit. Retry the run."
    MESSAGE_MALFORMED = "MessageMalformed", "A commit message would be empty or hold NUL. Check spec.publish.commit."
    UNRELATED_HISTORY = "UnrelatedHistory", "The change shares no history with its base. Retry the run."
    PUSH_FAILED = "PushFailed", "The push did not happen; the message holds git's last line. Tried again."
    PUSH_UNANSWERED = "PushUnanswered", "The push was sent and its answer lost. It is looked up before it is repeated."
    WORKFLOWS_PERMISSION = (
        "WorkflowsPermission",
        "The change touches workflow files, which the token may not push. Do it by hand, or leave them out of the issue.",
    )
    SECRET_NOT_FOUND = "SecretNotFound", "A Secret is not there. Create it in the same namespace."
    NAME_TAKEN = (
        "NameTaken",
        "Another object has the name that orch would give. Rename or delete it, then retry the run.",
    )
    SIGNING_KEY_UNUSABLE = (
        "SigningKeyUnusable",
        "The Secret of publish.commit.signingSecretRef holds no ed25519 key without a passphrase. The message says how to make one.",
    )
    SSH_KEYGEN_MISSING = (
        "SshKeygenMissing",
        "ssh-keygen, which signs commits, is not installed where the operator runs.",
    )
    UNREADABLE = (
        "Unreadable",
        "The operator cannot read the object: a newer version wrote it, or somebody by hand. Upgrade, or correct the field.",
    )
    LEASE_ENDING = (
        "LeaseEnding",
        "The operator could not be sure to be the only one, so it left the act for its next renewal, or to another.",
    )
    PARENT_MISSING = "ParentMissing", "The merge is the first commit of the branch: there is nothing to go back to."
    CHANGE_TOO_LARGE = "ChangeTooLarge", "The change is larger than anything a person could judge. Split the issue."
    PUSH_CONTENDED = "PushContended", "Another push to the branch was going on. Tried again."
    REQUEST_REFUSED = "RequestRefused", "The host refuses the request; the message holds its words."
    BRANCH_NOT_SEEN = "BranchNotSeen", "The host does not show the pushed branch yet. Tried again."
    LIST_TOO_LONG = "ListTooLong", "The host lists more than orch reads; the message says of what. Clean it up there."
    COMMIT_NOT_SEEN = "CommitNotSeen", "The host does not know a commit yet, or any more. Tried again."
    STILL_RUNNING = "StillRunning", "Other jobs of the check's workflow run are not over. Tried again."
    NOT_FOUND = "NotFound", "Not there, or not visible with this credential: the host answers 404 to both."
    GATEWAY_UNREACHABLE = "GatewayUnreachable", "The model gateway does not answer. Is it running? Tried again."
    GATEWAY_FAILED = "GatewayFailed", "The model gateway answers with an error; see its log. Tried again."
    TICKET_REFUSED = "TicketRefused", "Operator and gateway have different ticket keys. Give both the same file."
    ARTIFACT_MISSING = "ArtifactMissing", "The artifact store has lost something that the run needs. Retry the run."
    ARTIFACT_BROKEN = "ArtifactBroken", "An artifact's content is not that of its digest. Retry the run."
    ARTIFACT_TOO_LARGE = "ArtifactTooLarge", "An artifact is larger than its limit. Split the issue."
    SANDBOX_UNAVAILABLE = (
        "SandboxUnavailable",
        "bubblewrap does not work where the operator runs, so no step is started. The message says what to install.",
    )
    STEP_NOT_STARTED = "StepNotStarted", "The host refused to start a process. Tried again."
    BAD_STEP_NAME = "BadStepName", "The run's name cannot name a folder. Create the run under another name."


def find_meaning(reason: str, *first: type[Documented]) -> str | None:
    """The meaning of a reason that stands in some status; a word that several groups use means what `first` says."""
    for group in (*first, *Documented.__subclasses__()):
        if reason in group._value2member_map_:
            return group(reason).meaning
    return None
