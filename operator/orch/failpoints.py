"""Places where a process can be told to die: for every act on the world, just before it, in the middle, and just after.

Hit by the rooms that act; the crash matrix (`tests/chaos`) is generated from `ACTS`, so an act that is named here is tested,
and one that is not named cannot be reached in a process that was told to die. Told by the environment variable
`ORCH_FAILPOINTS`, read once: `push@before,open-pull@sent:2` dies at the first push, or at the second pull request that is
being opened, whichever comes first. Without it a hit is one look at an empty dictionary. It harms no process but its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VARIABLE: Final = "ORCH_FAILPOINTS"


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


@dataclass(frozen=True)
class Act:
    """One thing that orch does to the world. `where`: the module that names it."""

    where: str
    moments: tuple[Moment, ...] = tuple(Moment)


_FORGE: Final = Act("adapters/github/forge.py")
_KUBE: Final = Act("kube/client.py")
"""Named by what is asked of the API server, in RBAC's words."""

ACTS: Final[Mapping[str, Act]] = {
    "create-comment": _FORGE,
    "edit-comment": _FORGE,
    "add-labels": _FORGE,
    "remove-label": _FORGE,
    "set-status": _FORGE,
    "open-pull": _FORGE,
    "merge": _FORGE,
    "enqueue": _FORGE,
    "dequeue": _FORGE,
    "delete-branch": _FORGE,
    "rerun-check": _FORGE,
    "push": Act("adapters/git.py"),
    "put-artifact": Act("adapters/artifacts.py"),
    "sweep": Act("adapters/artifacts.py"),
    "start-step": Act("adapters/runners/subprocess_runner.py"),
    "consume-approval": Act("stages/gates.py", _NO_REQUEST),
    "create issueruns.orch.dev": _KUBE,
    "patch issueruns.orch.dev": _KUBE,
    "patch issueruns.orch.dev/status": _KUBE,
    "delete issueruns.orch.dev": _KUBE,
    "patch orchestratedrepos.orch.dev": _KUBE,
    "patch orchestratedrepos.orch.dev/status": _KUBE,
    "create approvals.orch.dev": _KUBE,
    "delete approvals.orch.dev": _KUBE,
    "patch approvals.orch.dev/status": _KUBE,
    "create rollbackpoints.orch.dev": _KUBE,
    "create configmaps": _KUBE,
    "create events.events.k8s.io": _KUBE,
    "create leases.coordination.k8s.io": _KUBE,
    "update leases.coordination.k8s.io": _KUBE,
    "delete leases.coordination.k8s.io": _KUBE,
    "call-model": Act("gateway/calls.py"),
    "keep-artifact": Act("gateway/shelves.py", _NO_REQUEST),
    "remove-artifacts": Act("gateway/shelves.py"),
    "keep-record": Act("gateway/records.py"),
}


def failpoint(act: str, moment: Moment) -> None:
    """Die here if that was asked for."""
    if _armed:
        _hit(act, moment)


def points() -> Iterator[str]:
    """Every place, as `ORCH_FAILPOINTS` names it."""
    for name, act in ACTS.items():
        yield from (f"{name}@{moment}" for moment in act.moments)


def parse(text: str) -> dict[str, int]:
    """What `ORCH_FAILPOINTS` says: the place, and at which hit of it. Raises ValueError, which names what is wrong."""
    known, asked = set(points()), dict[str, int]()
    for part in filter(None, text.split(",")):
        name, _, number = part.partition(":")
        if name not in known or not (number or "1").isdecimal() or number == "0":
            raise ValueError(f"{VARIABLE}: {part!r} is no failpoint: see orch.failpoints for their names")
        asked[name] = int(number or 1)
    return asked


def _hit(act: str, moment: Moment) -> None:
    if act not in ACTS or moment not in ACTS[act].moments:
        _die(f"{act}@{moment} is not named in orch.failpoints: add it to ACTS, so that its crash is tested")
    name = f"{act}@{moment}"
    _armed[name] = _armed.get(name, 0) - 1
    if _armed[name] == 0:
        _die(name)


def _die(words: str) -> None:
    """As if the machine had taken the process away: nothing is flushed, closed or told, but one line for the test."""
    os.write(2, f"failpoint: {words}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


_armed: Final = parse(os.environ.get(VARIABLE, ""))
