"""SecretFound: credentials that were not there before, and files that are called like a credential. Called by `guards.evaluate`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.diff import facts, is_deleted, unread
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, action_of, find, fixed, has_rule
from orch.ports import TreeDiff

_FILES: Final = re.compile(
    r"(^|/)(\.env(\.[^/]*)?|\.netrc|_netrc|\.pypirc|\.npmrc|\.git-credentials|\.htpasswd|\.pgpass|\.dockercfg"
    r"|\.docker/config\.json|\.aws/credentials|\.kube/config|kubeconfig|id_(rsa|dsa|ecdsa|ed25519)"
    r"|credentials\.json|service[-_]account[^/]*\.json|[^/]*\.(key|p12|pfx|jks|keystore|kdbx|ppk))$",
    re.IGNORECASE,
)
"""Not `*.pem`: most hold certificates, and a private key in one is found by its text."""

_SAMPLES: Final = re.compile(r"\.env\.(example|sample|template|dist|test|defaults?)$", re.IGNORECASE)


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Never says what it found: the kind says enough."""
    found, unsearched = facts(diff, FactKind.CREDENTIAL, FactKind.LIKELY_CREDENTIAL), unread(diff, "credentials")
    for change in diff.changes:
        if is_deleted(change) or globs.match(change.path, spec.exempt_paths):
            continue
        if change.status == "A" and _FILES.search(change.path) and not _SAMPLES.search(change.path):
            message = "is named like a file of credentials: leave it out, or put it in exemptPaths"
            yield find(Guard.SECRET_FOUND, spec, change.path, "file name", message)
        if change.additions and change.path in unsearched:
            message = f"was not searched for credentials, as {unsearched[change.path]}: a person has to look"
            yield fixed(Guard.SECRET_FOUND, _softened(spec), change.path, "not searched", message)
        yield from _by_kind(found.get(change.path, ()), spec)


def _by_kind(found: Iterable[SourceFact], spec: GuardsSpec) -> Iterator[Finding]:
    certain = {fact.subject for fact in found if fact.kind is FactKind.CREDENTIAL}
    for fact in found:
        kind = fact.subject
        if fact.kind is FactKind.CREDENTIAL:
            message = f"adds a credential ({kind}): take it out, and revoke it if it is real"
            yield find(Guard.SECRET_FOUND, spec, fact.path, kind, message, fact.line)
        elif kind not in certain:
            message = f"adds what looks like a credential ({kind}): a person has to look"
            yield fixed(Guard.SECRET_FOUND, _softened(spec), fact.path, kind, message, fact.line)


def _softened(spec: GuardsSpec) -> GuardAction:
    """Deny only if a rule says so: guesses are often wrong."""
    return action_of(Guard.SECRET_FOUND, spec) if has_rule(Guard.SECRET_FOUND, spec) else GuardAction.APPROVE
