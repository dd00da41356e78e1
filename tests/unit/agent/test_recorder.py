"""What the recorder delivers, whatever becomes of its deliveries."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.agent.peer import TICKET, answer, hear, listening

from orch.agent import recorder
from orch.agent.connection import Client
from orch.agent.recorder import Recorder


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_PAUSE", 0.01)


class Shelf:
    """A gateway's record. `answers`: what goes wrong before it takes anything: a status, or no whole answer."""

    def __init__(self, *answers: int | str) -> None:
        self.data = b""
        self.requests = 0
        self._answers: Iterator[int | str] = iter(answers)

    def __call__(self, connection: socket.socket) -> None:
        request = hear(connection)
        self.requests += 1
        status = next(self._answers, 200)
        if status == 200:
            offset = re.fullmatch(r"POST /record\?offset=(\d+) HTTP/1.1", request.first)
            assert offset
            self.data = self.data[: int(offset[1])] + request.body
        if isinstance(status, int):
            connection.sendall(answer(b"{}", f"{status} X"))
        elif status == "silence":
            connection.recv(1)
        elif status == "a cut answer":
            connection.sendall(answer(b"{}")[:-1])


def record(folder: Path, shelf: Shelf, *lines: bytes, until: Callable[[], bool] = lambda: True) -> None:
    with listening(folder, shelf) as path, Recorder(Client(path, TICKET)) as made:
        for line in lines:
            made.add(line)
            time.sleep(0.02)
        while not until():
            time.sleep(0.01)


def test_every_line_arrives_once_and_in_order(tmp_path: Path) -> None:
    shelf = Shelf()
    record(tmp_path, shelf, b"one\n", b"two\n", b"three\n")
    assert shelf.data == b"one\ntwo\nthree\n"


def test_lines_arrive_while_the_step_goes_on(tmp_path: Path) -> None:
    shelf = Shelf()
    record(tmp_path, shelf, b"one\n", until=lambda: shelf.data == b"one\n")


@pytest.mark.parametrize("trouble", ["no answer", "a cut answer", "silence", 503, 507, 429])
def test_what_was_not_taken_is_sent_again(tmp_path: Path, trouble: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    if trouble == "silence":
        monkeypatch.setattr(recorder, "_SILENCE_SECONDS", 0.2)
    shelf = Shelf(trouble, trouble)
    record(tmp_path, shelf, b"one\n", b"two\n", until=lambda: shelf.requests > 2)
    assert shelf.data == b"one\ntwo\n"


@pytest.mark.parametrize("status", [404, 409, 413, 401])
def test_what_will_never_be_taken_is_not_sent_again(tmp_path: Path, status: int) -> None:
    shelf = Shelf(*[status] * 50)
    record(tmp_path, shelf, b"one\n", b"two\n", b"three\n")
    assert (shelf.requests, shelf.data) == (1, b"")


def test_what_comes_while_the_record_is_refused_is_not_sent_either(tmp_path: Path) -> None:
    told: list[bytes] = []

    def play(connection: socket.socket) -> None:
        request = hear(connection)
        made.add(b"two\n")
        told.append(request.body)
        connection.sendall(answer(b"{}", "413 X"))

    with listening(tmp_path, play) as path, Recorder(Client(path, TICKET)) as made:
        made.add(b"one\n")
        while not told:
            time.sleep(0.01)
    assert told == [b"one\n"]


def test_without_a_gateway_the_step_goes_on(tmp_path: Path) -> None:
    with Recorder(Client(tmp_path / "none", TICKET)) as made:
        made.add(b"one\n")
        time.sleep(0.05)
