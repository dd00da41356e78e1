"""Deliveries: signed, sent once, remembered, repeated only when asked."""

from __future__ import annotations

import hmac
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

SECRET = "hook-s3cret"
HOOKS = "/repos/octo/app/hooks"


class Receiver:
    """A server that keeps what it was sent, and answers `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(b"seen")

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.got.get(timeout=20)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def add_hook(world: Any, url: str, **options: Any) -> str:
    """Path of a new hook for issues, signed unless `secret` says otherwise."""
    config = {"url": url, "content_type": "json", "secret": SECRET} | options.pop("config", {})
    made = world.client.post(HOOKS, json={"name": "web", "events": ["issues"], "config": config, **options})
    assert made.status_code == 201, made.text
    return f"{HOOKS}/{made.json()['id']}"


def label_issue(world: Any) -> None:
    assert world.client.post("/repos/octo/app/issues/1/labels", json={"labels": ["orch"]}).status_code == 200


def deliveries(world: Any, hook: str, event: str = "issues") -> list[dict[str, Any]]:
    return [entry for entry in world.client.get(f"{hook}/deliveries").json() if entry["event"] == event]


def next_of(receiver: Receiver, event: str) -> tuple[dict[str, str], bytes]:
    while (got := receiver.next())[0]["x-github-event"] != event:
        pass
    return got


def test_a_delivery_is_signed_and_complete(world: Any, receiver: Receiver) -> None:
    hook = add_hook(world, receiver.url)
    label_issue(world)
    headers, body = next_of(receiver, "issues")
    expected = "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert headers["x-hub-signature-256"] == expected
    assert headers["x-github-hook-id"] == hook.rsplit("/", 1)[1]
    assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert headers["content-type"] == "application/json"
    payload = json.loads(body)
    assert payload["action"] == "labeled"
    assert payload["label"]["name"] == "orch"
    assert payload["issue"]["number"] == 1
    assert payload["repository"]["full_name"] == "octo/app"
    assert payload["sender"]["login"] == "octo"


def test_a_form_carries_the_payload_as_a_field(world: Any, receiver: Receiver) -> None:
    add_hook(world, receiver.url, config={"content_type": "form"})
    label_issue(world)
    headers, body = next_of(receiver, "issues")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert json.loads(parse_qs(body.decode())["payload"][0])["action"] == "labeled"
    assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest()


def test_without_a_secret_there_is_no_signature(world: Any, receiver: Receiver) -> None:
    add_hook(world, receiver.url, config={"secret": ""})
    label_issue(world)
    assert "x-hub-signature-256" not in next_of(receiver, "issues")[0]


def test_only_active_hooks_hear_and_only_what_they_want(world: Any, receiver: Receiver) -> None:
    asleep = add_hook(world, receiver.url, active=False)
    other = add_hook(world, receiver.url + "2", events=["push"])
    awake = add_hook(world, receiver.url + "3", events=["*"])
    label_issue(world)
    world.until(lambda: deliveries(world, awake))
    assert deliveries(world, asleep) == deliveries(world, other) == []


def test_a_delivery_is_remembered_with_its_answer(world: Any, receiver: Receiver) -> None:
    hook = add_hook(world, receiver.url)
    label_issue(world)
    [entry] = world.until(lambda: deliveries(world, hook))
    assert (entry["status"], entry["status_code"], entry["action"], entry["redelivery"]) == (
        "OK", 200, "labeled", False,
    )  # fmt: skip
    full = world.client.get(f"{hook}/deliveries/{entry['id']}").json()
    assert full["request"]["payload"]["issue"]["number"] == 1
    assert full["request"]["headers"]["x-github-delivery"] == entry["guid"]
    assert full["response"]["payload"] == "seen"
    world.restart()
    assert deliveries(world, hook) == [entry]


def test_a_failed_delivery_is_repeated_only_when_asked(world: Any, receiver: Receiver) -> None:
    hook = add_hook(world, receiver.url)
    receiver.status = 500
    label_issue(world)
    [failed] = world.until(lambda: deliveries(world, hook))
    assert (failed["status"], failed["status_code"]) == ("Invalid HTTP Response: 500", 500)
    receiver.status = 200
    assert world.client.post(f"{hook}/deliveries/{failed['id']}/attempts").status_code == 202
    second, first = world.until(lambda: len(deliveries(world, hook)) == 2 and deliveries(world, hook))
    assert first == failed
    assert (second["guid"], second["redelivery"], second["status"]) == (failed["guid"], True, "OK")
    assert world.client.get(hook).json()["last_response"]["code"] == 200


@pytest.mark.parametrize(
    ("url", "status"),
    [
        pytest.param("http://127.0.0.1:1/closed", "failed to connect", id="nobody listens"),
        pytest.param("http://192.0.2.1/far", "not sent: the stand-in delivers to loopback addresses only", id="far"),
        pytest.param(
            "http://orch.example/far", "not sent: the stand-in delivers to loopback addresses only", id="name"
        ),
    ],
)
def test_what_cannot_be_delivered_says_why(world: Any, url: str, status: str) -> None:
    hook = add_hook(world, url)
    label_issue(world)
    [entry] = world.until(lambda: deliveries(world, hook))
    assert (entry["status"], entry["status_code"]) == (status, 0)


def test_a_slow_receiver_is_given_up(world: Any) -> None:
    world.state.settings.webhooks.timeout = 0.1
    world.fault(method="POST", path="^/slow$", delay=1, count=None)
    hook = add_hook(world, f"{world.url}/slow")
    label_issue(world)
    [entry] = world.until(lambda: deliveries(world, hook))
    assert entry["status"] == "timed out"


def test_a_ping_reaches_the_one_hook_only(world: Any, receiver: Receiver) -> None:
    hook, other = add_hook(world, receiver.url), add_hook(world, receiver.url + "2")
    before = len(deliveries(world, hook, "ping")), len(deliveries(world, other, "ping"))
    assert world.client.post(f"{hook}/pings").status_code == 204
    world.until(lambda: len(deliveries(world, hook, "ping")) > before[0])
    assert len(deliveries(world, other, "ping")) <= 1


def test_deliveries_come_in_pages_by_cursor(world: Any, receiver: Receiver) -> None:
    hook = add_hook(world, receiver.url)
    for title in ("one", "two", "three"):
        world.client.patch("/repos/octo/app/issues/1", json={"title": title})
    found = world.until(lambda: len(deliveries(world, hook)) == 3 and deliveries(world, hook))
    first = world.client.get(f"{hook}/deliveries?per_page=1")
    second = world.client.get(first.links["next"]["url"])
    assert first.json()[0]["id"] > second.json()[0]["id"]
    assert {first.json()[0]["id"], second.json()[0]["id"]} <= {entry["id"] for entry in found} | {
        entry["id"] for entry in deliveries(world, hook, "ping")
    }


def test_only_admins_see_deliveries(world: Any, receiver: Receiver) -> None:
    hook = add_hook(world, receiver.url)
    assert world.other.get(f"{hook}/deliveries").status_code == 404
    assert world.anonymous.get(f"{hook}/deliveries").status_code == 401
    assert world.client.get(f"{HOOKS}/999999/deliveries").status_code == 404
    assert world.client.get(f"{hook}/deliveries/999999").status_code == 404
