"""Work steps, their artifacts and their cost in memory: `orch.ports` WorkRunner, Artifacts and Meter."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.builders import a_report, digest, uid_of
from tests.fakes.acts import Acts, there

from orch.api.work import StepInput, StepOutcome, StepReport, encode
from orch.errors import NotFound
from orch.ports import StepState, StepStatus, Usage


class FakeArtifacts:
    """The store. `lost`: digests of which nothing is left."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.lost: set[str] = set()

    async def put(self, data: bytes) -> str:
        name = digest(data)
        self.blobs[name] = data
        return name

    async def put_file(self, path: Path) -> str:
        return await self.put(str(path).encode())

    async def get(self, digest: str, *, limit: int) -> bytes:
        if digest in self.lost:
            raise NotFound("ArtifactMissing", f"the gateway holds no artifact {digest[:19]}")
        return there(self.blobs.get(digest), f"artifact {digest}")

    async def get_file(self, digest: str, path: Path, *, limit: int) -> None:
        await asyncio.to_thread(path.write_bytes, b"a bundle")

    async def touch(self, digest: str) -> None:
        pass

    async def sweep(self) -> int:
        return 0


class FakeRunner:
    """Runs nothing: `finish` says how a step ended. Starting a name again finds the running one. Knows steps by name alone."""

    kind = "Subprocess"

    def __init__(self, acts: Acts, artifacts: FakeArtifacts) -> None:
        self._acts, self._artifacts = acts, artifacts
        self.started: dict[str, StepInput] = {}
        self.ended: dict[str, StepStatus] = {}
        self.cancelled: list[str] = []
        self.tickets: dict[str, str] = {}

    async def prepare(self) -> None:
        """There is nothing to prepare."""

    async def start(self, step: StepInput, *, input_digest: str, ticket: str, seconds: float) -> str:
        def act() -> str:
            self.started.setdefault(step.name, step)
            self.tickets.setdefault(step.name, ticket)
            return uid_of(step.name)

        return self._acts.do("start", act)

    async def observe(self, name: str, uid: str) -> StepStatus:
        name = _step(name)
        if name not in self.started or uid != uid_of(name):
            return StepStatus(StepState.GONE)
        return self.ended.get(name, StepStatus(StepState.RUNNING))

    async def cancel(self, name: str, uid: str) -> None:
        self.cancelled.append(_step(name))

    async def forget(self, name: str) -> None:
        self.started.pop(_step(name), None)
        self.ended.pop(_step(name), None)

    async def finish(self, outcome: StepOutcome = StepOutcome.DONE, **parts: object) -> str:
        """The newest step that runs ends with this report; its name."""
        name = next(name for name in reversed(self.started) if name not in self.ended)
        await self.report(a_report(name, outcome, **parts))
        return name

    async def report(self, report: StepReport) -> None:
        """A step ends with this report."""
        kept = await self._artifacts.put(encode(report))
        self.ended[report.name] = StepStatus(StepState.SUCCEEDED, report=kept)

    def vanish(self) -> None:
        """Nothing is left of any step."""
        self.started.clear()


def _step(place: str) -> str:
    return place.rpartition("-")[0]


class FakeMeter:
    """The gateway's book."""

    def __init__(self) -> None:
        self.book = Usage(model_calls=2, cost_usd=Decimal("0.02"))
        self.limits: list[Decimal] = []

    async def usage(self, identity: str) -> Usage:
        return self.book

    def ticket(self, step: StepInput, *, input_digest: str, limit_usd: Decimal, expires: datetime) -> str:
        self.limits.append(limit_usd)
        return f"ticket for {step.name} up to {limit_usd}"
