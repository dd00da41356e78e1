"""What the OrchestratedRepo reconciler does about the circuit breaker; the decision is `orch.policy.circuit`'s.

A person resumes a repository by the annotation `orch.dev/resetAt` with any new value, as Flux does with
`reconcile.fluxcd.io/resetAt`: an annotation is nobody's desired state, so Git does not take it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orch.api.conditions import remove_condition, set_condition
from orch.api.v1alpha1 import CircuitState, CircuitStatus, OrchestratedRepo
from orch.api.v1alpha1.reasons import OrchestratedRepoCondition as Type
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.errors import NeedsHuman
from orch.policy.circuit import Ended, counted, resumed
from orch.reconcilers.projections import RESET_ANNOTATION, TERMINAL_LABEL, Ending


def resume(repo: OrchestratedRepo, now: datetime) -> None:
    """Close the circuit if a person asks for it."""
    asked = repo.metadata.annotations.get(RESET_ANNOTATION)
    repo.status.circuit = resumed(repo.status.circuit or CircuitStatus(), asked and asked[:256], now=now)


def count(repo: OrchestratedRepo, documents: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Count the failures in a row from the metadata of the repository's runs."""
    limit = repo.spec.circuit_breaker.consecutive_failures
    ended = (run for run in map(_ended, documents) if run is not None)
    repo.status.circuit = counted(repo.status.circuit or CircuitStatus(), ended, limit=limit, now=now)


def check(repo: OrchestratedRepo) -> None:
    """Before anything new begins. Raises NeedsHuman while the circuit is open."""
    if is_open(repo):
        raise NeedsHuman(Reason.CIRCUIT_OPEN, _message(repo))


def show(repo: OrchestratedRepo, now: datetime) -> None:
    """Conditions: Stalled, and with it not Ready, while the circuit is open; Stalled is gone when it is not."""
    if not is_open(repo):
        remove_condition(repo, Type.STALLED)
        return
    set_condition(repo, Type.STALLED, True, Reason.CIRCUIT_OPEN, _message(repo), now)
    set_condition(repo, Type.READY, False, Reason.CIRCUIT_OPEN, _message(repo), now)


def is_open(repo: OrchestratedRepo) -> bool:
    """Whether the repository waits for a person to resume it."""
    return repo.status.circuit is not None and repo.status.circuit.state is CircuitState.OPEN


def _message(repo: OrchestratedRepo) -> str:
    failures = repo.status.circuit.consecutive_failures if repo.status.circuit else 0
    name = repo.metadata.name
    return (
        f"{failures} runs in a row have failed, so no new one starts: look at them (kubectl get irun -l "
        f"orch.dev/repo={name},{TERMINAL_LABEL}={Ending.FAILED}), mend the cause, then go on with: "
        f"kubectl orch resume {name}"
    )


def _ended(document: Mapping[str, Any]) -> Ended | None:
    meta = document["metadata"]
    how = (meta.get("labels") or {}).get(TERMINAL_LABEL)
    if how not in (Ending.FAILED, Ending.MERGED):
        return None
    return Ended(datetime.fromisoformat(meta["creationTimestamp"]), meta["name"], how == Ending.FAILED)
