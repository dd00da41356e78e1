"""OrchestratedRepo: observe the repository and its issues, decide who may start what, make IssueRuns.

Called by the manager's queue. It never writes a spec, never starts work itself, and asks GitHub only with conditional
requests, so that an idle repository costs no quota.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from orch.api.conditions import find_condition, is_true, set_condition
from orch.api.effective import policy_digest
from orch.api.v1alpha1 import (
    IssueRun,
    OrchestratedRepo,
    RateLimitStatus,
    RepositoryStatus,
    RunsStatus,
    Visibility,
)
from orch.api.v1alpha1.reasons import OrchestratedRepoCondition as Type
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.errors import CredentialsRefused, NeedsHuman, NotFound, OrchError, PolicyDenied, RateLimited, Transient
from orch.failpoints import occasion
from orch.kube.errors import KubeError
from orch.kube.store import Store
from orch.policy.branch_rules import Setting, judge_rules
from orch.policy.fitting import fit
from orch.policy.freezes import in_freeze
from orch.policy.identity import branch_name
from orch.ports import Forge, RepositoryFacts
from orch.reconcilers import circuit
from orch.reconcilers.admission import COUNTING, SHOWING, Admission
from orch.reconcilers.context import Contexts
from orch.reconcilers.credential import show_checks, show_credentials
from orch.reconcilers.index import RunIndex
from orch.reconcilers.intake import Intake
from orch.reconcilers.polling import RULES_FOR, VERIFIED_FOR, Polls, pause
from orch.reconcilers.repository_claim import RepositoryClaims
from orch.reconcilers.totals import Totals
from orch.reconcilers.unreadable import find_readable
from orch.runtime.reconcile import Key, Result

FINALIZER: Final = "orch.dev/cleanup"
_BOUND: Final = timedelta(minutes=5)
_LOOK_AGAIN: Final = timedelta(minutes=10)
"""A repository that is polled seldom or not at all still shows within this time that the policies are gone."""
_SHOWN: Final = 20
"""Issues that are told of, of those that are not taken."""
_RATE_LIMIT_STALE: Final = timedelta(minutes=5)


class OrchestratedRepoReconciler:
    """Keeps one repository's conditions true and its intake going."""

    plural = OrchestratedRepo.PLURAL

    def __init__(
        self,
        *,
        repos: Store[OrchestratedRepo],
        runs: Store[IssueRun],
        index: RunIndex,
        contexts: Contexts,
        claims: RepositoryClaims,
        admission: Admission,
    ) -> None:
        self._repos = repos
        self._runs = runs
        self._index = index
        self._contexts = contexts
        self._claims = claims
        self._admission = admission
        self._polls = Polls()
        self._intake = Intake(runs, index, contexts.clock, contexts.trail.audit)
        self._totals = Totals(runs, index)

    async def reconcile(self, key: Key) -> Result:
        """Observe, decide, write status if it changed. Raises KubeError: the queue backs off."""
        repo = await find_readable(
            self._repos, key.namespace, key.name, kind=Type.READY, status="False", now=self._now()
        )
        if repo is None:
            self._polls.forget(key)
            self._totals.forget(key)
            return Result()
        if repo.metadata.deletion_timestamp is not None:
            with occasion(lambda: "leaves"):
                return await self._release(repo)
        if FINALIZER not in repo.metadata.finalizers:
            repo = await self._repos.patch_metadata(repo, finalizers=[*repo.metadata.finalizers, FINALIZER])
        read = repo.deep_copy()
        circuit.resume(repo, self._now())
        recount = await self._totals.bring_up_to_date(key, repo, self._now())
        is_asked_for = self._polls.is_asked_for(key, repo)
        after = self._polls.rest(key, repo, self._now()) or await self._poll(key, repo, is_asked_for=is_asked_for)
        await self._protect(repo, at_most=COUNTING if is_asked_for else SHOWING)
        self._count(repo)
        circuit.show(repo, self._now())
        repo.status.observed_generation = repo.metadata.generation or 0
        repo.status.last_handled_reconcile_at = repo.metadata.annotations.get("orch.dev/requestedAt")
        fit(repo)
        await self._repos.write_status(repo, read)
        self._contexts.trail.wrote_repo(read, repo)
        return Result(requeue_after=min(time for time in (after, recount, _LOOK_AGAIN) if time is not None))

    async def _poll(self, key: Key, repo: OrchestratedRepo, *, is_asked_for: bool) -> timedelta | None:
        began = self._now()  # the interval counts from here: what the pace makes it wait is not added to it
        try:
            after = await self._observe(key, repo, is_asked_for=is_asked_for)
        except KubeError:
            raise
        except RateLimited as err:
            return self._wait(repo, err)  # it has not been looked at: the next look is due then, not in an interval
        except OrchError as err:
            self._refuse(repo, err)
            self._polls.doubt(key)
            if not isinstance(err, Transient):
                self._polls.refused(key, is_asked_for=is_asked_for)
            after = self._polls.pause(key, repo.spec.interval)
        else:
            self._polls.welcomed(key)
        self._polls.note(key, repo, began)
        return after

    async def _observe(self, key: Key, repo: OrchestratedRepo, *, is_asked_for: bool) -> timedelta | None:
        frozen = in_freeze(repo.spec.merge.freezes, self._now())
        if frozen is not None and frozen.until is None:
            text = f"the schedule of freeze {frozen.name!r} cannot be read: correct spec.merge.freezes"
            raise PolicyDenied(Reason.INVALID_SPEC, text)
        forge, began = await self._contexts.forge(repo, polling=True), self._now()

        async def verify(since: datetime) -> None:
            if self._polls.verified(key) < since:
                await self._verify(key, repo, forge, is_asked_for=is_asked_for)
                self._polls.note_verified(key, self._now())

        await verify(began if is_asked_for else began - VERIFIED_FOR)
        _note_quota(repo, forge, self._now())
        if repo.spec.suspend:
            self._ready(repo, Reason.SUSPENDED, "suspended: no new work starts; unset spec.suspend to go on")
            return None
        circuit.check(repo)
        refused = await self._intake.take(repo, forge, lambda: verify(began))
        repo.status.refused, repo.status.refused_omitted = refused[:_SHOWN], max(len(refused) - _SHOWN, 0)
        _note_quota(repo, forge, self._now())
        self._ready(repo, Reason.AVAILABLE, f"{repo.spec.repository} is watched in mode {repo.spec.mode}")
        return pause(key, repo.spec.interval)

    async def _verify(self, key: Key, repo: OrchestratedRepo, forge: Forge, *, is_asked_for: bool) -> None:
        """Look whether the repository is still the one that was pinned, and the credential still fit for it."""
        facts = await forge.repository()
        self._accept(repo, facts)
        await self._claims.take(repo, facts.id)
        show_credentials(repo, self._now())
        readable = await forge.checks_readable(facts.default_branch, again=is_asked_for)
        show_checks(repo, readable, self._now())
        await self._rules(key, repo, forge, facts, is_asked_for=is_asked_for)

    async def _rules(
        self, key: Key, repo: OrchestratedRepo, forge: Forge, facts: RepositoryFacts, *, is_asked_for: bool
    ) -> None:
        """Hold the host's rules against the policy, seldom while they fit. Raises NeedsHuman for a base branch that is not
        there."""
        is_told = all(run.shown for run in self._index.of_repo(repo))
        is_fresh = self._now() - self._polls.ruled(key) < RULES_FOR
        if is_fresh and is_told and not is_asked_for and is_true(repo, Type.RULES_FIT):
            return
        branch, prefix = repo.spec.base_branch or facts.default_branch, repo.spec.publish.branch_prefix
        try:
            base = await forge.branch_rules(branch, again=is_asked_for)
        except NotFound:
            text = f"{repo.spec.repository} has no branch {branch}: correct spec.baseBranch, or push the branch"
            raise NeedsHuman(Reason.BRANCH_NOT_FOUND, text) from None
        head = await forge.rules_by_name(branch_name(prefix, 0, "0" * 16))
        signs = repo.spec.publish.commit.signing_secret_ref is not None
        setting = Setting(branch, prefix, base, head, facts.merge_methods, is_told, signs)
        fit = judge_rules(setting, repo.spec.merge)
        set_condition(repo, Type.RULES_FIT, fit.fits, fit.reason, fit.message, self._now())
        self._polls.note_ruled(key, self._now())

    async def _protect(self, repo: OrchestratedRepo, *, at_most: timedelta) -> None:
        """Show whether the API server protects decisions here; those who count ask for themselves."""
        verdict = await self._admission.protection(repo.metadata.namespace or "", at_most=at_most)
        set_condition(repo, Type.ADMISSION_ENFORCED, verdict.holds, verdict.reason, verdict.message, self._now())

    def _accept(self, repo: OrchestratedRepo, facts: RepositoryFacts) -> None:
        """Hold the repository against what was pinned and what runs need. Raises NeedsHuman with the next step."""
        known = repo.status.repository
        if known is not None and known.id is not None and known.id != facts.id:
            text = f"{repo.spec.repository} has id {facts.id} now, it was {known.id}: another repository has taken the name"
            raise NeedsHuman(Reason.REPOSITORY_CHANGED, text)
        repo.status.repository = RepositoryStatus(
            id=facts.id,
            node_id=facts.node_id,
            default_branch=facts.default_branch,
            visibility=Visibility(facts.visibility),
            archived=facts.archived,
            url=facts.url,
        )
        repo.status.policy_digest = policy_digest(repo.spec)
        if facts.archived:
            raise NeedsHuman(
                Reason.REPOSITORY_ARCHIVED, f"{facts.full_name} is archived: unarchive it or delete this object"
            )
        if facts.empty:
            raise NeedsHuman(Reason.REPOSITORY_EMPTY, f"{facts.full_name} has no commit: push a first one")
        if not facts.can_push:
            wanted = "contents, issues, pull requests and commit statuses (write)"
            text = f"the credential may not write to {facts.full_name}: grant it {wanted}"
            raise CredentialsRefused(Reason.FORBIDDEN, text)

    def _refuse(self, repo: OrchestratedRepo, err: OrchError) -> None:
        """Conditions after a failure. Runs of other repositories are not touched."""
        now, reason = self._now(), _reason(err)
        if isinstance(err, CredentialsRefused):
            set_condition(repo, Type.CREDENTIALS_READY, False, reason, err.message, now)
        set_condition(repo, Type.READY, False, reason, err.message, now)

    def _wait(self, repo: OrchestratedRepo, err: RateLimited) -> timedelta:
        """A wait within the interval is no news for people: the promise is kept, and a condition would flap."""
        rest = max(err.retry_at - self._now(), timedelta(seconds=1))
        if rest > repo.spec.interval or find_condition(repo, Type.READY) is None:
            set_condition(repo, Type.READY, None, Reason.RATE_LIMITED, err.message, self._now())
        return rest

    def _ready(self, repo: OrchestratedRepo, reason: Reason, message: str) -> None:
        set_condition(repo, Type.READY, True, reason, message, self._now())

    def _count(self, repo: OrchestratedRepo) -> None:
        """The runs of the repository that have not ended, from the watch."""
        runs = self._index.of_repo(repo)
        repo.status.runs = RunsStatus(
            queued=sum(not run.started for run in runs),
            active=sum(run.started and not run.finished for run in runs),
            waiting=sum(bool(run.waiting) for run in runs),
            awaiting_approval=sum(run.waiting == "AwaitingApproval" for run in runs),
            open_pull_requests=sum(run.has_pull and not run.finished for run in runs),
        )

    async def _release(self, repo: OrchestratedRepo) -> Result:
        """Delete the repository's runs, whose own finalizers tell people; wait for them at most five minutes."""
        if FINALIZER not in repo.metadata.finalizers:
            return Result()
        late = repo.metadata.deletion_timestamp is not None and self._now() - repo.metadata.deletion_timestamp > _BOUND
        left = await self._runs.list(
            repo.metadata.namespace, labels=f"orch.dev/repo={repo.metadata.name},!orch.dev/terminal"
        )
        for run in left:
            if run.metadata.deletion_timestamp is None:
                await self._runs.delete(run)
        if left and not late:
            return Result(requeue_after=timedelta(seconds=2))
        self._intake.forget(repo)
        await self._claims.free(repo)
        finalizers = [name for name in repo.metadata.finalizers if name != FINALIZER]
        await self._repos.patch_metadata(repo, finalizers=finalizers)
        return Result()

    def _now(self) -> datetime:
        return self._contexts.clock()


def _reason(err: OrchError) -> str:
    if isinstance(err, NotFound):
        return Reason.REPOSITORY_NOT_FOUND
    return Reason.CREDENTIALS_MISSING if err.reason == "SecretNotFound" else err.reason


def _note_quota(repo: OrchestratedRepo, forge: Forge, now: datetime) -> None:
    """The quota, at most one write in five minutes: it changes with every request."""
    quota, known = forge.rate_limit, repo.status.rate_limit
    if quota is None:
        return
    if known is not None and known.observed_time is not None and now - known.observed_time < _RATE_LIMIT_STALE:
        return
    if known is not None and known.remaining == quota.remaining:
        return
    repo.status.rate_limit = RateLimitStatus(
        limit=quota.limit, remaining=quota.remaining, reset_time=quota.reset_time, observed_time=now
    )
