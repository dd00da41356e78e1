"""May this pull request be merged now? Every gate with its verdict, and what follows from all of them.

Called by the merge stage just before the merge; it names every gate, not only the one that decides. It decides on
facts only; the merge itself carries the head sha, so that GitHub refuses when a fact is old.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orch.api.v1alpha1.orchestratedrepo_policy import MergeQueue, MergeSpec, UpToDate
from orch.api.v1alpha1.vocabulary import ApprovalOutcome
from orch.policy.checks import ChecksResult, judge
from orch.policy.freezes import Frozen
from orch.policy.queueing import GivenBack, Next, after
from orch.ports import BranchRules, Checks, Pull, Review


class Fix(StrEnum):
    """What a work step, or the mirror, can do about a gate."""

    CHECKS = "Checks"
    """Look at them again: a red one is mended, one without a verdict runs again."""
    REVIEW = "Review"
    CONFLICT = "Conflict"
    UPDATE = "Update"
    """Merge the base branch into ours, in the mirror; no work step."""


@dataclass(frozen=True)
class GateVerdict:
    """One gate. `reason` is for machines, `message` for people; `fix` is set when something can be done about it."""

    name: str
    passed: bool
    reason: str
    message: str
    fix: Fix | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Facts:
    """All that the decision rests on. `expected_head` is ours; `behind`: the base branch has commits that ours lacks;
    `given_back`: what the merge queue has said of it; `approval` is the Merge gate's outcome; `trusted` holds the logins whose
    requests for changes count, `approvers` those whose approvals do."""

    pull: Pull
    expected_head: str
    rules: BranchRules
    checks: Checks
    grace_over: bool
    reviews: Sequence[Review] = ()
    trusted: Collection[str] = ()
    approvers: Collection[str] = ()
    behind: bool = False
    frozen: Frozen | None = None
    given_back: GivenBack | None = None
    approval: ApprovalOutcome = ApprovalOutcome.NOT_REQUIRED


@dataclass(frozen=True)
class Ready:
    """Merge now."""


@dataclass(frozen=True)
class Wait:
    """Something else has to happen first; a person has to do it if `needs_person`."""

    reason: str
    message: str
    needs_person: bool = False


@dataclass(frozen=True)
class FixNeeded:
    """This can be put right by ourselves."""

    fix: Fix
    message: str


@dataclass(frozen=True)
class Ended:
    """The pull request is not open any more: Merged or Closed."""

    reason: str
    message: str


Outcome = Ready | Wait | FixNeeded | Ended


@dataclass(frozen=True)
class Decision:
    """What to do, and each gate in the order in which they are looked at."""

    outcome: Outcome
    gates: tuple[GateVerdict, ...]


def decide(facts: Facts, spec: MergeSpec) -> Decision:
    """Look at every gate. The first closed one that can be fixed decides, else the first closed one.

    A fix comes first because waiting for people is no reason to leave a red check red."""
    if ended := _ended(facts.pull):
        return Decision(ended, ())
    gates = tuple(_gates(facts, spec))
    closed = [gate for gate in gates if not gate.passed]
    if not closed:
        return Decision(Ready(), gates)
    if closed[0].name == "Head":  # whatever else holds, it holds for somebody else's commit
        return Decision(Wait(closed[0].reason, closed[0].message, needs_person=True), gates)
    for gate in closed:
        if gate.fix is not None:
            return Decision(FixNeeded(gate.fix, gate.message), gates)
    first = closed[0]
    return Decision(Wait(first.reason, first.message, first.needs_person), gates)


def is_open(facts: Facts, spec: MergeSpec) -> bool:
    """Whether every gate is open but those of the host's own rules: checks and approvals that it requires, and what else
    blocks there. It enforces those itself, and one of them may be that we say so."""
    state = "clean" if facts.pull.mergeable_state == "blocked" else facts.pull.mergeable_state
    rules = BranchRules(up_to_date=_is_freshness_required(facts.rules))
    ours = replace(facts, pull=replace(facts.pull, mergeable_state=state), rules=rules, given_back=None)
    return isinstance(decide(ours, spec).outcome, Ready)


def decide_queued(facts: Facts, spec: MergeSpec) -> Decision:
    """While it stands in the merge queue GitHub itself follows checks, conflicts and rules, on the merge that it would make. What
    else holds a merge back is orch's to see: a closed gate takes the pull request out."""
    if ended := _ended(facts.pull):
        return Decision(ended, ())
    gates = (_head(facts), _reviews(facts), _labels(facts.pull, spec), _freeze(facts.frozen), _approval(facts.approval))
    first = next((gate for gate in gates if not gate.passed), None)
    outcome = Ready() if first is None else Wait(first.reason, first.message, first.needs_person)
    return Decision(outcome, gates)


def is_freshness_demanded(rules: BranchRules, spec: MergeSpec) -> bool:
    """Whether the head has to hold the base branch's newest commits, by GitHub's rules or by policy."""
    return _is_freshness_required(rules) or spec.up_to_date is UpToDate.ALWAYS


def _is_freshness_required(rules: BranchRules) -> bool:
    """Whether GitHub demands the base branch's newest commits of the head. A merge queue does not: it tests the merge with them.
    Source: GitHub Docs, "Managing a merge queue"."""
    return rules.up_to_date and not rules.merge_queue


def _ended(pull: Pull) -> Ended | None:
    if pull.state == "merged":
        return Ended("Merged", f"pull request #{pull.number} is merged")
    if pull.state == "closed":
        return Ended("Closed", f"pull request #{pull.number} was closed")
    return None


def _gates(facts: Facts, spec: MergeSpec) -> Iterator[GateVerdict]:
    yield _head(facts)
    yield _conflict(facts.pull)
    yield _checks(facts, spec)
    yield _reviews(facts)
    yield _up_to_date(facts, spec)
    yield _labels(facts.pull, spec)
    yield _freeze(facts.frozen)
    yield _approval(facts.approval)
    yield _host(facts, spec)


def _head(facts: Facts) -> GateVerdict:
    if facts.pull.head_sha != facts.expected_head:
        message = f"the branch is at {facts.pull.head_sha[:8]}, we left it at {facts.expected_head[:8]}"
        return _closed("Head", "TakenOver", message, needs_person=True)
    return _open("Head", "the head is the commit that we pushed")


def _conflict(pull: Pull) -> GateVerdict:
    if pull.mergeable is False or pull.mergeable_state == "dirty":
        return _closed("Conflict", "Conflict", "the branch conflicts with the base branch", fix=Fix.CONFLICT)
    if pull.mergeable is None:
        return _closed("Conflict", "MergeabilityUnknown", "GitHub still computes whether the branch can be merged")
    return _open("Conflict", "no conflict with the base branch")


def _checks(facts: Facts, spec: MergeSpec) -> GateVerdict:
    found = judge(facts.checks, facts.rules, spec, grace_over=facts.grace_over)
    if facts.checks.sha != facts.expected_head:
        return _closed("Checks", ChecksResult.RUNNING, "the checks are those of another commit")
    if found.result is ChecksResult.PASSED:
        return _open("Checks", found.message)
    fix = Fix.CHECKS if found.result in (ChecksResult.FAILED, ChecksResult.INTERRUPTED) else None
    person = found.result is ChecksResult.NONE
    return _closed("Checks", found.result, found.message, fix=fix, needs_person=person)


def _reviews(facts: Facts) -> GateVerdict:
    """GitHub counts approvals by its own rules; this says beforehand what it will say. Only trusted people's requests
    for changes are worked on; a stranger's is GitHub's business."""
    asking = sorted({r.author for r in facts.reviews if r.state == "CHANGES_REQUESTED" and r.author in facts.trusted})
    if asking:
        return _closed("Reviews", "ChangesRequested", f"{', '.join(asking)} asked for changes", fix=Fix.REVIEW)
    approvals = len({r.author for r in facts.reviews if r.state == "APPROVED" and r.author in facts.approvers})
    lacking = facts.rules.required_approvals - approvals
    if lacking > 0:
        message = f"{lacking} more approving reviews are required on GitHub"
        return _closed("Reviews", "AwaitingReview", message, needs_person=True)
    return _open("Reviews", f"{approvals} approving reviews, {facts.rules.required_approvals} required")


def _up_to_date(facts: Facts, spec: MergeSpec) -> GateVerdict:
    demanded = is_freshness_demanded(facts.rules, spec)
    if demanded and (facts.behind or facts.pull.mergeable_state == "behind"):
        return _closed("UpToDate", "Behind", "the branch lacks the newest commits of the base branch", fix=Fix.UPDATE)
    return _open("UpToDate", "up to date" if demanded else "need not be up to date")


def _labels(pull: Pull, spec: MergeSpec) -> GateVerdict:
    if pull.draft:
        return _closed("Blocker", "Draft", "the pull request is a draft", needs_person=True)
    if spec.blocker_label and spec.blocker_label.casefold() in {label.casefold() for label in pull.labels}:
        message = f"the label {spec.blocker_label!r} holds the merge back"
        return _closed("Blocker", "BlockerLabel", message, needs_person=True)
    return _open("Blocker", "nothing holds the merge back")


def _freeze(frozen: Frozen | None) -> GateVerdict:
    if frozen is None:
        return _open("Freeze", "no freeze")
    if frozen.until is None:
        message = f"the schedule of freeze {frozen.name!r} cannot be read: correct merge.freezes"
        return _closed("Freeze", "MergeFrozen", message, needs_person=True)
    return _closed("Freeze", "MergeFrozen", f"freeze {frozen.name!r} holds until {frozen.until:%Y-%m-%d %H:%M} UTC")


def _approval(outcome: ApprovalOutcome) -> GateVerdict:
    if outcome in (ApprovalOutcome.APPROVED, ApprovalOutcome.NOT_REQUIRED):
        return _open("Approval", "approved" if outcome is ApprovalOutcome.APPROVED else "not required by policy")
    message = f"the approval of the merge is {outcome}"
    return _closed("Approval", "AwaitingApproval", message, needs_person=True)


def _host(facts: Facts, spec: MergeSpec) -> GateVerdict:
    """What GitHub says beyond what we know of. `unstable` and `has_hooks` can be merged (REST "Get a pull request")."""
    if facts.rules.merge_queue and spec.queue is MergeQueue.DISABLED:
        message = "the branch rules demand a merge queue, and merge.queue is Disabled: a person has to merge"
        return _closed("BranchRules", "MergeQueueRequired", message, needs_person=True)
    if facts.pull.mergeable_state == "blocked":
        message = "the branch rules block the merge, by a rule that GitHub names to people only"
        return _closed("BranchRules", "BlockedByRules", message, needs_person=True)
    if facts.rules.merge_queue:
        return _queue(facts)
    return _open("BranchRules", "the branch rules allow the merge")


def _queue(facts: Facts) -> GateVerdict:
    if facts.given_back is None:
        return _open("BranchRules", "it is merged by the merge queue, as the branch rules demand")
    follows, message = after(facts.given_back, head=facts.expected_head, behind=facts.behind)
    if follows is Next.ENTER:
        return _open("BranchRules", message)
    fix = Fix.UPDATE if follows is Next.UPDATE else None
    return _closed("BranchRules", "GivenBack", message, fix=fix, needs_person=fix is None)


def _open(name: str, message: str) -> GateVerdict:
    return GateVerdict(name, passed=True, reason="Passed", message=message)


def _closed(name: str, reason: str, message: str, *, fix: Fix | None = None, needs_person: bool = False) -> GateVerdict:
    return GateVerdict(name, passed=False, reason=str(reason), message=message, fix=fix, needs_person=needs_person)
