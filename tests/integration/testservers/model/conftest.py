"""Servers and clients for the tests of the model's stand-in: the real SDK over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anthropic
import pytest

from orch.testservers.model import Running, serve_in_thread


class Api:
    """A running stand-in, with the SDK's client: without its retries, unless a test is about them."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.client = self.connect()

    def connect(self, **options: Any) -> anthropic.Anthropic:
        chosen: dict[str, Any] = {"base_url": self.server.url, "api_key": self.server.api_key, "max_retries": 0}
        return anthropic.Anthropic(**(chosen | options))

    @staticmethod
    def request(said: str = "Hello", **more: Any) -> dict[str, Any]:
        """The arguments of a minimal request."""
        messages = [{"role": "user", "content": said}]
        return {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": messages} | more

    @staticmethod
    def in_run(stage: str, attempt: int = 1, identity: str = "0123456789abcdef") -> dict[str, str]:
        """The metadata that tell the stand-in where in a run a request stands."""
        return {"user_id": f"orch/{identity}/{stage}/{attempt}"}

    def create(self, said: str = "Hello", **more: Any) -> Any:
        return self.client.messages.create(**self.request(said, **more))

    def stream(self, said: str = "Hello", **more: Any) -> Any:
        return self.client.messages.stream(**self.request(said, **more))

    def post(self, body: object, path: str = "/v1/messages", **headers: str) -> Any:
        """A body that the SDK's own methods would not let through."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, body=body, cast_to=object, options={"headers": named})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Starts a server with scripts given as YAML text; stops it after the test."""
    with ExitStack() as stack:
        yield lambda scripts="", **options: Api(
            stack.enter_context(serve_in_thread(tmp_path / "data", scripts=scripts, **options))
        )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server without scripts, for tests that leave no trace in it."""
    with serve_in_thread(tmp_path_factory.mktemp("plain")) as server:
        yield Api(server)
