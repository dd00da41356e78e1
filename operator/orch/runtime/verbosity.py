"""The level of the logs while a program runs: SIGUSR1 shows everything, SIGUSR2 what was set at the start again.

Called by the operator and the gateway. A program that misbehaves is looked at as it is: a new start would hide what it does.
"""

from __future__ import annotations

import logging
import signal
from typing import Final

import structlog

EVERYTHING: Final = signal.SIGUSR1
AS_SET: Final = signal.SIGUSR2


def follow_signals() -> None:
    """Listen, from the main thread, once the logs are set up. Libraries keep the level that `setup_logging` gave them."""
    at_start = logging.getLogger().level

    def turn(number: int, _frame: object) -> None:
        level = logging.DEBUG if number == EVERYTHING else at_start
        logging.getLogger().setLevel(level)
        structlog.get_logger(__name__).warning("log.level", now=logging.getLevelName(level).lower())

    for number in (EVERYTHING, AS_SET):
        signal.signal(number, turn)
