"""Logs are turned up and down while a program runs."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog

from orch.runtime.audit import setup_logging
from orch.runtime.verbosity import follow_signals


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root, numbers = logging.getLogger(), (signal.SIGUSR1, signal.SIGUSR2)
    handlers, level, before = list(root.handlers), root.level, [signal.getsignal(number) for number in numbers]
    stream = io.StringIO()
    setup_logging("warning", stream=stream)
    follow_signals()
    yield stream
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_signal_shows_everything_and_another_what_was_set(log: io.StringIO) -> None:
    say = structlog.get_logger("orch.test").debug
    say("before")
    os.kill(os.getpid(), signal.SIGUSR1)
    say("meanwhile")
    os.kill(os.getpid(), signal.SIGUSR2)
    say("after")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line.get("now")) for line in lines] == [
        ("log.level", "debug"),
        ("meanwhile", None),
        ("log.level", "warning"),
    ]
