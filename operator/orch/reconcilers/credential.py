"""What a credential turned out to be able to do, as conditions of its OrchestratedRepo. Called after each poll; no I/O."""

from __future__ import annotations

from datetime import datetime

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import OrchestratedRepo
from orch.api.v1alpha1.reasons import OrchestratedRepoCondition as Type
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason


def show_credentials(repo: OrchestratedRepo, now: datetime) -> None:
    """The repository was read with it, and may be written."""
    text = "the host accepts the credential"
    set_condition(repo, Type.CREDENTIALS_READY, True, Reason.CREDENTIALS_VALID, text, now)


def show_checks(repo: OrchestratedRepo, readable: bool, now: datetime) -> None:
    """Whether the checks of GitHub Actions and other Apps are seen. Without them a green status is all there is to trust."""
    if readable:
        text = "check runs and commit statuses are read"
        set_condition(repo, Type.CHECKS_READABLE, True, Reason.CHECK_RUNS_READABLE, text, now)
        return
    text = (
        "the token may not read check runs, so only commit statuses count: "
        "use a GitHub App with the permission Checks (read), or a classic token with the scope repo"
    )
    set_condition(repo, Type.CHECKS_READABLE, False, Reason.CHECK_RUNS_REFUSED, text, now)
