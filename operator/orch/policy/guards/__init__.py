"""Guards: what is found in the real diff, and whether that may be pushed, needs a person, or ends the run.

A module per group; each takes the diff and the settings and returns findings. Nothing here reads a repository.

| guard | what it finds | without a rule | a rule may say | `exemptPaths` |
|---|---|---|---|---|
| ProtectedPath | a path of `protectedPaths`, or outside `allowedPaths` | Deny | Allow, Approve, Deny | passes over |
| LargeChange | more files, lines or bytes in a file than allowed | Approve | Allow, Approve, Deny | not counted |
| BinaryFile | a file that is no text | Approve | Allow, Approve, Deny | passes over |
| SecretFound | a credential, or a file named like one | Deny (likely: Approve) | Approve, Deny | passes over |
| Symlink | a symbolic link added or changed | Deny | Approve, Deny | no |
| Submodule | a submodule added or changed | Deny | Approve, Deny | no |
| Workflows | files that steer CI, reviews, agents or orch itself | Approve | Approve, Deny | no |

What no setting turns off, as Deny: a path that some machine takes for another or for git's own (`tree`), a file mode
other than 100644 and 100755, a path that a filter such as LFS would rewrite. It is reported under ProtectedPath or
BinaryFile with the rule's own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import GuardAction
from orch.policy.guards import paths, secrets, sizes, tree, workflows
from orch.policy.guards.finding import Finding
from orch.ports import TreeDiff

__all__ = ["Finding", "evaluate", "needs_approval", "verdict"]

_STRENGTH = {GuardAction.ALLOW: 0, GuardAction.APPROVE: 1, GuardAction.DENY: 2}

_GROUPS = (tree.guard, workflows.guard, paths.guard, secrets.guard, sizes.guard)


def evaluate(diff: TreeDiff, spec: GuardsSpec) -> list[Finding]:
    """All findings, strongest first, then by path. Findings that a rule allows are in it, as Allow."""
    found = {finding for group in _GROUPS for finding in group(diff, spec)}
    return sorted(found, key=lambda f: (-_STRENGTH[f.action], f.guard, f.path, f.rule, f.message))


def verdict(findings: Iterable[Finding]) -> GuardAction:
    """The strongest action of all findings; Allow when there is none."""
    return max((finding.action for finding in findings), key=_STRENGTH.__getitem__, default=GuardAction.ALLOW)


def needs_approval(findings: Sequence[Finding]) -> list[Finding]:
    """Those that ask a person."""
    return [finding for finding in findings if finding.action is GuardAction.APPROVE]
