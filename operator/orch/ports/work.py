"""What orch asks of whoever runs work steps, keeps artifacts and counts money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from orch.api.work import StepInput


class StepState(StrEnum):
    """What a runner knows of a step. GONE: it was started and is not there any more."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "Gone"


@dataclass(frozen=True)
class StepStatus:
    """`report` is the digest of the StepReport, set when SUCCEEDED; `message` says why it FAILED."""

    state: StepState
    report: str | None = None
    message: str = ""


class WorkRunner(Protocol):
    """Runs work steps away from every credential. `name` is a step's `step_place`; starting a step again finds the running one."""

    kind: str
    """Job or Subprocess, as `status.steps[].runner` says it."""

    async def prepare(self) -> None:
        """Do beforehand what the first start would have to wait for. Raises what `start` would, where no step can be started."""
        ...

    async def start(self, step: StepInput, *, input_digest: str, ticket: str, seconds: float) -> str:
        """Start the step, or find it started; return the runner's uid. It is killed after `seconds`.

        What runs or ran in its place with another input is of an earlier life of the run, and makes room."""
        ...

    async def observe(self, name: str, uid: str) -> StepStatus: ...
    async def cancel(self, name: str, uid: str) -> None:
        """End the step and all its processes; one that has ended is no error."""
        ...

    async def forget(self, name: str) -> None:
        """Remove what is left of a finished step."""
        ...


class Artifacts(Protocol):
    """Content-addressed blobs, `sha256:<hex>`. Reading checks the digest."""

    async def put(self, data: bytes) -> str: ...
    async def put_file(self, path: Path) -> str: ...
    async def get(self, digest: str, *, limit: int) -> bytes:
        """Raises NotFound, Terminal when larger than `limit` bytes or when the content is not that of the digest."""
        ...

    async def get_file(self, digest: str, path: Path, *, limit: int) -> None: ...
    async def touch(self, digest: str) -> None:
        """Count it as used now, as reading it does. One that is not there is no error."""
        ...

    async def sweep(self) -> int:
        """Have removed what has not been used for longer than the store keeps it; how many that were."""
        ...


@dataclass(frozen=True)
class Usage:
    """What a run has used so far, and each of its steps (by step name)."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)
    steps: Mapping[str, Decimal] = field(default_factory=dict)


class Meter(Protocol):
    """The gateway's book, and the tickets that open it."""

    async def usage(self, identity: str) -> Usage: ...
    def ticket(self, step: StepInput, *, input_digest: str, limit_usd: Decimal, expires: datetime) -> str: ...
