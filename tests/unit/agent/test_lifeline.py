"""That a step is at work while somebody listens, and not longer."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from orch.agent.lifeline import UNHEARD

_PROGRAM = """
import sys, time
from orch.agent.lifeline import end_when_unheard
end_when_unheard(1)
print("at work", flush=True)
sys.stdin.readline()
print("heard", flush=True)
"""
_LASTING = _PROGRAM + "time.sleep(600)"


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _LASTING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_it_works_while_somebody_listens_and_ends_when_nobody_does(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == "at work\n"
    program.stdin.write("\n")
    program.stdin.flush()
    assert program.stdout.readline() == "heard\n"
    program.stdout.close()
    assert program.wait(timeout=60) == UNHEARD


def test_a_file_is_always_heard() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, input="\n", stdout=subprocess.DEVNULL, text=True, timeout=60, check=False)
    assert done.returncode == 0
