"""What a nursery starts is a process as any other: its own environment, log and end."""

import signal
from pathlib import Path

from hack.world.nursery import Nursery

_ENV = {"PATH": "/usr/bin:/bin"}


def test_its_end_and_its_words_are_known(nursery: Nursery, tmp_path: Path) -> None:
    for _ in range(2):
        assert nursery.spawn(["orch", "operator", "and more"], env=_ENV, log=tmp_path / "log").wait(60) == 2
    assert (tmp_path / "log").read_text().count("takes no arguments") == 2


def test_an_exit_is_an_end_and_no_error_of_ours(nursery: Nursery, tmp_path: Path) -> None:
    assert nursery.spawn(["orch", "standin-github"], env=_ENV, log=tmp_path / "log").wait(60) == 2
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_environment_is_its_own(nursery: Nursery, tmp_path: Path) -> None:
    child = nursery.spawn(["orch", "operator"], env={**_ENV, "ORCH_FAILPOINTS": "nowhere@before"}, log=tmp_path / "log")
    assert child.wait(60) == 1
    assert "'nowhere@before' is no failpoint" in (tmp_path / "log").read_text()


def test_a_module_is_run_as_python_runs_it(nursery: Nursery, tmp_path: Path) -> None:
    for argument, status in (("--type=text", 0), ("--no-such-option", 2)):
        argv = ["python", "-m", "calendar", argument, "2026", "2"]
        assert nursery.spawn(argv, env=_ENV, log=tmp_path / argument).wait(60) == status
    assert "February 2026" in (tmp_path / "--type=text").read_text()


def test_it_can_be_killed(nursery: Nursery, tmp_path: Path) -> None:
    child = nursery.spawn(["orch", "standin-github", "--data", str(tmp_path)], env=_ENV, log=tmp_path / "log")
    child.kill()
    assert child.wait(60) == -signal.SIGKILL
