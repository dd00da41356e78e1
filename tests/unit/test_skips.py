"""A skipped test is told to people, and fails in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_TESTS = """
import pytest

@pytest.mark.skipif(True, reason="gh is not installed (Debian: apt install gh)")
def test_needs_gh(): ...

@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""


@pytest.mark.parametrize(
    ("ci", "status", "said"),
    [
        pytest.param("", 0, "1 skipped, 1 xfailed", id="a person"),
        pytest.param("true", 1, "1 xfailed, 1 error", id="CI"),
    ],
)
def test_a_skip(tmp_path: Path, ci: str, status: int, said: str) -> None:
    (tmp_path / "test_it.py").write_text(_TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "-p", "no:cacheprovider", "-rs", "-c", os.devnull]
    done = subprocess.run(
        [*command, str(tmp_path / "test_it.py")],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    assert said in done.stdout
    assert "gh is not installed (Debian: apt install gh)" in done.stdout


def test_our_own_ci_says_that_it_is_one(tmp_path: Path) -> None:
    """With a `make` that only tells what it was given, and every program that a test needs."""
    for name in ("bwrap", "gh", "git", "npm", "ssh-keygen"):
        (tmp_path / name).symlink_to("/bin/true")
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$CI $*"\n')
    make.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci" / "run"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "true test\n"), done.stderr
