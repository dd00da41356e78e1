"""Wakes a run as soon as its work step has ended, on the machine where work steps are processes.

Run by `main` beside the manager. The runs look by themselves too, every half minute; this only spares them the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orch.reconcilers.index import RunIndex

_PAUSE: Final = 0.2
"""Seconds between two looks at the folders of running steps."""


class FinishedSteps:
    """`folder`: of the subprocess runner's steps. `wake(namespace, name)` makes a run due."""

    def __init__(self, folder: Path, index: RunIndex, wake: Callable[[str, str], None]) -> None:
        self._folder, self._index, self._wake = folder, index, wake
        self._told: set[str] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            for name in await asyncio.to_thread(self._ended):
                for run in self._index.all():
                    if name.startswith(f"{run.name}-"):
                        self._wake(run.namespace, run.name)
            await asyncio.sleep(_PAUSE)

    def _ended(self) -> list[str]:
        """Names of steps that have a result since the last look."""
        ended = {path.parent.name for path in self._folder.glob("[!.]*/result.json")}
        fresh = ended - self._told
        self._told = ended
        return sorted(fresh)
