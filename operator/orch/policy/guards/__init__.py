"""Guards: what is found in the real diff, and whether that may be pushed, needs a person, or ends the run.

A module per group; each takes the diff and the settings and returns findings. Nothing here reads a repository.

| guard | what it finds | without a rule | a rule may say | `exemptPaths` |
|---|---|---|---|---|
| BinaryFile | a file that is no text | Approve | Allow, Approve, Deny | passes over |
| BreakingChange | a public Python interface that breaks, a version too low for that | Approve | Allow, Approve, Deny | passes over |
| Complexity | a function that grew beyond `maxFunctionComplexity` | Allow (is told) | Allow, Approve, Deny | passes over |
| Configuration | files that steer build, tests, deployment, run time | Approve | Allow, Approve, Deny | passes over |
| Deletion | a file that is deleted | Approve | Allow, Approve, Deny | passes over |
| Dependencies | packages added, changed, removed; lock files | Approve | Allow, Approve, Deny | passes over |
| LargeChange | more files, lines or bytes in a file than allowed | Approve | Allow, Approve, Deny | not counted |
| Licenses | licence files and notices; files under another licence | Approve | Allow, Approve, Deny | passes over |
| Migrations | changes of a database | Approve | Allow, Approve, Deny | passes over |
| ProtectedPath | a path of `protectedPaths`, or outside `allowedPaths` | Deny | Allow, Approve, Deny | passes over |
| SecretFound | a credential, or a file named like one | Deny (likely: Approve) | Approve, Deny | passes over |
| Security | code that security rests on; protections turned off | Approve | Allow, Approve, Deny | passes over |
| Submodule | a submodule added or changed | Deny | Approve, Deny | no |
| Symlink | a symbolic link added or changed | Deny | Approve, Deny | no |
| TestsMissing | tests gone, skipped or weaker; with a rule: code without a test | Approve | Allow, Approve, Deny | passes over |
| Workflows | files that steer CI, reviews, agents or orch itself | Approve | Approve, Deny | no |

What no setting turns off, as Deny: a path that some machine takes for another or for git's own (`tree`), a file mode
other than 100644 and 100755, a path that a filter such as LFS would rewrite. It is reported under ProtectedPath or
BinaryFile with the rule's own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import GuardAction
from orch.policy.guards import (
    complexity,
    dependencies,
    interfaces,
    licences,
    paths,
    purposes,
    secrets,
    sizes,
    tests,
    tree,
    workflows,
)
from orch.policy.guards.finding import Finding
from orch.ports import TreeDiff

__all__ = ["Finding", "evaluate", "needs_approval", "shortlist", "verdict"]

_STRENGTH = {GuardAction.ALLOW: 0, GuardAction.APPROVE: 1, GuardAction.DENY: 2}

_GROUPS = (
    tree.guard,
    workflows.guard,
    paths.guard,
    secrets.guard,
    sizes.guard,
    tests.guard,
    interfaces.guard,
    dependencies.guard,
    purposes.guard,
    licences.guard,
    complexity.guard,
)


def evaluate(diff: TreeDiff, spec: GuardsSpec) -> list[Finding]:
    """All findings, strongest first, then by path. Findings that a rule allows are in it, as Allow."""
    found = {finding for group in _GROUPS for finding in group(diff, spec)}
    return sorted(found, key=lambda f: (-_STRENGTH[f.action], f.guard, f.path, f.line, f.rule, f.message))


def verdict(findings: Iterable[Finding]) -> GuardAction:
    """The strongest action of all findings; Allow when there is none."""
    return max((finding.action for finding in findings), key=_STRENGTH.__getitem__, default=GuardAction.ALLOW)


def needs_approval(findings: Sequence[Finding]) -> list[Finding]:
    """Those that ask a person."""
    return [finding for finding in findings if finding.action is GuardAction.APPROVE]


def shortlist(findings: Sequence[Finding], most: int = 20) -> list[Finding]:
    """At most `most` of them in their order, of each guard and action the first: many of one kind hide none of another."""
    kept = list({(f.guard, f.action): f for f in reversed(findings)}.values())
    kept.sort(key=findings.index)
    rest = [finding for finding in findings if finding not in kept]
    return sorted([*kept, *rest][:most], key=findings.index)
