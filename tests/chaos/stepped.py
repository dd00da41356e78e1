"""An operator whose wall clock somebody moves while it works: by the seconds that the file CLOCK_STEP holds. Its monotonic clock is
the machine's, as when NTP or a resumed virtual machine sets the time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from orch import main


def set_clock() -> None:
    """Have every module of orch tell the moved time."""
    step = _step_in(Path(os.environ["CLOCK_STEP"]))

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=step())

    right = time.time
    time.time = lambda: right() + step()
    for name, module in list(sys.modules.items()):
        if name.startswith("orch.") and getattr(module, "datetime", None) is datetime:
            module.datetime = Moved  # type: ignore[attr-defined]


def _step_in(path: Path) -> Callable[[], float]:
    return lambda: float(path.read_text() or 0) if path.exists() else 0.0


if __name__ == "__main__":
    set_clock()
    sys.exit(main.main([]))
