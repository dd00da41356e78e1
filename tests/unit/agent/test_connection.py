"""Requests over the gateway's socket: what is sent, what is read, and what a connection that fails comes to."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
import traceback
from pathlib import Path

import pytest
from tests.unit.agent.peer import TICKET, Heard, Play, answer, answering, hear, listening

from orch.agent.connection import Broken, Client

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def get(path: Path, silence: float = 60) -> bytes:
    with Client(path, TICKET).request("GET", "/", silence=silence) as response:
        return b"".join(response.chunks())


def test_a_request_says_who_asks_what_and_how_much(tmp_path: Path) -> None:
    heard: list[Heard] = []

    def play(connection: socket.socket) -> None:
        heard.append(hear(connection))
        connection.sendall(answer(b"taken", "201 Created", retry_after="3"))

    headers, data = {"content-type": "text/plain"}, b"x" * 300_000
    with (
        listening(tmp_path, play) as path,
        Client(path, TICKET).request(
            "PUT", "/a?offset=7", headers=headers, body=io.BytesIO(data), size=len(data)
        ) as response,
    ):
        assert (response.status, response.is_success, response.header("Retry-After")) == (201, True, "3")
        assert response.header("nothing") is None
        assert b"".join(response.chunks()) == b"taken"
    assert [(each.first, each.body) for each in heard] == [("PUT /a?offset=7 HTTP/1.1", data)]
    assert heard[0].headers == {
        "host": "gateway",
        "accept-encoding": "identity",
        "authorization": f"Bearer {TICKET}",
        "connection": "close",
        "content-length": "300000",
        "content-type": "text/plain",
    }


def test_each_request_has_a_connection_of_its_own(tmp_path: Path) -> None:
    with listening(tmp_path, answering(answer(b"one"), answer(b"two"))) as path:
        assert [get(path), get(path)] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param(answer(b"whole"), b"whole", id="of a known length"),
        pytest.param(answer(b"x" * 500_000), b"x" * 500_000, id="long"),
        pytest.param(answer(b""), b"", id="empty"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="none"),
        pytest.param(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", id="in chunks"),
        pytest.param(CHUNKED + b"0\r\n\r\n", b"", id="in no chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", id="of no told length"),
    ],
)
def test_content_is_read_whole(tmp_path: Path, text: bytes, content: bytes) -> None:
    with listening(tmp_path, answering(text)) as path:
        assert get(path) == content


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", id="no content"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcd", id="less than announced"),
        pytest.param(CHUNKED, id="no chunk"),
        pytest.param(CHUNKED + b"5\r\nabcd", id="in a chunk"),
        pytest.param(CHUNKED + b"5\r\nabcde", id="after a chunk"),
        pytest.param(CHUNKED + b"5\r\nabcde\r\n", id="between chunks"),
        pytest.param(CHUNKED + b"5\r\nabcde\r\n1", id="in a chunk's size"),
        pytest.param(CHUNKED + b"no number\r\nabcde\r\n", id="no chunk's size"),
    ],
)
def test_content_that_ends_too_early_is_broken(tmp_path: Path, text: bytes) -> None:
    with listening(tmp_path, answering(text)) as path:
        with pytest.raises(Broken, match=r"^IncompleteRead$"):
            get(path)
        with pytest.raises(Broken), Client(path, TICKET).request("GET", "/") as response:
            response.discard()


@pytest.mark.parametrize(
    ("head", "one", "two"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n", b"one", b"two", id="of a known length"),
        pytest.param(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n", id="in chunks"),
        pytest.param(CHUNKED, b"6\r\none", b"two\r\n0\r\n\r\n", id="in one chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two", id="of no told length"),
    ],
)
def test_content_is_seen_as_it_arrives(tmp_path: Path, head: bytes, one: bytes, two: bytes) -> None:
    is_seen = threading.Event()

    def play(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(head + one)
        assert is_seen.wait(60)
        connection.sendall(two)

    with listening(tmp_path, play) as path, Client(path, TICKET).request("GET", "/") as response:
        chunks = response.chunks()
        assert next(chunks) == b"one"
        is_seen.set()
        assert b"".join(chunks) == b"two"


def reset(connection: socket.socket) -> None:
    """Closed with a request unread."""
    connection.recv(1)


def hang_up(connection: socket.socket) -> None:
    hear(connection)


def say_nothing(connection: socket.socket) -> None:
    hear(connection)
    connection.recv(1)  # returns when the client hangs up


def stop_in_the_middle(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc")
    connection.recv(1)


@pytest.mark.parametrize(
    ("play", "name"),
    [
        pytest.param(reset, "ConnectionResetError", id="reset"),
        pytest.param(hang_up, "RemoteDisconnected", id="no answer"),
        pytest.param(say_nothing, "TimeoutError", id="silence"),
        pytest.param(stop_in_the_middle, "TimeoutError", id="silence in the middle"),
        pytest.param(answering(b"220 mail.example.com ESMTP\r\n"), "BadStatusLine", id="another protocol"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200), "HTTPException", id="too many headers"),
    ],
)
def test_a_connection_that_fails_is_broken(tmp_path: Path, play: Play, name: str) -> None:
    with listening(tmp_path, play) as path, pytest.raises(Broken, match=f"^{name}$"):
        get(path, silence=0.2 if name == "TimeoutError" else 60)


def test_a_socket_that_is_not_there_or_not_served_is_broken(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"^FileNotFoundError$"):
        get(tmp_path / "none")
    with listening(tmp_path, hang_up) as path:
        pass
    with pytest.raises(Broken, match=r"^ConnectionRefusedError$"):
        get(path)


def test_silence_is_counted_from_the_last_byte_also_while_sending(tmp_path: Path) -> None:
    def play(connection: socket.socket) -> None:
        for _ in range(8):  # a slow reader, and more than the socket's buffers hold
            left = 250_000
            while left:
                left -= len(connection.recv(left))
            time.sleep(0.2)
        connection.sendall(answer(b""))

    data = b"x" * 2_000_000
    with (
        listening(tmp_path, play) as path,
        Client(path, TICKET).request("PUT", "/", body=io.BytesIO(data), size=len(data), silence=1.2) as response,
    ):
        assert response.is_success


def test_a_gateway_that_stops_reading_is_broken(tmp_path: Path) -> None:
    has_given_up = threading.Event()

    def play(_: socket.socket) -> None:
        has_given_up.wait(60)

    with listening(tmp_path, play) as path:
        body = io.BytesIO(b"x" * 10_000_000)
        with (
            pytest.raises(Broken, match=r"^TimeoutError$"),
            Client(path, TICKET).request("PUT", "/", body=body, size=10_000_000, silence=0.2),
        ):
            pass
        has_given_up.set()


def test_an_answer_that_comes_before_the_request_was_read_is_heard(tmp_path: Path) -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(1_000)
        connection.sendall(answer(b"too much", "413 Content Too Large"))

    sent = []
    body = io.BytesIO(b"x" * 10_000_000)
    with (
        listening(tmp_path, play) as path,
        Client(path, TICKET).request(
            "PUT", "/", body=body, size=10_000_000, on_sent=lambda: sent.append(True)
        ) as response,
    ):
        assert (response.status, b"".join(response.chunks())) == (413, b"too much")
    assert sent == []


def test_it_is_told_that_the_request_is_sent_before_an_answer_is_there(tmp_path: Path) -> None:
    is_sent = threading.Event()

    def play(connection: socket.socket) -> None:
        assert hear(connection).body == b"x" * 300_000
        assert is_sent.wait(60)
        connection.sendall(answer(b""))

    body = io.BytesIO(b"x" * 300_000)
    with (
        listening(tmp_path, play) as path,
        Client(path, TICKET).request("PUT", "/", body=body, size=300_000, on_sent=is_sent.set) as response,
    ):
        assert response.is_success


def test_a_file_that_cannot_be_read_is_no_broken_connection(tmp_path: Path) -> None:
    class Bad(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError("the disk is bad")

    with (
        listening(tmp_path, hang_up) as path,
        pytest.raises(OSError, match="the disk is bad"),
        Client(path, TICKET).request("PUT", "/", body=Bad(), size=5),
    ):
        pass


@pytest.mark.parametrize("ticket", [f"{TICKET}\nx: y", f"{TICKET}\r", f"{TICKET}\N{SNOWMAN}"])
def test_a_ticket_that_no_header_can_hold_is_refused_and_not_quoted(tmp_path: Path, ticket: str) -> None:
    with pytest.raises(ValueError, match="not one line") as caught:
        Client(tmp_path, ticket)
    assert TICKET not in repr(caught.value)


@pytest.mark.parametrize("play", [reset, hang_up, say_nothing, stop_in_the_middle])
def test_the_ticket_is_in_no_error_no_log_and_no_repr(
    tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with listening(tmp_path, play) as path:
        client = Client(path, TICKET)
        with pytest.raises(Broken) as caught, client.request("GET", "/", silence=0.1) as response:
            response.discard()
    shown = capsys.readouterr()
    told = "".join(traceback.format_exception(caught.value)) + repr(client) + caplog.text + shown.out + shown.err
    assert TICKET not in told
