"""`kubectl orch`: what people ask and order on a terminal. No decision of the control loop belongs here."""

from __future__ import annotations

import sys


def main() -> int:
    """The console script `kubectl-orch`. Exit codes: see `orch.cli.app`. Never shows a traceback."""
    from orch.cli.lean import collect_seldom, spare_the_client

    collect_seldom()
    spare_the_client()
    from orch.cli.app import run  # imported late, so that `import orch.cli` costs nothing

    return run(sys.argv[1:])
