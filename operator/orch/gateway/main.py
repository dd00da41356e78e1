"""`orch gateway`: the program. Reads its settings, sets up the log, serves until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys

from pydantic import ValidationError

from orch.errors import OrchError
from orch.gateway.ledger import LedgerBusy
from orch.gateway.server import running
from orch.gateway.settings import PREFIX, GatewaySettings
from orch.runtime.audit import setup_logging
from orch.runtime.verbosity import follow_signals


def main(argv: list[str]) -> int:
    """Run the gateway. 0: stopped cleanly; 1: it could not start or go on; 2: the settings are wrong."""
    if argv:
        return _say(f"takes no arguments: settings are {PREFIX}* variables, see docs/install.md", 2)
    try:
        settings = GatewaySettings()
        setup_logging(settings.log_level, settings.log_format)
        follow_signals()
        asyncio.run(_serve(settings))
    except ValidationError as err:
        problems = (f"{PREFIX}{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in err.errors())
        return _say("; ".join(problems), 2)
    except sqlite3.Error as err:
        return _say(f"the book in {settings.data_dir} cannot be used: {err}", 1)
    except (LedgerBusy, OSError, OrchError, ValueError) as err:
        return _say(str(err), 1)
    return 0


async def _serve(settings: GatewaySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings) as url:
        if settings.ready_file is not None:
            partial = settings.ready_file.with_name(f"{settings.ready_file.name}.partial")
            partial.write_text(f"{url}\n", encoding="utf-8")
            partial.replace(settings.ready_file)  # atomic: a reader sees the whole line or no file
        await stop.wait()


def _say(problem: str, status: int) -> int:
    sys.stderr.write(f"orch gateway: {problem}\n")
    return status
