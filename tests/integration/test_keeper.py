"""One control plane for several processes, and nothing of it when they are gone, however they went."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hack import binaries, keeper
from hack.locks import exclusive, is_held

ROOT = Path(__file__).resolve().parents[2]
_HOLDER = "import sys; from pathlib import Path; from hack.keeper import hold\n" + (
    "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[keeper.Keep]:
    """A folder for a keeper."""
    if binaries.find(print) is None:
        pytest.fail("no control plane: run `make setup` first", pytrace=False)
    yield keeper.Keep(tmp_path / "controlplane")
    keeper.release(tmp_path / "controlplane")


def _start_holder(place: keeper.Keep) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, place.directory],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait_until_held(holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"


def _wait_until_gone(place: keeper.Keep) -> None:
    with exclusive(place.life):  # its keeper holds this to its end
        pass


def _ready(place: keeper.Keep) -> str:
    program = (binaries.find(print) or {})["kubectl"]
    return subprocess.run(
        [program, f"--kubeconfig={place.kubeconfig}", "get", "--raw", "/readyz"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_it_lives_as_long_as_the_last_of_its_holders(place: keeper.Keep) -> None:
    with _start_holder(place) as first, _start_holder(place) as second:
        _wait_until_held(first)
        _wait_until_held(second)
        first.communicate()
        assert _ready(place) == "ok"
        second.kill()  # not even a farewell
    _wait_until_gone(place)
    assert not place.servers.exists()


def test_it_ends_when_the_only_one_who_knew_of_it_is_killed_early(place: keeper.Keep) -> None:
    with _start_holder(place) as holder:
        while not is_held(place.life):
            assert holder.poll() is None
        holder.kill()
    _wait_until_gone(place)
    assert not place.servers.exists()


def test_one_that_is_kept_is_found_again_and_goes_when_told(place: keeper.Keep) -> None:
    keeper.keep(place.directory)
    before = place.pid.read_text()
    keeper.keep(place.directory)
    assert (place.pid.read_text(), _ready(place)) == (before, "ok")
    assert keeper.release(place.directory)
    assert not place.directory.exists()
    assert not keeper.release(place.directory)
