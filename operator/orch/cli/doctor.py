"""`doctor`: what is well, what is not, and how to mend it. Called by `orch.cli.verbs.setup`; it changes nothing.

Exit code 0: all is well; 1: something is to be mended; 2: something could not be looked at. What it cannot see from here
(the gateway, the operator's watches) it says to have skipped, instead of guessing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from orch.api.conditions import find_condition, is_true
from orch.api.crd import HASH_ANNOTATION, schema_hashes
from orch.api.v1alpha1 import OrchestratedRepo
from orch.api.v1alpha1.reasons import OrchestratedRepoCondition, OrchestratedRepoReason, find_meaning
from orch.cli.connection import failure, on_cluster
from orch.cli.lookup import get_repos
from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure, Format, Place, Which
from orch.cli.output import Listing, Row, show
from orch.cli.policies import fault_of
from orch.cli.whoami import whoami
from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.crds import crd_problems
from orch.kube.errors import Forbidden, KubeNotFound
from orch.kube.objects import Objects
from orch.kube.resource import LEASES

_COLUMNS: Final = ("LOOKED AT", "STATE", "MESSAGE", "WHAT TO DO")
_LEASE: Final = "orch-operator"
_APPLY_CRDS: Final = "kubectl apply --server-side -f crds/ of the release that the operator is of"
_LOOK_AS: Final = "look as somebody who may, such as an administrator of the cluster"
_LOOK_AGAIN: Final = "look again in a moment"
_HTTP_SECONDS: Final = 5.0
WELL, WRONG, UNSEEN, SKIPPED = "ok", "wrong", "unseen", "skipped"
"""UNSEEN: it could not be looked at; SKIPPED: nobody asked for it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: str
    message: str
    fix: str = ""
    namespace: str = ""
    """Of a repository; empty for what is not a repository."""

    def dump(self) -> dict[str, str]:
        """For `-o json`."""
        found = {"subject": self.subject, "state": self.state, "message": self.message, "fix": self.fix}
        return {**({"namespace": self.namespace} if self.namespace else {}), **found}


@dataclass(frozen=True)
class Wish:
    """What is looked at."""

    which: Which
    operator_namespace: str = "orch-system"
    suffix: str = ""
    gateway: str | None = None
    operator: str | None = None
    output: Format | None = None


def doctor(place: Place, wish: Wish) -> int:
    """Look at everything, print it, and answer by the exit code. Raises Failure when there is no cluster."""

    if wish.output is Format.NAME:
        raise Failure("doctor looks at more than objects, so it has no -o name: use -o json", code=WRONG_USE)

    async def session(kube: Kube, namespace: str) -> list[Finding]:
        me = await whoami(kube)
        found = [Finding("API server", WELL, f"answers, and knows you as {me.username}")]
        found += await _looked("CRDs", lambda: _crds(kube))
        found += await _looked("Admission policies", lambda: _policies(kube, wish))
        found += await _looked("Operator", lambda: _lease(kube, wish.operator_namespace))
        found += await _looked("Repositories", lambda: _repositories(kube, namespace, wish))
        found.append(await _asked("Operator's watches", wish.operator, "--operator", "the operator's health port"))
        found.append(await _asked("Gateway", wish.gateway, "--gateway", "the gateway's address"))
        return found

    findings = on_cluster(session, place)
    everywhere = wish.which.everywhere
    rows = [Row((*((f.namespace,) * everywhere), f.subject, f.state, f.message, f.fix), f.dump()) for f in findings]
    show(Listing(("NAMESPACE", *_COLUMNS) if everywhere else _COLUMNS, rows), wish.output)
    states = {finding.state for finding in findings}
    return ANSWER_IS_NO if WRONG in states else WRONG_USE if UNSEEN in states else 0


async def _looked(subject: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """What `look` finds; a refusal of the server becomes a finding, so that the rest is looked at too."""
    try:
        return await look()
    except OrchError as error:
        unserved = isinstance(error, KubeNotFound) and error.unserved
        fix = _LOOK_AS if isinstance(error, Forbidden) else _LOOK_AGAIN
        return [Finding(subject, WRONG if unserved else UNSEEN, str(failure(error)), _APPLY_CRDS if unserved else fix)]


async def _crds(kube: Kube) -> list[Finding]:
    problems = await crd_problems(kube, schema_hashes(), annotation=HASH_ANNOTATION)
    return [Finding("CRDs", WRONG, text, _APPLY_CRDS) for text in problems] or [
        Finding("CRDs", WELL, "all there, and of this release")
    ]


async def _policies(kube: Kube, wish: Wish) -> list[Finding]:
    subject = "Admission policies"
    fault, operator = await fault_of(kube, wish.operator_namespace, wish.suffix)
    if fault is None:
        return [Finding(subject, WELL, f"all there, and of this release; they take {operator} for the operator")]
    what, _, fix = fault.partition(": ")
    return [
        Finding(subject, WRONG, f"{what}, so no approval counts", f"{fix}; is its suffix {wish.suffix!r} (--suffix)?")
    ]


async def _lease(kube: Kube, namespace: str) -> list[Finding]:
    lease = await Objects(kube, LEASES).find(namespace, _LEASE)
    spec = (lease or {}).get("spec") or {}
    fix = f"start the operator, or see its log; is {namespace} its namespace (--operator-namespace)?"
    if not spec.get("holderIdentity"):
        return [Finding("Operator", WRONG, f"no operator holds Lease {namespace}/{_LEASE}", fix)]
    silent = _silence(spec, datetime.now(UTC))
    if silent > float(spec.get("leaseDurationSeconds") or 15):
        return [Finding("Operator", WRONG, f"{spec['holderIdentity']} has been silent for {silent:.0f} s", fix)]
    return [Finding("Operator", WELL, f"{spec['holderIdentity']} is active")]


def _silence(spec: dict[str, Any], now: datetime) -> float:
    renewed = datetime.fromisoformat(str(spec.get("renewTime") or "1970-01-01T00:00:00Z").replace("Z", "+00:00"))
    return (now - renewed).total_seconds()


async def _repositories(kube: Kube, namespace: str, wish: Wish) -> list[Finding]:
    repos = await get_repos(kube, namespace, wish.which)
    if not repos:
        where = "in any namespace" if wish.which.everywhere else f"in namespace {namespace!r}"
        which = f" with the labels {wish.which.labels}" if wish.which.labels else ""
        return [Finding("Repositories", WELL, f"no OrchestratedRepo{which} {where}", "kubectl orch init owner/name")]
    return [replace(finding, namespace=repo.metadata.namespace or "") for repo in repos for finding in examine(repo)]


def examine(repo: OrchestratedRepo) -> list[Finding]:
    """What the operator found of one repository: whether it has looked, and each condition that is not True."""
    subject = f"OrchestratedRepo {repo.metadata.name}"
    seen, wanted = repo.status.observed_generation, repo.metadata.generation or 0
    if find_condition(repo, "Ready") is None or seen < wanted:
        text = (
            "the operator has not looked at it yet"
            if seen < 0
            else f"the operator has not seen its change {wanted} yet"
        )
        return [Finding(subject, WRONG, text, "does the operator run, and watch this namespace?")]
    bad = [
        condition for condition in repo.status.conditions if condition.status != "True" and condition.type != "Stalled"
    ]
    if is_true(repo, "Stalled"):
        bad += [condition for condition in repo.status.conditions if condition.type == "Stalled"]
    return [
        Finding(
            f"{subject} {condition.type}",
            WRONG,
            f"{condition.reason}: {condition.message}",
            find_meaning(condition.reason, OrchestratedRepoReason) or "",
        )
        for condition in bad
    ] or [Finding(subject, WELL, f"ready; the host accepts its credential{_rules(repo)}")]


def _rules(repo: OrchestratedRepo) -> str:
    """What runs wait for on the host; nothing while its rules were not read."""
    rules = find_condition(repo, OrchestratedRepoCondition.RULES_FIT)
    return f"; {rules.message}" if rules is not None else ""


async def _asked(subject: str, address: str | None, option: str, what: str) -> Finding:
    """`/readyz` of a program that is not behind the API server."""
    if address is None:
        return Finding(subject, SKIPPED, "not looked at", f"name {what}: {option} http://…")
    try:
        async with httpx2.AsyncClient(timeout=_HTTP_SECONDS) as http:
            answer = await http.get(f"{address.rstrip('/')}/readyz")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return Finding(subject, WRONG, f"no answer ({type(error).__name__})", f"does it run, and is {option} right?")
    if answer.status_code == 200:
        return Finding(subject, WELL, "ready")
    return Finding(subject, WRONG, "; ".join(answer.text.split("\n")[:3]), "mend what it names, then look again")
