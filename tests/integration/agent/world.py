"""What a work step needs around it: a gateway on a Unix socket in front of the model's stand-in, and a repository in a bundle.

The gateway here only passes through and keeps artifacts in memory; the real one has tests of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.gitenv import git_env

from orch.agent.main import main as agent
from orch.api.work import (
    Commands,
    Feedback,
    IssueText,
    Limits,
    ModelChoice,
    StepInput,
    StepReport,
    StepStage,
    decode,
    encode,
)
from orch.testservers.model import Running, serve_in_thread

TICKET = "ticket-canary-0123456789abcdef"
ENV = git_env("T", date="2026-01-01T00:00:00Z")


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=ENV, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


@dataclass
class Refusal:
    """What the gateway answers instead of passing a model call on."""

    status: int
    kind: str
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Gateway:
    """Serves `socket`. `refusals`: answers to the next model calls; `calls`: bodies of all that came."""

    socket: Path
    upstream: Running
    artifacts: dict[str, bytes] = field(default_factory=dict)
    refusals: list[Refusal | None] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    tickets: set[str] = field(default_factory=lambda: {TICKET})

    def put(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.artifacts[digest] = data
        return digest

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/artifacts/{digest}", self._put, methods=["PUT"]),
                Route("/artifacts/{digest}", self._get, methods=["GET"]),
            ]
        )

    def _denied(self, request: Request) -> Response | None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") in self.tickets:
            return None
        return _error(401, "authentication_error", "unknown ticket")

    async def _messages(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        body = await request.body()
        self.calls.append(json.loads(body))
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            return _error(refusal.status, refusal.kind, refusal.message, refusal.headers)
        client = httpx2.AsyncClient(timeout=60, trust_env=False)
        headers = {"x-api-key": self.upstream.api_key, "content-type": "application/json"}
        headers["anthropic-version"] = request.headers["anthropic-version"]
        sent = client.build_request("POST", f"{self.upstream.url}/v1/messages", content=body, headers=headers)
        answer = await client.send(sent, stream=True)
        kept = {k: v for k, v in answer.headers.items() if k in ("content-type", "retry-after", "request-id")}

        async def chunks() -> Any:
            try:
                async for chunk in answer.aiter_raw():
                    yield chunk
            finally:
                await answer.aclose()
                await client.aclose()

        return StreamingResponse(chunks(), status_code=answer.status_code, headers=kept)

    async def _put(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        data = await request.body()
        digest = self.put(data)
        return Response(status_code=201 if digest == request.path_params["digest"] else 400)

    async def _get(self, request: Request) -> Response:
        if (denied := self._denied(request)) is not None:
            return denied
        data = self.artifacts.get(request.path_params["digest"])
        return Response(data) if data is not None else _error(404, "not_found_error", "no such artifact")


def _error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status, headers)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_listen: threading.Event) -> None:
        super().__init__(config)
        self._on_listen = on_listen

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listen.set()


@contextlib.contextmanager
def gateway(folder: Path, scripts: str = "") -> Iterator[Gateway]:
    """A gateway on `<folder>/gateway/g.sock`, with a model behind it that answers from scripts (YAML)."""
    (folder / "gateway").mkdir(parents=True)
    path = folder / "gateway" / "g.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.path.relpath(path))  # a socket's path is short: the folder of a test may not be
    with serve_in_thread(folder / "model", scripts=scripts) as upstream, listener:
        served = Gateway(path, upstream)
        listening = threading.Event()
        config = uvicorn.Config(
            served.app(), log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = _Server(config, listening)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            assert listening.wait(30)
            yield served
        finally:
            server.should_exit = True
            thread.join()


class Repository:
    """A git repository made of files."""

    def __init__(self, path: Path, files: dict[str, str]) -> None:
        self.path = path
        path.mkdir(parents=True)
        git(path, "init", "-q", "-b", "main")
        self.head = self.commit(files)

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        git(self.path, "add", "-A")
        git(self.path, "commit", "-q", "-m", "c")
        return git(self.path, "rev-parse", "HEAD")

    def bundle(self, *shas: str) -> bytes:
        """As our mirror writes it: HEAD and one ref for each commit."""
        for sha in shas:
            git(self.path, "update-ref", f"refs/orch/{sha}", sha)
        file = self.path.parent / "step.bundle"
        git(self.path, "bundle", "create", "-q", str(file), *(f"refs/orch/{sha}" for sha in shas))
        return file.read_bytes()

    def read_result(self, data: bytes, sha: str) -> dict[str, str]:
        """What a step's bundle changes against the head: path → the new content, `-` where it is deleted."""
        file = self.path.parent / "result.bundle"
        file.write_bytes(data)
        git(self.path, "bundle", "verify", "-q", str(file))
        git(self.path, "bundle", "unbundle", str(file))
        names = git(self.path, "diff", "--name-status", "--no-renames", self.head, sha).splitlines()
        pairs = [line.split("\t") for line in names]
        return {path: "-" if status == "D" else git(self.path, "show", f"{sha}:{path}") for status, path in pairs}


CALC = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return a * 2\n",
    "test_calc.py": (
        "from calc import add, double\n\n\ndef test_add():\n    assert add(2, 3) == 5\n\n\n"
        "def test_double():\n    assert double(4) == 8\n"
    ),
    ".gitignore": "build/\n",
    "AGENTS.md": "Write small functions.\n",
}
PLAIN = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"
"""Before a pytest of the repository: without the plugins that our own tests need, which take a second and a half to read."""
PYTEST = f"{PLAIN} {sys.executable} -m pytest -q -p no:cacheprovider"
"""The environment's own pytest: outside a sandbox, the path is fine."""


def a_step(world: Gateway, repository: Repository, stage: str = "Implement", **changes: Any) -> StepInput:
    """A step on the repository's head, with its bundle stored in the gateway."""
    shas = [sha for sha in (repository.head, changes.get("merge_sha")) if sha]
    base: dict[str, Any] = {
        "name": f"shop-7-1-{stage.lower()}-1",
        "identity": "0123456789abcdef",
        "stage": StepStage(stage),
        "issue": IssueText(number=7, title="add subtracts", body="add(2, 3) gives -1, should give 5.", author="alice"),
        "bundle": world.put(repository.bundle(*shas)),
        "base_sha": repository.head,
        "head_sha": repository.head,
        "commands": Commands(test=(PYTEST,)),
        "limits": Limits(seconds=120, turns=20),
        "model": ModelChoice(name="claude-sonnet-5", max_output_tokens=4_000),
    }
    return StepInput(**(base | changes))


@dataclass
class Outcome:
    """How a step ended, run without a sandbox and without a runner."""

    status: int
    report: StepReport
    transcript: list[dict[str, Any]]


def run_step(world: Gateway, step: StepInput, folder: Path, capsys: Any) -> Outcome:
    """Run agent (in this process) and tool server (as a program) on a step."""
    status, line, _ = run_agent(world, step, folder, capsys)
    assert status == 0, line
    report = decode(world.artifacts[json.loads(line)["report"]], StepReport)
    transcript = [json.loads(entry) for entry in world.artifacts[report.transcript].splitlines()]
    return Outcome(status, report, transcript)


def run_agent(world: Gateway, step: StepInput, folder: Path, capsys: Any, ticket: str = TICKET) -> tuple[int, str, str]:
    """The agent's exit status, stdout and stderr."""
    place = folder / "step"
    for name in ("checkout", "state"):
        (place / name).mkdir(parents=True)
    (place / "input.json").write_bytes(encode(step))
    (place / "ticket").write_text(ticket)
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "orch.agent.toolserver", "--fd", str(theirs.fileno())]
    command += ["--checkout", str(place / "checkout"), "--state", str(place / "state")]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as tools:
        theirs.close()
        try:
            options = ["--input", str(place / "input.json"), "--ticket", str(place / "ticket")]
            socket_path = os.path.relpath(world.socket)
            status = agent([*options, "--gateway-socket", socket_path, "--tools-fd", str(ours.detach())])
        finally:
            tools.terminate()
    shown = capsys.readouterr()
    return status, shown.out, shown.err


__all__ = [
    "CALC",
    "PLAIN",
    "PYTEST",
    "TICKET",
    "Commands",
    "Feedback",
    "Gateway",
    "IssueText",
    "Limits",
    "Refusal",
    "Repository",
]
__all__ += ["Outcome", "a_step", "gateway", "git", "run_agent", "run_step"]
