"""`logs` and `transcript`: what a work step has recorded, from the gateway. Called by `orch.cli.verbs.look`; only reads.

The gateway is shown the person's own cluster token, so that goes to this machine or over TLS, nowhere else. What comes back was
written beside a stranger's code: control and invisible characters are shown as escapes, and every line of it stands behind a bar.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx2
import typer

from orch.api.v1alpha1 import IssueRun, Step, StepState
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_run
from orch.cli.options import WRONG_USE, Failure, Place
from orch.kube.client import Kube
from orch.policy.text import visible

_SECONDS: Final = 60.0
_MOST: Final = 20_000_000
"""Bytes that are read: four times what our own agent ever records."""
_STRANGE: Final = "it is no gateway of orch's"
_PAUSE: Final = 1.0
_AT_WORK: Final = (StepState.INTENDED, StepState.RUNNING)
_COMMANDS: Final = frozenset({"setup", "check", "tool", "end", "full"})

Entry = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """Of which step, and how the gateway is reached. `token_file`: for whom the kubeconfig holds no token; `follow`: go on
    until the step has ended."""

    run: str
    step: str | None
    gateway: str
    token_file: Path | None = None
    follow: bool = False


def logs(place: Place, wish: Wish) -> int:
    """Print the commands that were run, and what they printed. Raises Failure."""
    return _show(place, wish, lambda entry: _print(entry) if entry.get("kind") in _COMMANDS else None)


def transcript(place: Place, wish: Wish, as_json: bool) -> int:
    """Print all that was said and done. Raises Failure."""
    # ASCII: what a terminal could obey is an escape
    return _show(place, wish, (lambda entry: typer.echo(json.dumps(entry))) if as_json else _print)


def _print(entry: Entry) -> None:
    for line in _lines(entry):
        typer.echo(visible(line))


def _show(place: Place, wish: Wish, tell: Callable[[Entry], None]) -> int:
    address = _safe(wish.gateway)
    if place.user:
        raise Failure("--as does not reach the gateway, which knows people by their own token", code=WRONG_USE)

    async def session(kube: Kube, namespace: str) -> int:
        run = await get_run(kube, namespace, wish.run)
        step = _choose(run, wish.step)
        token = wish.token_file.read_text().strip() if wish.token_file else await _own_token(kube)
        path = "/".join(quote(part, safe="") for part in (namespace, run.metadata.name, "transcripts", step.name))
        reading = _Reading(f"{address}/runs/{path}", token)
        while True:  # the state is older than what is read, so that nothing is left unread behind a step that has ended
            goes_on = wish.follow and step.state in _AT_WORK
            try:
                lines = await reading.more(to_the_end=not goes_on)
            except _NoRecord:
                if not goes_on:
                    raise Failure(_nothing_of(run, step)) from None
                lines = b""
            for entry in _entries(lines):
                tell(entry)
            if not goes_on:
                return 0
            await asyncio.sleep(_PAUSE)
            run = await get_run(kube, namespace, wish.run)
            step = _choose(run, step.name)

    try:
        return on_cluster(session, place)
    except OSError as error:
        raise Failure(f"cannot read {wish.token_file}: {error.strerror}", code=WRONG_USE) from None


class _NoRecord(Exception):
    """The gateway has nothing of this step, or not yet."""


class _Reading:
    """A record as far as it was read."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._offset = 0
        self._rest = b""

    async def more(self, *, to_the_end: bool) -> bytes:
        """The lines since the last look; a last line that has no end yet only `to_the_end`. Raises _NoRecord, Failure."""
        data = await _get(f"{self._url}?offset={self._offset}", self._token, _MOST - self._offset)
        self._offset += len(data)
        lines, end, rest = (self._rest + data).rpartition(b"\n")
        self._rest = b"" if to_the_end else rest
        return lines + end + rest if to_the_end else lines


def _nothing_of(run: IssueRun, step: Step) -> str:
    """Why there is nothing to read, and where to look."""
    look = f"kubectl orch explain {run.metadata.name}"
    if step.state in _AT_WORK:
        return f"step {step.name} is {step.state} and has told nothing yet: {look}, or --follow"
    why = f" ({step.reason})" if step.reason else ""
    text = f"step {step.name} is {step.state}{why}, and there is no record of it"
    return f"{text}: it ended before its work began, or so long ago that the gateway keeps it no more; {look}"


def _safe(address: str) -> str:
    """The address, if a token may be sent there. Raises Failure."""
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return address.rstrip("/")
    text = f"{address} is neither https nor on this machine, and your token would cross the network in clear text"
    raise Failure(f"{text}: forward the gateway's port to here, and name http://127.0.0.1:…", code=WRONG_USE)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _choose(run: IssueRun, name: str | None) -> Step:
    """The step of this name or its last part (`implement-1`), or the newest. Raises Failure."""
    steps, prefix = run.status.steps, f"{run.metadata.name}-"
    found = [step for step in steps if name in (None, step.name, step.name.removeprefix(prefix))]
    if found:
        return found[-1]
    if name is None:
        raise Failure(f"{run.metadata.name} has begun no step yet: kubectl orch explain {run.metadata.name}")
    there = ", ".join(step.name.removeprefix(prefix) for step in steps) or "none yet"
    raise Failure(f"{run.metadata.name} has no step {name}; it has {there}")


async def _own_token(kube: Kube) -> str:
    for name, value in (await kube.authorization()).items():
        scheme, _, token = value.partition(" ")
        if name.lower() == "authorization" and scheme.lower() == "bearer":
            return token
    text = "the kubeconfig knows you by no token (by a certificate?), and the gateway knows people by tokens alone"
    raise Failure(f"{text}: --token-file with one, e.g. of kubectl create token", code=WRONG_USE)


async def _get(url: str, token: str, most: int) -> bytes:
    data = bytearray()
    try:
        async with (
            httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as http,
            http.stream("GET", url, headers={"authorization": f"Bearer {token}"}) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > most:
                    raise Failure(
                        f"the record is larger than {_MOST // 1_000_000} MB, which is nothing that orch writes"
                    )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        text = (
            f"the gateway does not answer ({type(error).__name__}): is --gateway right, and its port forwarded to here?"
        )
        raise Failure(text, code=WRONG_USE) from None
    if answer.status_code == 200:
        return bytes(data)
    if answer.status_code == 404 and _is_ours(bytes(data)):
        raise _NoRecord
    raise Failure(f"the gateway refuses: {_said(bytes(data))}", code=WRONG_USE)


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return _STRANGE


def _is_ours(body: bytes) -> bool:
    return _said(body) != _STRANGE


def _entries(data: bytes) -> Iterator[Entry]:
    for line in data.decode(errors="replace").split("\n"):
        try:
            entry = json.loads(line) if line else None
        except (ValueError, RecursionError):
            entry = line
        if entry is not None:
            yield entry if isinstance(entry, dict) else {"kind": "unreadable", "text": line}


def _lines(entry: Entry) -> Iterator[str]:
    """A heading that says what happened, then its text, each line behind a bar: no text passes for a heading."""
    yield _one(f"{_clock(entry)}{_heading(entry)}")
    for text in _texts(entry):
        yield from (f"  | {line}" for line in text.rstrip("\n").split("\n") if text)


def _one(text: str) -> str:
    return " ".join(text.split("\n"))


def _clock(entry: Entry) -> str:
    seconds = entry.get("seconds")
    return f"{seconds:8.1f}s  " if isinstance(seconds, int | float) else " " * 11


def _took(entry: Entry) -> str:
    seconds = entry.get("took")
    return f" after {seconds:.1f} s" if isinstance(seconds, int | float) else ""


def _heading(entry: Entry) -> str:
    match entry.get("kind"):
        case "setup" | "check":
            return f"$ {entry.get('command')}  (exit {entry.get('exit_code')}{_took(entry)})"
        case "tool":
            failed = "  (failed)" if entry.get("is_error") else ""
            return f"{entry.get('name')} {_short(entry.get('input'))}{failed}"
        case "end":
            return f"ended: {entry.get('outcome')}"
        case kind:
            return str(kind)


def _texts(entry: Entry) -> Iterator[str]:
    for key in ("text", "output", "result", "message", "cut"):
        if isinstance(entry.get(key), str):
            yield entry[key]
    content = entry.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            yield str(block.get("text") or block.get("thinking") or _short(block))


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
