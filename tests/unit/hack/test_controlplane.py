"""The control plane's command line says what is wrong in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "hack" / "controlplane.py"
    return subprocess.run(
        [sys.executable, "-I", script, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_env_without_a_server_says_how_to_start_one(tmp_path: Path) -> None:
    done = _run("env", "--dir", "here", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "controlplane: no control plane runs in here: start one with `up`\n"


def test_down_without_a_server_is_no_fault_and_leaves_nothing(tmp_path: Path) -> None:
    done = _run("down", "--dir", "here", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "no control plane in here\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [(), ("sideways",)])
def test_an_unknown_act_is_refused_with_the_known_ones(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = _run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
