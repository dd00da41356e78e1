"""A runner, a gateway in front of the model's stand-in, and a repository."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent.world import CALC, PLAIN, TICKET, Gateway, Repository, a_step, gateway

from orch.adapters.runners.processes import Process
from orch.adapters.runners.subprocess_runner import SubprocessRunner
from orch.api.work import Commands, StepInput, StepReport, decode
from orch.policy.identity import step_place
from orch.ports import StepState, StepStatus

PYTEST = f"{PLAIN} pytest -q -p no:cacheprovider"
"""Of the toolchain, which is this environment."""


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other processes do; the test's own time limit ends it."""
    while not is_so():  # noqa: ASYNC110 (there is no event to wait for)
        await asyncio.sleep(0.02)


def place(step: StepInput) -> str:
    """What a runner knows the step by."""
    return step_place(step.identity, step.name)


class Site:
    """A host with a runner. `world`: its gateway, once `serve` has been called."""

    world: Gateway

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.repository = Repository(folder / "repo", CALC)
        self.started: list[tuple[SubprocessRunner, str, str]] = []
        self._stack = stack

    def serve(self, scripts: str) -> SubprocessRunner:
        self.world = self._stack.enter_context(gateway(self.folder, scripts))
        return self.runner()

    def runner(self, **options: Any) -> SubprocessRunner:
        """Another operator on the same host."""
        return SubprocessRunner(self.data, self.world.socket, [Path(sys.prefix)], **options)

    def step(self, stage: str = "Implement", **changes: Any) -> StepInput:
        return a_step(self.world, self.repository, stage, **{"commands": Commands(test=(PYTEST,)), **changes})

    async def start(self, runner: SubprocessRunner, step: StepInput, *, seconds: float = 100) -> str:
        uid = await runner.start(step, input_digest="", ticket=TICKET, seconds=seconds)
        self.started.append((runner, place(step), uid))
        return uid

    async def wait(self, runner: SubprocessRunner, step: StepInput, uid: str) -> StepStatus:
        while (status := await runner.observe(place(step), uid)).state is StepState.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # as the operator does: a step tells nobody that it has ended
        return status

    async def until_asked(self, calls: int = 1) -> None:
        """Until the step has called the model so many times."""
        await until(lambda: len(self.world.calls) >= calls)

    async def finish(self, runner: SubprocessRunner, step: StepInput) -> StepReport:
        """Start, wait, and read the report."""
        status = await self.wait(runner, step, await self.start(runner, step))
        assert status.report, status.message
        return decode(self.world.artifacts[status.report], StepReport)

    def said(self, report: StepReport) -> str:
        """The transcript."""
        return self.world.artifacts[report.transcript].decode()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        found = Site(tmp_path, stack)
        yield found
        for runner, name, uid in found.started:
            await runner.cancel(name, uid)
            process = Process.parse(uid)
            assert process is not None
            assert not process.is_alive()
