"""Places where a process can be told to die: for every act on the world, just before it, in the middle, and just after.

Hit by the rooms that act; the crash matrix (`tests/chaos`) is generated from `ACTS`, so an act that is named here is tested,
and one that is not named cannot be reached in a process that was told to die. One act serves several occasions (the first push,
and the one that mends a red check); who knows them says so by `occasion`, and the matrix has the process die at each of them.

Told by the environment variable `ORCH_FAILPOINTS`, read once: `push@before,open-pull@sent:2` dies at the first push, or at the
second pull request that is being opened, whichever comes first; `push@before#Checks` at the first push on that occasion. Where it
begins with `!`, it names what has been tried: `!push@before#Checks,merge@sent` dies wherever it comes to first, but for a push on
that occasion and a merge on any. Without it a hit is one look at a constant. It harms no process but its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from threading import Lock
from typing import Any, Final, NamedTuple

VARIABLE: Final = "ORCH_FAILPOINTS"
STEPS_VARIABLE: Final = "ORCH_STEP_FAILPOINTS"
"""What an operator's work steps are told, for a step is another process and sees nothing of the operator's own environment."""


class Moment(StrEnum):
    """When, seen from the process that acts."""

    BEFORE = "before"
    """Nothing has left the process."""
    SENT = "sent"
    """The request is out, its answer is not read: the act may have happened or not, or may be happening."""
    ANSWERED = "answered"
    """The answer is known and recorded nowhere."""


_NO_REQUEST: Final = (Moment.BEFORE, Moment.ANSWERED)
"""Of acts that are sent through another act's door, or that are no request."""


class Act(NamedTuple):
    """One thing that orch does to the world. `where`: the module that names it. `varies`: the moments at which its occasions are
    told apart, since it is not the same act on each of them; what only repeats itself is cut once."""

    where: str
    moments: tuple[Moment, ...] = tuple(Moment)
    varies: tuple[Moment, ...] = ()


_IN_BETWEEN: Final = (Moment.SENT,)
_FORGE: Final = Act("adapters/github/forge.py")
_FORGE_VARIES: Final = Act("adapters/github/forge.py", varies=_IN_BETWEEN)
_KUBE: Final = Act("kube/client.py")
"""Named by what is asked of the API server, in RBAC's words."""
_KUBE_VARIES: Final = Act("kube/client.py", varies=_IN_BETWEEN)

ACTS: Final[Mapping[str, Act]] = {
    "create-comment": _FORGE,
    "edit-comment": _FORGE_VARIES,
    "add-labels": _FORGE_VARIES,
    "remove-label": _FORGE_VARIES,
    "set-status": Act("adapters/github/forge.py", varies=_IN_BETWEEN),
    "open-pull": _FORGE,
    "merge": _FORGE,
    "enqueue": _FORGE,
    "dequeue": _FORGE,
    "delete-branch": _FORGE_VARIES,
    "rerun-check": _FORGE,
    "push": Act("adapters/git.py", varies=tuple(Moment)),
    "put-artifact": Act("adapters/artifacts.py"),
    "sweep": Act("adapters/artifacts.py"),
    "start-step": Act("adapters/runners/subprocess_runner.py"),
    "consume-approval": Act("stages/gates.py", _NO_REQUEST),
    "create issueruns.orch.dev": _KUBE,
    "patch issueruns.orch.dev": _KUBE,
    "patch issueruns.orch.dev/status": _KUBE_VARIES,
    "delete issueruns.orch.dev": _KUBE,
    "patch orchestratedrepos.orch.dev": Act("kube/client.py", varies=tuple(Moment)),
    "patch orchestratedrepos.orch.dev/status": _KUBE,
    "create approvals.orch.dev": _KUBE_VARIES,
    "delete approvals.orch.dev": _KUBE,
    "patch approvals.orch.dev/status": _KUBE_VARIES,
    "create rollbackpoints.orch.dev": _KUBE,
    "create configmaps": _KUBE_VARIES,
    "create events.events.k8s.io": _KUBE,
    "create leases.coordination.k8s.io": _KUBE,
    "update leases.coordination.k8s.io": _KUBE,
    "delete leases.coordination.k8s.io": _KUBE,
    "ask-model": Act("agent/model.py", varies=tuple(Moment)),
    "hand-in": Act("agent/gateway.py", varies=tuple(Moment)),
    "tell": Act("agent/recorder.py", varies=tuple(Moment)),
    "call-model": Act("gateway/calls.py"),
    "keep-artifact": Act("gateway/shelves.py", _NO_REQUEST),
    "remove-artifacts": Act("gateway/shelves.py"),
    "keep-record": Act("gateway/records.py"),
}


@contextmanager
def occasion(tell: Callable[[], str]) -> Iterator[None]:
    """What is done inside is done on the occasion that `tell` says, asked at each hit; a word or some, without a comma."""
    if not _is_told:
        yield
        return
    token = _occasion.set(tell)
    try:
        yield
    finally:
        _occasion.reset(token)


def failpoint(act: str, moment: Moment) -> None:
    """Die here if that was asked for."""
    if _is_told:
        _hit(act, moment)


def hit_when_sent(act: str) -> dict[str, Any]:
    """`extensions` of a request by httpx2's asynchronous client, which hits `SENT` once the request is written and before
    anything of its answer is read: https://www.encode.io/httpcore/extensions/#trace. Nothing when off."""

    async def trace(event: str, _info: object) -> None:
        if event.endswith(".send_request_body.complete"):
            _hit(act, Moment.SENT)

    return {"trace": trace} if _is_told else {}


def points() -> Iterator[str]:
    """Every place, as `ORCH_FAILPOINTS` names it."""
    for name, act in ACTS.items():
        yield from (f"{name}@{moment}" for moment in act.moments)


def parse(text: str) -> dict[str, int]:
    """What `ORCH_FAILPOINTS` says: the place, on which occasion if it says so, and at which hit of it; 0 for one that was tried.
    Raises ValueError, which names what is wrong."""
    known, asked = set(points()), dict[str, int]()
    is_tried = text.startswith("!")
    for part in filter(None, text.removeprefix("!").split(",")):
        name, _, number = part.partition(":")
        place = name.partition("#")[0]
        if place not in known or not (number or "1").isdecimal() or number == "0" or (is_tried and number):
            raise ValueError(f"{VARIABLE}: {part!r} is no failpoint: see orch.failpoints for their names")
        asked[name] = 0 if is_tried else int(number or 1)
    return asked


def _hit(act: str, moment: Moment) -> None:
    if act not in ACTS or moment not in ACTS[act].moments:
        _die(f"{act}@{moment} is not named in orch.failpoints: add it to ACTS, so that its crash is tested")
    place = f"{act}@{moment}"
    here = f"{place}#{_occasion.get()()}" if moment in ACTS[act].varies else place
    names = dict.fromkeys((place, here))
    if _told.startswith("!"):
        if not _armed.keys() & names:
            _die(here)
        return
    for name in names:
        _armed[name] = _armed.get(name, 0) - 1
        if _armed[name] == 0:
            _die(name)


def _die(words: str) -> None:
    """As if the machine had taken the process away: nothing is flushed, closed or told, but one line for the test."""
    _first.acquire()  # never let go: of two threads that come to their places at once, one tells
    os.write(2, f"failpoint: {words}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


_first: Final = Lock()
_occasion: ContextVar[Callable[[], str]] = ContextVar("occasion", default=str)
_told: Final = os.environ.get(VARIABLE, "")
_is_told: Final = bool(_told)
_armed: Final = parse(_told)
