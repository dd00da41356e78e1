"""Workflows: files that steer machines and people rather than the product. The built-in guard that nothing turns off.

Called by `guards.evaluate`. A change of these runs with a repository's secrets, moves who must review, tells agents
what to do, or loosens orch's own policy, which may lie in the very repository that Argo CD syncs. So it asks a person
at least; no `exemptPaths` helps. Deletions count, case does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.guards.finding import Finding, find
from orch.policy.guards.tree import MANIFEST
from orch.policy.text import INVISIBLE
from orch.ports import TreeDiff

_KINDS: Final = (
    ("code host settings", re.compile(r"(^|/)\.(github|gitlab)/")),
    (
        "CI of another service",
        re.compile(
            r"(^|/)(\.gitlab-ci\.yml|\.travis\.yml|appveyor\.yml|\.appveyor\.yml|azure-pipelines[^/]*\.yml|jenkinsfile"
            r"|bitbucket-pipelines\.yml|\.drone\.yml|\.woodpecker\.yml|\.cirrus\.yml|cloudbuild\.ya?ml)$"
            r"|(^|/)\.(circleci|buildkite|woodpecker|tekton|semaphore)/"
        ),
    ),
    ("code owners", re.compile(r"(^|/)codeowners$")),
    ("git's own settings", re.compile(r"(^|/)\.(gitattributes|gitmodules)$")),
    (
        "agent instructions",
        re.compile(
            r"(^|/)(agents?(\.[^/]+)?\.md|claude(\.[^/]+)?\.md|gemini\.md|qwen\.md|copilot-instructions\.md|llms\.txt"
            r"|\.cursorrules|\.windsurfrules|\.clinerules|\.goosehints|\.aider[^/]*|\.mcp\.json)$"
            r"|(^|/)\.(cursor|claude|codex|gemini|windsurf|clinerules|junie|roo|kiro|continue|amazonq|devin)/"
        ),
    ),
)


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """One finding per path: the first kind that fits."""
    for change in diff.changes:
        if kind := kind_of(change.path):
            yield find(Guard.WORKFLOWS, spec, change.path, kind, f"steers machines or people ({kind})")
        elif diff.attributes.get(change.path) == MANIFEST:
            yield find(Guard.WORKFLOWS, spec, change.path, "orch.dev manifest", "may hold policy of orch itself")


def kind_of(path: str) -> str | None:
    """What a path steers, by its name."""
    folded = INVISIBLE.sub("", path).casefold()
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), None)
