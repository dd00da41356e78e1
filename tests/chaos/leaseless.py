"""An operator that never asks for the lease: started beside another one, both act at once. Only preconditions keep them apart."""

from __future__ import annotations

import asyncio
import math
import sys

from orch import main
from orch.kube.lease import Lease


class Nobodys(Lease):
    """Held from the start, for ever, by everybody who asks."""

    async def acquire(self) -> None:
        return

    async def hold(self) -> None:
        await asyncio.Event().wait()

    async def release(self) -> None:
        return

    def remaining(self) -> float:
        return math.inf


if __name__ == "__main__":
    main.Lease = Nobodys  # type: ignore[misc]
    sys.exit(main.main([]))
