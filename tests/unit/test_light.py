"""Programs that are started again and again stay light: whoever starts one waits for what it imports."""

import subprocess
import sys

import pytest

HEAVIEST = {"asyncio", "ctypes", "httpx2", "importlib.metadata", "pydantic", "pydantic_core", "pydantic_settings"}
HEAVY = HEAVIEST | {"argparse", "email", "inspect"}
"""Each makes the start of such a program longer by a twentieth, a tenth, or more. `inspect` comes with `dataclasses`."""


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        ("orch.agent.main", HEAVIEST),
        ("orch.agent.toolserver", HEAVY),
        ("orch.adapters.runners.supervise", HEAVY),
        ("orch.mirror.child", HEAVY),
    ],
)
def test_a_program_imports_nothing_heavy(program: str, heavy: set[str]) -> None:
    loaded = imported(program)
    assert program in loaded
    assert not heavy & loaded


def imported(program: str) -> set[str]:
    """The modules that a fresh process has once it has imported `program`."""
    code = f"import sys\nsys.path[:] = {sys.path}\nimport {program}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
