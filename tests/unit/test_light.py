"""Programs that are started again and again stay light: whoever starts one waits for what it imports."""

import subprocess
import sys

import pytest

HEAVY = {"argparse", "asyncio", "ctypes", "email", "httpx2", "importlib.metadata", "inspect", "pydantic"}
"""Each makes the start of such a program longer by a twentieth, a tenth, or more. `inspect` comes with `dataclasses`."""


@pytest.mark.parametrize("program", ["orch.agent.toolserver", "orch.adapters.runners.supervise", "orch.mirror.child"])
def test_a_program_imports_nothing_heavy(program: str) -> None:
    assert not HEAVY & imported(program)


def imported(program: str) -> set[str]:
    """The modules that a fresh process has once it has imported `program`."""
    code = f"import sys\nsys.path[:] = {sys.path}\nimport {program}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
