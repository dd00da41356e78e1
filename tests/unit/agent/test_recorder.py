"""What the recorder delivers, whatever becomes of its deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from orch.agent import recorder
from orch.agent.recorder import Recorder

Answer = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_PAUSE", 0.01)


class Shelf:
    """A gateway's record. `answers`: what goes wrong before it takes anything."""

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.data = b""
        self.requests = 0
        self._answers: Iterator[int | type[Exception]] = iter(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        answer = next(self._answers, 200)
        if not isinstance(answer, int):
            raise answer("no answer")
        if answer == 200:
            self.data = self.data[: int(request.url.params["offset"])] + request.content
        return httpx2.Response(answer)


def record(shelf: Shelf, *lines: bytes, until: Callable[[], bool] = lambda: True) -> None:
    client = httpx2.Client(base_url="http://gateway", transport=httpx2.MockTransport(shelf))
    with client, Recorder(client) as made:
        for line in lines:
            made.add(line)
            time.sleep(0.02)
        while not until():
            time.sleep(0.01)


def test_every_line_arrives_once_and_in_order() -> None:
    shelf = Shelf()
    record(shelf, b"one\n", b"two\n", b"three\n")
    assert shelf.data == b"one\ntwo\nthree\n"


def test_lines_arrive_while_the_step_goes_on() -> None:
    shelf = Shelf()
    record(shelf, b"one\n", until=lambda: shelf.data == b"one\n")


@pytest.mark.parametrize("trouble", [httpx2.ConnectError, httpx2.ReadTimeout, RuntimeError, OSError, 503, 507, 429])
def test_what_was_not_taken_is_sent_again(trouble: int | type[Exception]) -> None:
    shelf = Shelf(trouble, trouble)
    record(shelf, b"one\n", b"two\n", until=lambda: shelf.requests > 2)
    assert shelf.data == b"one\ntwo\n"


@pytest.mark.parametrize("status", [404, 409, 413, 401])
def test_what_will_never_be_taken_is_not_sent_again(status: int) -> None:
    shelf = Shelf(*[status] * 50)
    record(shelf, b"one\n", b"two\n", b"three\n")
    assert (shelf.requests, shelf.data) == (1, b"")
