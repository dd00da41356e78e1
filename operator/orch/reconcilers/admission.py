"""Are decisions protected in this namespace, now? The operator forges one, and must be refused by that very policy.

Called by the OrchestratedRepo reconciler, which shows the verdict, and by whoever counts decisions or is about to act on them. Two
things are looked at: that the policies, bindings and CRDs on the server are word for word those of this release, for the operator
cannot try the policies that exempt it, and a field that a CRD lacks is dropped without a word; and that a decision in a person's
name, sent as a dry run, is refused in this very namespace. Nothing is stored, and nothing is repaired: the operator may not write
policies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from orch.api.crd import HASH_ANNOTATION, schema_hashes, stored_hash
from orch.api.manifests import Installation, admission_policies
from orch.api.manifests.approvals_rules import MACHINE_REFUSED
from orch.api.manifests.policies import APPROVALS
from orch.api.v1alpha1 import (
    Approval,
    ApprovalPolicy,
    ApprovalSpec,
    Decision,
    Gate,
    LocalRef,
    ObjectMeta,
    OnExpiry,
    Requester,
    Review,
    Risk,
    Target,
    TargetKind,
    Verdict,
)
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.kube.client import Kube
from orch.kube.crds import crd_problems
from orch.kube.errors import Forbidden, Invalid
from orch.kube.objects import Objects
from orch.kube.resource import BINDINGS, POLICIES, SELF
from orch.kube.store import Store
from orch.policy.admission import weakness
from orch.policy.approvals import subject

log = structlog.get_logger(__name__)

COUNTING: Final = timedelta(seconds=5)
"""How old a verdict may be for counting. Forged, counted and acted upon within this time after a binding was deleted: whoever can do
that administers the cluster's admission, and with it everything."""
SHOWING: Final = timedelta(seconds=30)
"""How old a good verdict may be for the condition AdmissionEnforced, unless a person asks for a look now. A bad one is no older than
COUNTING: who has just applied the policies waits for it, as the API server takes them up a moment later."""
_SOMEBODY: Final = "somebody"


@dataclass(frozen=True)
class Protection:
    """The verdict on one namespace."""

    reason: Reason
    message: str

    @property
    def holds(self) -> bool:
        """Whether what stands in `spec.decisions` was written by those whose names it bears."""
        return self.reason is Reason.ENFORCED


_Memory = dict[str, tuple[float, Protection]]


class Admission:
    """The self-test, with a memory of seconds. Safe for many tasks of one event loop."""

    def __init__(self, kube: Kube, *, suffix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """`suffix`: of the installation (`orch.api.manifests.Installation.suffix`)."""
        self._schemas = schema_hashes()
        self._kube, self._suffix, self._clock = kube, suffix, clock
        self._policies, self._bindings = Objects(kube, POLICIES), Objects(kube, BINDINGS)
        self._approvals = Store(kube, Approval)
        self._user = ""
        self._compared: _Memory = {}
        self._forged: _Memory = {}
        self._one_at_a_time = asyncio.Lock()

    async def enforced(self, namespace: str) -> bool:
        """Whether decisions of this namespace count now. Raises KubeError when the API server does not answer."""
        return (await self.protection(namespace, at_most=COUNTING)).holds

    async def protection(self, namespace: str, *, at_most: timedelta) -> Protection:
        """The verdict, no older than `at_most`. Raises KubeError when the API server does not answer."""
        async with self._one_at_a_time:
            compared = await self._known(self._compared, "", at_most, self._compare)
            if not compared.holds:
                return compared
            return await self._known(self._forged, namespace, at_most, lambda: self._forge(namespace))

    async def _known(
        self, memory: _Memory, key: str, at_most: timedelta, look: Callable[[], Awaitable[Protection]]
    ) -> Protection:
        """What was seen lately, or what is seen now. Its age counts from before the look."""
        seen, known = memory.get(key, (0.0, None))
        if known is not None:
            age = at_most if known.holds else min(at_most, COUNTING)
            if self._clock() - seen <= age.total_seconds():
                return known
        began = self._clock()
        try:
            verdict = await look()
        except Forbidden as error:
            text = f"{error.message}: apply manifests/operator.yaml of this release"
            verdict = Protection(Reason.POLICY_UNKNOWN, text)
        if known is not None and known.reason is not verdict.reason:
            log.warning("admission.changed", namespace=key, reason=verdict.reason, why=verdict.message)
        memory[key] = (began, verdict)
        return verdict

    async def _compare(self) -> Protection:
        """Are policies and CRDs on the server those of this release, and do the policies name us?"""
        expected = admission_policies(await self._installation())
        fault = weakness(expected, await self._stored(expected))
        if fault is not None:
            return Protection(fault.reason, fault.message)
        problems = await crd_problems(self._kube, self._schemas, annotation=HASH_ANNOTATION, hash_of=stored_hash)
        if problems:
            return Protection(Reason.CRDS_CHANGED, problems[0])
        return Protection(Reason.ENFORCED, "the policies are those of this release")

    async def _installation(self) -> Installation:
        return Installation(user=await self._own_name(), suffix=self._suffix)

    async def _own_name(self) -> str:
        if not self._user:
            answer = await self._kube.request("create", SELF, body={"apiVersion": SELF.api_version, "kind": SELF.kind})
            self._user = str(answer["status"]["userInfo"]["username"])
        return self._user

    async def _stored(self, expected: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
        by_kind = {POLICIES.kind: self._policies, BINDINGS.kind: self._bindings}
        return [await by_kind[document["kind"]].find(None, document["metadata"]["name"]) for document in expected]

    async def _forge(self, namespace: str) -> Protection:
        """A decision in somebody's name. On CREATE it meets the rules that a patch meets, and needs no Approval to be there."""
        policy = (await self._installation()).name(APPROVALS)
        try:
            await self._approvals.create(forged(namespace), dry_run=True)
        except Invalid as error:
            if f"'{policy}'" in error.message and MACHINE_REFUSED in error.message:
                return Protection(Reason.ENFORCED, f"a forged decision is refused by {policy}")
            return Protection(
                Reason.POLICY_UNKNOWN, f"a forged decision is refused, but not by {policy}: {error.message}"
            )
        text = f"a forged decision was accepted in namespace {namespace}: the binding {policy} does not select it"
        return Protection(Reason.POLICY_NOT_IN_FORCE, f"{text}, or has just been applied")


def forged(namespace: str) -> Approval:
    """An Approval as good as any, with a decision of which nobody knows: for a dry run, in which nobody but a person gets it through."""
    asked = subject(repository="orch/probe", policy_digest="sha256:" + "0" * 64)
    return Approval(
        metadata=ObjectMeta(name="orch-probe", namespace=namespace),
        spec=ApprovalSpec(
            target=Target(kind=TargetKind.ISSUE_RUN, name="orch-probe", uid="none"),
            repository_ref=LocalRef(name="orch-probe"),
            gate=Gate.MERGE,
            subject=asked,
            policy=ApprovalPolicy(quorum=1, on_expiry=OnExpiry.DENY, valid_for=timedelta(hours=1)),
            expire_time=datetime(2000, 1, 1, tzinfo=UTC),
            risk=Risk.LOW,
            requester=Requester(),
            review=Review(),
            decisions={_SOMEBODY: Decision(verdict=Verdict.APPROVE)},
        ),
    )
