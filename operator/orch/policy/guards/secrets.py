"""SecretFound: credentials in added lines, and files that are called like a credential. Called by `guards.evaluate`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.diff import MAX_SCANNED_BYTES, is_deleted
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, action_of, find, fixed
from orch.policy.secrets import scan
from orch.ports import FileChange, TreeDiff

_FILES: Final = re.compile(
    r"(^|/)(\.env(\.[^/]*)?|\.netrc|_netrc|\.pypirc|\.npmrc|\.git-credentials|\.htpasswd|\.pgpass|\.dockercfg"
    r"|\.docker/config\.json|\.aws/credentials|\.kube/config|kubeconfig|id_(rsa|dsa|ecdsa|ed25519)"
    r"|credentials\.json|service[-_]account[^/]*\.json|[^/]*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk))$",
    re.IGNORECASE,
)
_SAMPLES: Final = re.compile(r"\.env\.(example|sample|template|dist|test|defaults?)$", re.IGNORECASE)


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Never prints what it found: the kind says enough."""
    for change in diff.changes:
        if is_deleted(change) or globs.match(change.path, spec.exempt_paths):
            continue
        if change.status == "A" and _FILES.search(change.path) and not _SAMPLES.search(change.path):
            message = "is named like a file of credentials: leave it out, or put it in exemptPaths"
            yield find(Guard.SECRET_FOUND, spec, change.path, "file name", message)
        yield from _in_lines(change, diff.added_text.get(change.path), spec)


def _in_lines(change: FileChange, added: str | None, spec: GuardsSpec) -> Iterator[Finding]:
    if change.additions and (added is None or len(added.encode()) >= MAX_SCANNED_BYTES):
        message = "adds more lines than are searched for credentials: a person has to look"
        yield fixed(Guard.SECRET_FOUND, _softened(spec), change.path, "not searched", message)
    kinds = {(secret.kind, secret.certain) for secret in scan(added or "", path=change.path)}
    for kind, certain in sorted(kinds):
        if certain:
            message = f"adds a credential ({kind}): take it out, and revoke it if it is real"
            yield find(Guard.SECRET_FOUND, spec, change.path, kind, message)
        elif (kind, True) not in kinds:
            message = f"adds what looks like a credential ({kind}): a person has to look"
            yield fixed(Guard.SECRET_FOUND, _softened(spec), change.path, kind, message)


def _softened(spec: GuardsSpec) -> GuardAction:
    """Deny only if a rule says so: guesses are often wrong."""
    has_rule = any(rule.guard is Guard.SECRET_FOUND for rule in spec.rules)
    return action_of(Guard.SECRET_FOUND, spec) if has_rule else GuardAction.APPROVE
