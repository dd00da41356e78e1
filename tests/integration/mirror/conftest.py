"""A real git server on loopback (git http-backend behind Python's HTTP server), a MirrorGit, and a person's clone."""

from __future__ import annotations

import base64
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.gitenv import git_env

from orch.adapters.git import MirrorGit
from orch.ports import Credential, Remote

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
PERSON = git_env("Ann", date="@1700000000 +0000")


def run_git(where: Path, *args: str, stdin: bytes = b"", **env: str) -> str:
    """git as a person or a work step runs it."""
    done = subprocess.run(["git", "-C", where, *args], input=stdin, capture_output=True, check=False, env=PERSON | env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="surrogateescape").strip()


@dataclass
class Server:
    """The server's switches and what it was asked."""

    root: Path
    url: str = ""
    token: str | None = TOKEN
    read_only: bool = False
    fail: dict[str, int] = field(default_factory=dict)
    """Part of the path → status that it gets instead of an answer."""
    cut_push: str | None = None
    """`before` or `after` the push is carried out, its answer is lost."""
    authorizations: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def bare(self) -> Path:
        return self.root / "acme" / "web.git"

    def sha(self, ref: str) -> str:
        return run_git(self.bare, "rev-parse", ref)

    def hook(self, text: str) -> None:
        path = self.bare / "hooks" / "pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def hold(self, folder: Path, *, first: str = "true") -> Path:
        """Keep a push waiting, after the command `first`, while the file that this makes is there: until it or its folder is deleted."""
        held = folder / "held"
        held.touch()
        self.hook(f"{first}; while [ -e {held} ]; do sleep 0.05; done")
        return held


class Handler(BaseHTTPRequestHandler):
    """Authenticates, fails as told, and hands the rest to git http-backend (CGI)."""

    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.answer(self.rfile.read(int(self.headers.get("content-length", 0))))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return self.answer(b"".join(parts))

    def answer(self, body: bytes) -> None:
        state = self.state
        state.requests.append(f"{self.command} {self.path}")
        path, _, query = self.path.partition("?")
        if status := next((code for part, code in state.fail.items() if part in self.path), None):
            extra = {"Location": f"{state.url}/elsewhere.git{path}"} if status in (301, 302) else {}
            return self.send(status, b"no", extra)
        if not self.is_allowed():
            return self.send(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
        is_push = "git-receive-pack" in self.path
        if is_push and state.read_only:
            return self.send(403, b"")
        cut = state.cut_push if is_push and self.command == "POST" else None
        if cut == "before":
            return self.hang_up()
        answer = self.backend(path, query, body)
        return self.hang_up() if cut == "after" else self.send(*answer)

    def is_allowed(self) -> bool:
        given = self.headers.get("authorization", "")
        self.state.authorizations.append(given)
        expected = base64.b64encode(f"x-access-token:{self.state.token}".encode()).decode()
        return self.state.token is None or given == f"Basic {expected}"

    def backend(self, path: str, query: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        env = PERSON | {
            "GIT_PROJECT_ROOT": str(self.state.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "REMOTE_USER": "orch",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, check=False, env=env)
        head, _, output = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        return int(headers.pop("Status", "200").split()[0]), output, headers

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def send(self, status: int, output: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        with suppress(BrokenPipeError):  # a git that was killed meanwhile does not listen any more
            self.wfile.write(output)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    state = Server(tmp_path / "server")
    state.bare.mkdir(parents=True)
    run_git(state.bare, "init", "--bare", "--quiet", "--initial-branch=main", ".")
    run_git(state.bare, "config", "http.receivepack", "true")
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state})) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        httpd.shutdown()
        thread.join()


@dataclass
class Work:
    """A checkout: a person's, or a work step's hostile one. It reaches the server as a folder, not through HTTP."""

    path: Path
    bare: Path

    def git(self, *args: str, stdin: bytes = b"") -> str:
        return run_git(self.path, *args, stdin=stdin)

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        for name, content in files.items():
            target = self.path / name
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")

    def tree_commit(self, entries: list[tuple[str, str, bytes]], parent: str) -> str:
        """A commit on `parent` with more entries (mode, sha, path) than a checkout could hold."""
        listing = "".join(f"{line}\0" for line in self.git("ls-tree", "-z", parent).split("\0") if line)
        data = listing.encode(errors="surrogateescape")
        for mode, sha, path in entries:
            kind = {"160000": b"commit", "040000": b"tree"}.get(mode, b"blob")
            data += mode.encode() + b" " + kind + b" " + sha.encode() + b"\t" + path + b"\0"
        tree = self.git("mktree", "-z", "--missing", stdin=data)
        return self.git("commit-tree", tree, "-p", parent, "-m", "hostile")

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def push(self, branch: str = "main") -> None:
        self.git("push", "-q", "--force", str(self.bare), f"HEAD:refs/heads/{branch}")

    def bundle(self, sha: str, *exclude: str) -> Path:
        self.git("update-ref", "refs/heads/result", sha)
        path = self.path.parent / f"{sha}.bundle"
        self.git("bundle", "create", "-q", str(path), "refs/heads/result", *(f"^{e}" for e in exclude))
        return path


@pytest.fixture
def person(server: Server, tmp_path: Path) -> Work:
    """A person's checkout whose first commit is on the server's main."""
    work = Work(tmp_path / "person", server.bare)
    work.path.mkdir()
    work.git("init", "-q", "--initial-branch=main")
    work.commit({"README.md": "hello\n", "src/app.py": "print('one')\nprint('two')\n"}, "first")
    work.push()
    return work


@pytest.fixture
def remote(server: Server) -> Remote:
    return Remote("github.test-1", f"{server.url}/acme/web.git", Credential(TOKEN))


@pytest.fixture
async def git(tmp_path: Path) -> AsyncIterator[MirrorGit]:
    opened = MirrorGit(tmp_path / "data")
    yield opened
    await opened.close()
