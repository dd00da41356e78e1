"""What the agent makes of a tool server's answers, which code of a stranger may have written."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orch.agent.client import Tools
from orch.agent.wire import BrokenWire, Wire
from orch.api.work import Commands, TestRun, encode

HUGE = 10**30


@pytest.fixture
def ends() -> Iterator[tuple[Tools, socket.socket]]:
    """The agent's end, and the other one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Tools(Wire(ours), deadline=time.monotonic() + 60), theirs


def _answer(end: socket.socket, value: Any) -> None:
    Wire(end).send({"ok": True, "value": value})


@pytest.mark.parametrize(
    ("given", "taken"), [(3, 3), (True, 0), (HUGE, 0), (-HUGE, 0), (2**31, 0), (1.5, 0), ("3", 0), (None, 0)]
)
def test_counts_are_what_a_report_can_hold(ends: tuple[Tools, socket.socket], given: Any, taken: int) -> None:
    tools, end = ends
    _answer(end, {"exit_code": 0, "output": "", "counts": {"passed": given, "failed": given, "failing": ["a"]}})
    ran = tools.run("true", Commands(), seconds=5)
    assert ran.counts == (taken, taken, ("a",))
    encode(TestRun(command="true", exit_code=ran.exit_code, passed=ran.counts[0], failed=ran.counts[1]))


@pytest.mark.parametrize("code", [None, True, HUGE, "0", 0.0])
def test_an_exit_code_that_is_none_breaks_the_wire(ends: tuple[Tools, socket.socket], code: Any) -> None:
    tools, end = ends
    _answer(end, {"exit_code": code, "output": ""})
    with pytest.raises(BrokenWire):
        tools.run("true", Commands(), seconds=5)


def test_text_that_no_request_can_carry_is_replaced(ends: tuple[Tools, socket.socket]) -> None:
    tools, end = ends
    _answer(end, "caf\udce9.txt\n\ud83d\ude00 and \U0001f600")
    assert tools.call("list") == "caf\ufffd.txt\n\U0001f600 and \U0001f600"


def test_what_is_nested_beyond_measure_breaks_the_wire(ends: tuple[Tools, socket.socket]) -> None:
    tools, end = ends
    payload = b"[" * 100_000
    end.sendall(struct.pack("!cI", b"J", len(payload)) + payload)
    with pytest.raises(BrokenWire):
        tools.call("list")
