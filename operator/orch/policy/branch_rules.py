"""Can orch push and merge at all, under the rules of GitHub and its own policy? Called by the OrchestratedRepo reconciler.

It decides on what can be read. What a token may not read, and who may bypass what, GitHub alone knows: it says so at the merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import MergeQueue, MergeSpec
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.policy.checks import OWN_CONTEXT, is_own, requires_own
from orch.policy.text import one_line
from orch.ports import BranchRules

_METHODS: Final = ("Squash", "Merge", "Rebase")


@dataclass(frozen=True)
class Setting:
    """What the rules are held against. `base`: what applies to the base branch of that name; `head`: to branches of orch's,
    whose names begin with `prefix`; `methods`: how the repository merges, None where that cannot be read; `is_told`: False
    once GitHub has refused a status of orch's; `signs`: its commits are signed."""

    branch: str
    prefix: str
    base: BranchRules
    head: BranchRules
    methods: frozenset[str] | None
    is_told: bool = True
    signs: bool = False


@dataclass(frozen=True)
class Fit:
    """Whether runs can come to a merge; if not, the first thing that is in the way, and all of it in the message."""

    fits: bool
    reason: Reason
    message: str


def judge_rules(setting: Setting, spec: MergeSpec) -> Fit:
    """The verdict, with what a person can do. The message is stable: it names nothing that changes by itself."""
    problems = list(_problems(setting, spec))
    if problems:
        return Fit(False, problems[0][0], "; ".join(text for _, text in problems))
    return Fit(True, Reason.RULES_FIT, _summary(setting))


def _problems(setting: Setting, spec: MergeSpec) -> Iterator[tuple[Reason, str]]:
    base = setting.base
    branch = one_line(setting.branch, 100)
    if why := _push(setting.head, signs=setting.signs):
        yield (
            Reason.PUSH_BLOCKED,
            f"rules of GitHub for branches {setting.prefix}…: {why}, so orch cannot push its own: leave them out of the rules",
        )
    if base.locked:
        yield Reason.BRANCH_LOCKED, f"{branch} is locked or takes no updates: unlock it, or let orch bypass that rule"
    if base.merge_queue and spec.queue is MergeQueue.DISABLED:
        text = f"{branch} asks for a merge queue and spec.merge.queue is Disabled: a person merges each pull request, or set it to Auto"
        yield Reason.MERGE_QUEUE_REQUIRED, text
    allowed, why = _methods(setting)
    if spec.method.value not in allowed and not base.merge_queue:  # the queue merges by the method of its own rule
        instead = f"set it to {' or '.join(allowed)}" if allowed else "allow a method on GitHub"
        yield (
            Reason.METHOD_REFUSED,
            f"spec.merge.method is {spec.method}, and {branch} does not take that ({why}): {instead}",
        )
    if not setting.is_told and requires_own(base):
        text = f"{branch} requires the status {OWN_CONTEXT}, which the token may not write: grant it Commit statuses (write)"
        yield Reason.STATUS_UNWRITABLE, text


def _push(head: BranchRules, *, signs: bool) -> str:
    """What keeps a branch of ours from being pushed."""
    wants = {
        "they are locked, or may not be created": head.locked,
        "changes need a pull request": head.pull_request,
        "commits need a signature (publish.commit.signingSecretRef)": head.signatures and not signs,
        "changes need checks that have passed": bool(head.required_checks),
        "changes need a merge queue": head.merge_queue,
    }
    return ", ".join(text for text, wanted in wants.items() if wanted)


def _methods(setting: Setting) -> tuple[list[str], str]:
    """How pull requests can be merged, and what leaves out the others.

    Source: GitHub Docs, "About protected branches": a linear history has no merge commits; where signatures are required,
    a squash by the pull request's author can be merged, which GitHub signs, and signed commits with a merge commit, never a rebase,
    which makes other commits of them."""
    signed = frozenset({"Squash", "Merge"} if setting.signs else {"Squash"})
    limits = {
        "the repository's settings": setting.methods,
        "a rule of the branch": setting.base.merge_methods,
        "a linear history is required": frozenset({"Squash", "Rebase"}) if setting.base.linear_history else None,
        "signed commits are required": signed if setting.base.signatures else None,
    }
    told = {why: methods for why, methods in limits.items() if methods is not None and not methods >= set(_METHODS)}
    allowed = [method for method in _METHODS if all(method in methods for methods in told.values())]
    return allowed, ", ".join(told)


def _summary(setting: Setting) -> str:
    """What a run will wait for on GitHub."""
    base = setting.base
    waits = []
    if others := sorted(name for name in base.required_checks if not is_own(name)):
        shown = ", ".join(one_line(name, 60) for name in others[:5])
        waits.append(f"the checks {shown}{f' and {len(others) - 5} more' if len(others) > 5 else ''}")
    if requires_own(base):
        waits.append(f"orch's own status, {OWN_CONTEXT}")
    if base.required_approvals:
        waits.append(f"{base.required_approvals} approving review{'s' if base.required_approvals > 1 else ''}")
    if base.merge_queue:
        by = f", which merges by {base.queue_method}" if base.queue_method else ""
        waits.append(f"the merge queue{by}")
    if base.others:
        waits.append(
            "what orch cannot judge beforehand: " + ", ".join(sorted(one_line(kind, 60) for kind in base.others))
        )
    text = f"the rules of {one_line(setting.branch, 100)} let orch merge"
    text += f", after {'; '.join(waits)}" if waits else ""
    hidden = "; its classic protection tells this token about checks alone" if base.hidden else ""
    return text + hidden
