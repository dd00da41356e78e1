"""What unfinished runs refer to is kept, however long they wait; the rest of the gateway's artifacts goes with its age.

Run by `main` beside the manager, once a day unless it is set otherwise. The gateway knows when an artifact was last used, and
nothing of runs: so each round first uses all that runs still refer to, and only then has the gateway remove what nobody has used for
its retention. A round that fails removes nothing. Standbys do the same, which does no harm.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from orch.api.v1alpha1 import IssueRun
from orch.api.work import BadDocument, StepInput, StepReport, decode
from orch.errors import NotFound, OrchError, Terminal
from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.kube.resource import Resource
from orch.ports import Artifacts
from orch.reconcilers.projections import TERMINAL_LABEL
from orch.stages.inputs import INPUT_LIMIT
from orch.stages.work import REPORT_LIMIT

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Times:
    """Seconds: until the first round, between two, and until one that has failed is tried again."""

    first: float = 300
    period: float = 24 * 3600
    retry: float = 3600

    @classmethod
    def within(cls, period: timedelta) -> Times:
        """A round each `period`, for which nothing waits longer: neither the first nor one that is tried again."""
        seconds = period.total_seconds()
        return cls(min(cls.first, seconds), seconds, min(cls.retry, seconds))


@dataclass(frozen=True)
class Upkeep:
    """`namespaces`: those whose runs are this operator's; none: all."""

    kube: Kube
    artifacts: Artifacts
    namespaces: Sequence[str] = ()
    times: Times = Times()

    async def run(self) -> None:
        """Until it is cancelled."""
        pause = self.times.first
        while True:
            await asyncio.sleep(pause)
            try:
                await self.round()
                pause = self.times.period
            except OrchError as err:
                log.warning("upkeep.failed", reason=err.reason, why=err.message)
                pause = self.times.retry
            except Exception as err:  # whatever it is, the operator's work goes on
                log.error("upkeep.crashed", exc_info=err)
                pause = self.times.retry

    async def round(self) -> None:
        """Use what is referred to, then have the rest removed. Raises OrchError, before anything is removed."""
        statuses = [_Referring.of(status) async for status in self._statuses()]
        for referring in statuses:
            for digest in [*referring.digests, *[digest async for digest in self._named_by(referring)]]:
                await self.artifacts.touch(digest)
        log.info("upkeep.swept", runs=len(statuses), removed=await self.artifacts.sweep())

    async def _statuses(self) -> AsyncIterator[Mapping[str, Any]]:
        """As the server has them: also of runs that this release cannot read."""
        objects = Objects(self.kube, Resource.of(IssueRun))
        for namespace in self.namespaces or (None,):
            async for page in objects.pages(namespace, labels=f"!{TERMINAL_LABEL}"):
                for item in page.get("items") or []:
                    yield item.get("status") or {}

    async def _named_by(self, referring: _Referring) -> AsyncIterator[str]:
        """What the steps' own documents name. One that is gone, or of another release, names nothing."""
        for digest in referring.inputs:
            with suppress(NotFound, Terminal, BadDocument):
                yield decode(await self.artifacts.get(digest, limit=INPUT_LIMIT), StepInput).bundle
        for digest in referring.reports:
            with suppress(NotFound, Terminal, BadDocument):
                report = decode(await self.artifacts.get(digest, limit=REPORT_LIMIT), StepReport)
                yield report.transcript
                if report.change is not None:
                    yield report.change.bundle


@dataclass(frozen=True)
class _Referring:
    """All digests in a run's status, whatever they are of, and those of its steps' documents."""

    digests: tuple[str, ...]
    inputs: tuple[str, ...]
    reports: tuple[str, ...]

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> _Referring:
        steps = status.get("steps") or []
        return cls(
            tuple(dict.fromkeys(_DIGEST.findall(json.dumps(status)))),
            tuple(_of_steps(steps, "inputDigest")),
            tuple(_of_steps(steps, "outputDigest")),
        )


def _of_steps(steps: Sequence[Mapping[str, Any]], field: str) -> Iterator[str]:
    return (step[field] for step in steps if step.get(field))
