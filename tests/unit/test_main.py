"""The operator's beginning, as far as it needs no cluster."""

from __future__ import annotations

from structlog.testing import capture_logs
from tests.fakes.acts import Acts
from tests.fakes.work import FakeArtifacts, FakeRunner

from orch.errors import Terminal
from orch.main import _prepare


class Unfit(FakeRunner):
    """A host that cannot keep work steps apart."""

    async def prepare(self) -> None:
        raise Terminal("SandboxUnavailable", "bwrap is not installed")


async def test_a_host_that_cannot_run_steps_is_told_at_the_start_and_stops_nothing() -> None:
    with capture_logs() as logs:
        await _prepare(Unfit(Acts(), FakeArtifacts()))
    assert [(entry["event"], entry["reason"], entry["log_level"]) for entry in logs] == [
        ("runner.unavailable", "SandboxUnavailable", "warning")
    ]
