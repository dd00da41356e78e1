"""Carries blows out on a world and the control plane under it, and brings back what fell. Used by the soak, in its main thread."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import httpx2
from hack.servers import ControlPlane
from hack.world import ProcessError, World
from tests.chaos.blows import SERVERS, WORLD, Blow

_LOOK = 0.1
_AGAIN = 0.5
"""Seconds until a program that ended by itself is started again, as a kubelet would."""


class Storm:
    """One soak's bad weather. `say`: told of each blow."""

    def __init__(self, world: World, plane: ControlPlane, say: Callable[[str], None]) -> None:
        self._world, self._plane, self._say = world, plane, say
        self._back: dict[str, float] = {}
        self._thaw: dict[str, float] = {}

    def rage(self, blows: Iterable[Blow]) -> None:
        """Strike when it is time, from now on; return after the last one."""
        began = time.monotonic()
        for blow in blows:
            while (left := began + blow.at - time.monotonic()) > 0:
                time.sleep(min(left, _LOOK))
                self.mend()
            self._strike(blow)

    def calm(self) -> None:
        """No new faults, nothing stands still, everything runs."""
        for name in (*WORLD, *SERVERS):
            self._back[name] = self._thaw[name] = 0.0
        self.mend()
        with suppress(httpx2.HTTPError):
            httpx2.delete(f"{self._world.github_url}/_control/faults")

    def mend(self) -> None:
        """Thaw whose time is over, and start what is dead and due."""
        now = time.monotonic()
        for name, due in list(self._thaw.items()):
            if now >= due:
                self._signal(name, signal.SIGCONT)
                del self._thaw[name]
        for name in (*SERVERS, *WORLD):
            if self._is_dead(name) and now >= self._back.setdefault(name, now + _AGAIN):
                self._start(name)
                del self._back[name]

    def _strike(self, blow: Blow) -> None:
        self._say(f"{blow.at:6.2f} s  {blow.kind} {blow.target} {blow.fault or f'for {blow.seconds} s'}")
        if blow.kind == "kill":
            self._thaw.pop(blow.target, None)
            self._signal(blow.target, signal.SIGKILL)
            self._back[blow.target] = time.monotonic() + blow.seconds
        elif blow.kind == "freeze":
            self._signal(blow.target, signal.SIGSTOP)
            self._thaw[blow.target] = time.monotonic() + blow.seconds
        else:
            with suppress(httpx2.HTTPError):  # it is down or stands still: bad weather enough
                httpx2.post(f"{self._world.github_url}/_control/faults", json=blow.fault, timeout=1)

    def _signal(self, name: str, number: signal.Signals) -> None:
        if name in SERVERS:
            self._plane.kill(name, number)
        elif not self._is_dead(name):
            self._world.processes[name].kill(number)

    def _is_dead(self, name: str) -> bool:
        if name in SERVERS:
            return self._plane.is_dead(name)
        try:
            self._world.processes[name].check()
        except ProcessError:
            return True
        return False

    def _start(self, name: str) -> None:
        if name in SERVERS:
            self._plane.revive(name)
        else:
            self._world.processes[name].start()
