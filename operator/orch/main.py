"""`orch operator`: puts settings, clients, adapters, reconcilers and the manager together. The only module that knows all rooms."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

import structlog
from pydantic import ValidationError

from orch.adapters.artifacts import GatewayArtifacts
from orch.adapters.git import MirrorGit
from orch.adapters.github import GitHubForges, load_hosts
from orch.adapters.meter import GatewayMeter, operator_token
from orch.adapters.runners.subprocess_runner import SubprocessRunner
from orch.api.audit import AuditEvent
from orch.api.crd import HASH_ANNOTATION, schema_hashes, stored_hash
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.errors import LeaseEnding, OrchError
from orch.kube.client import Kube, connect
from orch.kube.crds import crd_problems
from orch.kube.events import Recorder
from orch.kube.lease import Lease, own_identity
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.ports import Artifacts, Forges, Git, Meter, WorkRunner
from orch.reconcilers.admission import Admission
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.context import Contexts
from orch.reconcilers.counting import Counting
from orch.reconcilers.finished_steps import FinishedSteps
from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.issuerun import IssueRunReconciler
from orch.reconcilers.orchestratedrepo import OrchestratedRepoReconciler
from orch.reconcilers.projections import (
    BY_RUN,
    TERMINAL_LABEL,
    ApprovalProjection,
    RepoProjection,
    RunProjection,
    by_repo,
    by_run,
    project_approval,
    project_repo,
    project_run,
)
from orch.reconcilers.repository_claim import RepositoryClaims, rivals
from orch.reconcilers.slots import AssumedSlots, next_in_line
from orch.reconcilers.trail import Trail
from orch.reconcilers.upkeep import Times as UpkeepTimes
from orch.reconcilers.upkeep import Upkeep
from orch.reconcilers.wakes import questions_of_run, repo_of_run, run_of_approval, runs_of_repo
from orch.runtime.audit import record, setup_logging
from orch.runtime.clock import WallClock
from orch.runtime.controller import Controller
from orch.runtime.manager import Manager, Times, exit_at_once
from orch.runtime.source import Source
from orch.runtime.verbosity import follow_signals
from orch.settings import Settings

log = structlog.get_logger(__name__)

_GATHER = 1.0
"""Seconds in which the news of a repository's runs come together: it counts them, and asks for what a free slot may take."""
_FENCE = 12.0
"""Seconds that the lease must still have before an act that cannot be taken back: a request's time-out and a margin."""


def main(argv: list[str]) -> int:
    """Run the operator until SIGTERM. 0: stopped cleanly; 2: the settings are wrong; 1: it could not go on."""
    if argv:
        sys.stderr.write("orch operator takes no arguments: settings are ORCH_* variables, see docs/install.md\n")
        return 2
    try:
        settings = Settings()
        setup_logging(settings.log_level, settings.log_format)
        follow_signals()
        asyncio.run(run(settings))
    except ValidationError as err:
        for problem in err.errors():
            sys.stderr.write(f"orch operator: ORCH_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}\n")
        return 2
    except (OrchError, OSError, ValueError) as err:
        sys.stderr.write(f"orch operator: {err}\n")
        return 1
    return 0


@dataclass(frozen=True)
class Adapters:
    """The outside world of one process, behind its ports."""

    forges: Forges
    git: Git
    runner: WorkRunner
    artifacts: Artifacts
    meter: Meter


Connect = Callable[[Settings, Callable[[], None]], Adapters]
"""Settings and the fence, which raises when the lease may end before an act's answer."""


async def run(settings: Settings, connect_world: Connect | None = None) -> None:
    """Run until SIGTERM. `connect_world` makes the adapters; default: GitHub, git, the gateway, work steps as processes."""
    async with await connect(settings.kubeconfig) as kube:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        lease = Lease(
            kube,
            settings.operator_namespace,
            "orch-operator",
            identity=settings.identity or own_identity(),
            on_lost=exit_at_once,
        )
        adapters = (connect_world or real_world)(settings, lambda: _check_lease(lease))
        manager, steps = build(settings, kube.fenced(lambda: lease.remaining() > 0), lease, adapters)
        try:
            async with asyncio.TaskGroup() as group:
                upkeep = Upkeep(kube, adapters.artifacts, settings.namespaces, UpkeepTimes.within(settings.upkeep))
                beside = [group.create_task(task) for task in (steps.run(), _prepare(adapters.runner), upkeep.run())]
                if settings.ready_file is not None:
                    beside.append(group.create_task(_tell_address(manager, settings)))
                await manager.run(stop)
                for task in beside:
                    task.cancel()
        finally:
            await adapters.git.close()


async def _prepare(runner: WorkRunner) -> None:
    """Before the first run needs it. What is wrong stops no other work; a run that needs the runner says it again."""
    try:
        await runner.prepare()
    except OrchError as err:
        log.warning("runner.unavailable", reason=err.reason, error=str(err))


async def _tell_address(manager: Manager, settings: Settings) -> None:
    """Write the address of the probes, for scripts that let the operator take a free port."""
    while manager.probe_port is None:  # noqa: ASYNC110 - the manager has no event for it, and it takes milliseconds
        await asyncio.sleep(0.02)
    if settings.ready_file is not None:
        draft = settings.ready_file.with_suffix(".new")
        draft.write_text(f"http://{settings.health_host}:{manager.probe_port}\n")
        draft.replace(settings.ready_file)


def real_world(settings: Settings, fence: Callable[[], None]) -> Adapters:
    """The adapters that users run with."""
    key = settings.ticket_key_file.read_bytes()
    return Adapters(
        forges=GitHubForges(load_hosts(settings.hosts_file), fence=fence),
        git=MirrorGit(settings.data_dir, fence=fence),
        runner=SubprocessRunner(
            settings.data_dir,
            gateway_socket=settings.gateway_socket,
            toolchains=settings.sandbox_toolchains,
            insecure=settings.insecure,
        ),
        artifacts=GatewayArtifacts(settings.gateway_url, token=operator_token(key)),
        meter=GatewayMeter(settings.gateway_url, key),
    )


def build(settings: Settings, kube: Kube, lease: Lease | None, adapters: Adapters) -> tuple[Manager, FinishedSteps]:
    """The whole operator around a connection to the cluster."""
    runs, repos, approvals = Store(kube, IssueRun), Store(kube, OrchestratedRepo), Store(kube, Approval)
    clock = WallClock()
    run_source: Source[RunProjection] = Source(
        Resource.of(IssueRun), project_run, labels=f"!{TERMINAL_LABEL}", indexes={BY_REPO: by_repo}
    )
    repo_source: Source[RepoProjection] = Source(Resource.of(OrchestratedRepo), project_repo)
    approval_source: Source[ApprovalProjection] = Source(
        Resource.of(Approval), project_approval, indexes={BY_RUN: by_run}
    )
    index = RunIndex(run_source.cache)
    admission = Admission(kube, suffix=settings.suffix)
    counting = Counting(kube, repos, enforcement=admission, operator_namespace=settings.operator_namespace, clock=clock)
    recorder = Recorder(kube)
    contexts = _contexts(settings, kube, recorder, runs, index, lease, adapters, counting, clock)
    expected = schema_hashes()
    controllers = [
        Controller(
            OrchestratedRepoReconciler(
                repos=repos,
                runs=runs,
                index=index,
                contexts=contexts,
                claims=RepositoryClaims(kube, settings.operator_namespace),
                admission=admission,
            ),
            repo_source,
            wakes={run_source: repo_of_run, repo_source: lambda change: rivals(repo_source.cache, change)},
            workers=settings.workers,
            own=attrgetter("asked"),
            gather=_GATHER,
        ),
        Controller(
            IssueRunReconciler(runs=runs, repos=repos, contexts=contexts),
            run_source,
            wakes={
                run_source: lambda change: next_in_line(index, change),
                approval_source: run_of_approval,
                repo_source: lambda change: runs_of_repo(index, change),
            },
            workers=settings.workers,
            own=attrgetter("asked"),
        ),
        Controller(
            ApprovalReconciler(approvals=approvals, runs=runs, counting=counting, clock=clock, trail=contexts.trail),
            approval_source,
            wakes={run_source: lambda change: questions_of_run(approval_source.cache, change)},
            own=attrgetter("asked", "outcome"),
        ),
    ]
    manager = Manager(
        kube,
        controllers,
        lease=lease,
        namespaces=settings.namespaces or None,
        recorder=recorder,
        preflight=lambda: crd_problems(kube, expected, annotation=HASH_ANNOTATION, hash_of=stored_hash),
        times=Times(resync=settings.resync.total_seconds()),
        probes=(settings.health_host, settings.health_port),
    )
    steps = FinishedSteps(
        settings.data_dir / "steps", index, lambda namespace, name: manager.poke(IssueRun.PLURAL, namespace, name)
    )
    return manager, steps


def _contexts(
    settings: Settings,
    kube: Kube,
    recorder: Recorder,
    runs: Store[IssueRun],
    index: RunIndex,
    lease: Lease | None,
    adapters: Adapters,
    counting: Counting,
    clock: WallClock,
) -> Contexts:
    return Contexts(
        kube=kube,
        recorder=recorder,
        runs=runs,
        forges=adapters.forges,
        git=adapters.git,
        runner=adapters.runner,
        artifacts=adapters.artifacts,
        meter=adapters.meter,
        counting=counting,
        slots=AssumedSlots(index, settings.max_active_runs),
        clock=clock,
        since_step=clock.since_step,
        fence=lambda: _check_lease(lease),
        trail=Trail(_audit, lambda: lease.unsure if lease else None),
        default_model=settings.default_model,
        installation=settings.installation,
        settle=settings.settle,
    )


def _check_lease(lease: Lease | None) -> None:
    """An act that cannot be taken back is sent only while nobody else can be leader before its answer."""
    if lease is not None and lease.remaining() < _FENCE:
        raise LeaseEnding("LeaseEnding", "the lease may end before the answer: the act is left for later")


def _audit(event: AuditEvent, fields: Mapping[str, object]) -> None:
    record(event, **fields)
