"""A tethered program does not outlive its parent."""

import os
import subprocess
import sys
from pathlib import Path

from hack.tether import tethered

ROOT = Path(__file__).resolve().parents[3]
_PARENT = """
import signal, subprocess, sys
from hack.tether import tethered
say = "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); print('up', flush=True); signal.pause()"
child = subprocess.Popen(tethered([sys.executable, "-c", say]))
child.wait()
"""


def test_it_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        assert parent.stdout.read() == ""  # the end comes only when the child, too, is gone


def test_it_is_the_program_itself() -> None:
    process = subprocess.Popen(tethered(["sh", "-c", "echo $$; exit 7"]), stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate()
    assert (int(said), process.returncode) == (process.pid, 7)


def test_it_does_not_start_for_a_parent_that_is_gone() -> None:
    command = tethered(["echo", "started"])
    command[command.index(str(os.getpid()))] = "1"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_program_that_is_not_there_is_named_in_one_line() -> None:
    done = subprocess.run(tethered(["/none/such"]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, "/none/such: cannot be run: No such file or directory\n")
