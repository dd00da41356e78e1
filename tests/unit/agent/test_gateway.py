"""What the gateway's answers to a step mean, and those that never came: artifacts, the model, refusals."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.agent.peer import TICKET, Heard, Play, answer, answering, hear, listening

from orch.agent.connection import Client
from orch.agent.gateway import Store, opened
from orch.agent.model import Model
from orch.agent.patience import GaveUp, Patience, Refused, Trouble
from orch.agent.sse import TooMuchOutput
from orch.api.work import ModelChoice

DATA = b"an artifact" * 100_000
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
EVENTS = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a\u2028b"}},
    {"type": "message_stop"},
]
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def event(content: dict[str, Any]) -> bytes:
    """In a chunk of its own."""
    data = f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


PING = event({"type": "ping", "padding": "x" * 10_000})
WHOLE = STREAM + b"".join(map(event, EVENTS)) + b"0\r\n\r\n"


def refusal(kind: str, message: str, status: str, **headers: str) -> bytes:
    return answer(
        json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode(), status, **headers
    )


@dataclass
class Waits:
    """A patience that writes down how long it would have waited."""

    seconds: list[float] = field(default_factory=list)

    def patience(self, **options: Any) -> Patience:
        return Patience(float("inf"), sleep=self.seconds.append, **options)


def ask(path: Path, patience: Patience, *, output_bytes: int = 1_000) -> str:
    choice = ModelChoice(name="m", max_output_tokens=1_000)
    model = Model(Client(path, TICKET), choice, user_id="u", output_bytes=output_bytes, patience=patience)
    return model.ask({"system": "ä"}).text


def trouble(folder: Path, text: bytes) -> Trouble:
    with listening(folder, answering(text)) as path:
        with pytest.raises(Trouble) as caught, opened(Client(path, TICKET), "GET", "/"):
            pass
        return caught.value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            refusal("rate_limit_error", "later", "429 X", retry_after="7"),
            ("rate_limit_error", "later", 429, 7.0),
            id="what the API says",
        ),
        pytest.param(
            refusal("api_error", "x" * 900, "503 X", retry_after="tomorrow"),
            ("api_error", "x" * 500, 503, None),
            id="a long message, a date",
        ),
        pytest.param(answer(b"oh \xff", "502 X"), ("", "oh \N{REPLACEMENT CHARACTER}", 502, None), id="a text"),
        pytest.param(answer(b"[" * 20_000, "500 X"), ("", "[" * 200, 500, None), id="something nested"),
        pytest.param(answer(b"", "301 X", location="/x"), ("", "", 301, None), id="another place"),
    ],
)
def test_a_refusal_says_what_the_gateway_said(
    tmp_path: Path, text: bytes, said: tuple[str, str, int, float | None]
) -> None:
    found = trouble(tmp_path, text)
    assert (found.kind, found.message, found.status, found.retry_after) == said


def test_a_refusal_is_read_no_further_than_its_limit(tmp_path: Path) -> None:
    is_over = threading.Event()

    def play(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 30_000)
        is_over.wait(60)

    with listening(tmp_path, play) as path:
        # who reads on hears nothing
        with pytest.raises(Trouble, match=r"^500  x{200}$"), opened(Client(path, TICKET), "GET", "/", silence=5):
            pass
        is_over.set()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(b"", "RemoteDisconnected", id="no answer"),
        pytest.param(answer(b"{}", "503 X")[:-1], "IncompleteRead", id="a refusal that is cut"),
    ],
)
def test_a_connection_that_fails_is_trouble_without_a_status(tmp_path: Path, text: bytes, name: str) -> None:
    found = trouble(tmp_path, text)
    assert (found.kind, found.status) == ("connection", None)
    assert str(found) == f"connection the connection to the gateway broke ({name})"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(answer(DATA)[:-1], id="too short"),
        pytest.param(STREAM + b"5\r\nan ar", id="a chunk too short"),
        pytest.param(answer(DATA[:-1]), id="another one"),
        pytest.param(refusal("api_error", "busy", "503 X"), id="none"),
        pytest.param(b"", id="no answer"),
    ],
)
def test_an_artifact_is_fetched_whole(tmp_path: Path, bad: bytes) -> None:
    waits = Waits()
    with listening(tmp_path, answering(bad, answer(DATA))) as path:
        store = Store(Client(path, TICKET), waits.patience())
        with store.fetch(DIGEST) as file:
            assert file.read() == DATA
    assert len(waits.seconds) == 1


PUTS: dict[str, Callable[[Store], str]] = {
    "bytes": lambda store: store.put(DATA),
    "a file": lambda store: store.put_file(io.BytesIO(DATA), DIGEST, len(DATA)),
}


@pytest.mark.parametrize("put", [pytest.param(put, id=name) for name, put in PUTS.items()])
@pytest.mark.parametrize("bad", [b"", answer(b"{}", "201 X")[:-1], refusal("api_error", "busy", "503 X")])
def test_what_is_handed_in_is_sent_whole_again(tmp_path: Path, put: Callable[[Store], str], bad: bytes) -> None:
    heard, waits = list[Heard](), Waits()

    def play(connection: socket.socket) -> None:
        heard.append(hear(connection))
        connection.sendall(bad if len(heard) == 1 else answer(b"", "201 X"))

    with listening(tmp_path, play) as path:
        assert put(Store(Client(path, TICKET), waits.patience())) == DIGEST
    assert [(each.first, each.body) for each in heard] == [(f"PUT /artifacts/{DIGEST} HTTP/1.1", DATA)] * 2
    assert {each.headers["content-type"] for each in heard} == {"application/octet-stream"}
    assert not any("transfer-encoding" in each.headers for each in heard)
    assert len(waits.seconds) == 1


def test_what_is_refused_for_good_is_not_sent_again(tmp_path: Path) -> None:
    with listening(tmp_path, answering(refusal("invalid_request_error", "no", "413 X"))) as path:
        store = Store(Client(path, TICKET), Waits().patience())
        with pytest.raises(Refused, match="the gateway does not take an artifact: 413 invalid_request_error no"):
            store.put(DATA)


def test_a_model_call_is_what_the_api_wants(tmp_path: Path) -> None:
    heard: list[Heard] = []

    def play(connection: socket.socket) -> None:
        heard.append(hear(connection))
        connection.sendall(WHOLE)

    with listening(tmp_path, play) as path:
        assert ask(path, Waits().patience()) == "a\u2028b"
    body = '{"model":"m","max_tokens":1000,"metadata":{"user_id":"u"},"stream":true,"system":"ä"}'
    assert [(each.first, each.body.decode()) for each in heard] == [("POST /v1/messages HTTP/1.1", body)]
    wanted = {
        "anthropic-version": "2023-06-01",
        "accept": "text/event-stream",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {TICKET}",
    }
    assert heard[0].headers.items() >= wanted.items()


def test_an_answer_that_breaks_is_asked_for_again(tmp_path: Path) -> None:
    cuts = [WHOLE[:-9], STREAM + event(EVENTS[0]), STREAM, STREAM + event(EVENTS[0]) + b"0\r\n\r\n"]
    for number, cut in enumerate(cuts):
        folder, waits = tmp_path / str(number), Waits()
        folder.mkdir()
        with listening(folder, answering(cut, WHOLE)) as path:
            assert ask(path, waits.patience()) == "a\u2028b"
        assert len(waits.seconds) == 1


def test_a_stream_that_breaks_is_told_apart_from_a_connection_that_was_never_made(tmp_path: Path) -> None:
    with (
        listening(tmp_path, answering(STREAM + event(EVENTS[0]))) as path,
        pytest.raises(GaveUp, match=r"^4 attempts failed, .*: cut the stream broke \(IncompleteRead\)$"),
    ):
        ask(path, Waits().patience())
    with pytest.raises(GaveUp, match=r"^8 attempts failed, .*: connection .* broke \(ConnectionRefusedError\)$"):
        ask(path, Waits().patience())


def dripping(*parts: bytes) -> Play:
    """The first of the parts, and then the last again and again until the client hangs up."""

    def play(connection: socket.socket) -> None:
        hear(connection)
        for part in parts:
            connection.sendall(part)
        while True:
            connection.sendall(parts[-1])

    return play


def test_an_answer_is_read_no_longer_than_the_step_has_time(tmp_path: Path) -> None:
    times = iter(range(10_000))
    with (
        listening(tmp_path, dripping(STREAM, PING)) as path,
        pytest.raises(GaveUp, match="in the middle of an answer"),
    ):
        ask(path, Patience(20, now=lambda: next(times)), output_bytes=10**9)


def test_an_answer_is_read_no_further_than_its_limit(tmp_path: Path) -> None:
    with (
        listening(tmp_path, dripping(STREAM, PING)) as path,
        pytest.raises(TooMuchOutput, match="the answer's stream does not end"),
    ):
        ask(path, Waits().patience(), output_bytes=10)
