"""Keeps a control plane up for several processes, none of which has to outlive the others.

A keeper is a process of its own that owns the servers. Either it runs until it is told to stop (`keep`, `release`: what
`hack/controlplane.py up` and `down` do), or for as long as somebody holds it (`hold`: one server for all workers of a
test run). A holder has a named pipe open for writing; the kernel closes that for whoever dies, and the keeper sees the
end when the last one has let go. So nothing leaks, not after Ctrl-C and not after SIGKILL.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack import binaries
from hack.locks import exclusive, is_held
from hack.servers import ControlPlane
from hack.versions import SetupError

_ROOT = Path(__file__).resolve().parents[1]
_LOOK_AFTER_SERVERS = 2000
"""Milliseconds between two looks whether the servers still run."""


class Keep:
    """The folder of a keeper: what is in it, and how to find out whether its keeper lives."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.servers = self.directory / "servers"
        self.kubeconfig = self.servers / "kubeconfig"
        self.log = self.directory / "keeper.log"
        self.life = self.directory / "keeper.lock"
        """Held by a living keeper, so its process id in `pid` cannot be somebody else's."""
        self.pid = self.directory / "keeper.pid"
        self.holders = self.directory / "holders"
        """The named pipe that holders have open."""

    @property
    def door(self) -> Path:
        """The lock under which a keeper starts, stops, gains a holder. Beside the folder, which comes and goes."""
        return self.directory.with_name(f"{self.directory.name}.lock")

    def is_up(self) -> bool:
        """Whether a keeper lives and its servers were ready."""
        return is_held(self.life) and self.kubeconfig.exists()


def keep(directory: Path) -> Keep:
    """Bring a control plane up in `directory`, or find it there; it stays until `release`. Raises SetupError."""
    place = Keep(directory)
    with exclusive(place.door):
        if not place.is_up():
            _spawn(place, held=False)
    return place


def release(directory: Path) -> bool:
    """Stop the keeper of `directory`, wait until its servers are gone, delete all of it. False if there was none."""
    place = Keep(directory)
    if not place.directory.exists():
        return False
    with exclusive(place.door):
        if is_held(place.life):
            os.kill(int(place.pid.read_text()), signal.SIGTERM)
            with exclusive(place.life):
                pass
        _remove(place)
        place.door.unlink()
    return True


@contextmanager
def hold(directory: Path) -> Iterator[Keep]:
    """A control plane, started by the first holder, stopped and deleted after the last. Raises SetupError."""
    place = Keep(directory)
    with exclusive(place.door):
        writer = _open_holders(place) if place.is_up() else _start_held(place)
    try:
        yield place
    finally:
        os.close(writer)


def _start_held(place: Keep) -> int:
    place.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    place.holders.unlink(missing_ok=True)
    os.mkfifo(place.holders, 0o600)
    # Reading and writing, so that it opens before anybody reads: the keeper then sees the end if we die now.
    both = os.open(place.holders, os.O_RDWR | os.O_NONBLOCK)
    try:
        _spawn(place, held=True)
        return _open_holders(place)
    finally:
        os.close(both)


def _open_holders(place: Keep) -> int:
    """Become a holder. Fails at once when nobody reads the pipe."""
    return os.open(place.holders, os.O_WRONLY | os.O_NONBLOCK)


def _spawn(place: Keep, *, held: bool) -> None:
    """Start a keeper and wait until its servers are ready. Raises SetupError with the keeper's own words."""
    place.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    news, tell = os.pipe()
    with place.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hack.keeper", str(place.directory), str(tell), "held" if held else "kept"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[tell],
            start_new_session=True,
            cwd=_ROOT,
        )
    os.close(tell)
    with os.fdopen(news, "r") as reader:
        said = reader.read()
    if said == "ready":
        process.returncode = 0  # it lives on without us; this tells subprocess not to warn of that
        return
    process.wait()
    raise SetupError(said or f"the control plane's keeper died: see {place.log}")


def main(arguments: list[str]) -> int:
    """Be the keeper of folder `arguments[0]`, tell by file descriptor `arguments[1]`, in way `arguments[2]`."""
    place, tell, held = Keep(Path(arguments[0])), int(arguments[1]), arguments[2] == "held"
    signal.signal(signal.SIGTERM, _terminate)
    with exclusive(place.life):
        holders = os.open(place.holders, os.O_RDONLY | os.O_NONBLOCK) if held else None
        place.pid.write_text(str(os.getpid()))
        try:
            servers = ControlPlane(place.servers, binaries.ensure(print))
            with servers:
                _say(tell, "ready")
                _stay(place, servers, holders)
        except SetupError as err:
            _say(tell, str(err))
            return 1
        except BrokenPipeError:  # who started us is gone, and nobody else knows of us
            return 1
    return 0


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a second one must not cut the stopping short
    sys.exit(0)


def _say(tell: int, text: str) -> None:
    try:
        os.write(tell, text.encode())
    finally:
        os.close(tell)


def _stay(place: Keep, servers: ControlPlane, holders: int | None) -> None:
    """Return when the last holder let go or a server died; with no pipe to watch, only then."""
    poll = select.poll()
    if holders is not None:
        poll.register(holders, 0)  # POLLHUP is always reported
    while servers.find_dead() is None:
        if poll.poll(_LOOK_AFTER_SERVERS) and _ends(place, poll, servers):
            return
    print(f"{servers.find_dead()} ended by itself")


def _ends(place: Keep, poll: select.poll, servers: ControlPlane) -> bool:
    """Stop for good, unless somebody came in the moment between the last holder's end and our turn at the door."""
    with exclusive(place.door):
        if not poll.poll(0):
            return False
        servers.stop()
        _remove(place)
        place.door.unlink()
    return True


def _remove(place: Keep) -> None:
    shutil.rmtree(place.directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
