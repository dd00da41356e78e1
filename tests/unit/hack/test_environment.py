"""A working copy is set up once, and again when what it was set up from changed."""

import subprocess
import sys
from pathlib import Path

import pytest
from hack import environment
from hack.environment import Environment
from hack.versions import SetupError

ROOT = Path(__file__).resolve().parents[3]
_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "sample"
version = "1"
"""
# The least that PEP 660 asks of a build backend, so that no test needs the network.
_BACKEND = """
import zipfile
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    facts = {
        "METADATA": "Metadata-Version: 2.1\\nName: sample\\nVersion: 1\\n",
        "WHEEL": "Wheel-Version: 1.0\\nGenerator: sample\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(f"{wheel_directory}/sample-1-py3-none-any.whl", "w") as wheel:
        for name, text in facts.items():
            wheel.writestr(f"sample-1.dist-info/{name}", text)
    return "sample-1-py3-none-any.whl"
"""


def _working_copy(root: Path) -> Environment:
    root.mkdir()
    (root / "pyproject.toml").write_text(_PROJECT)
    (root / "backend.py").write_text(_BACKEND)
    (root / "requirements.txt").write_text("")
    return Environment(root)


def test_the_life_of_a_working_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One test, for each virtual environment takes seconds."""
    for name, value in {"INDEX_URL": "http://127.0.0.1:1/simple", "RETRIES": "0", "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    working_copy = _working_copy(tmp_path / "here")

    working_copy.ensure()
    shown = subprocess.run(
        [working_copy.python, "-m", "pip", "show", "sample"], capture_output=True, text=True, check=True
    )
    assert "Name: sample" in shown.stdout
    assert "making a virtual environment" in capsys.readouterr().err

    working_copy.ensure()
    assert capsys.readouterr().err == "", "nothing changed, so nothing is done"

    (working_copy.root / "requirements.txt").write_text("# pinned anew\n")
    working_copy.ensure()
    assert capsys.readouterr().err == "installing what requirements.txt pins…\n", "brought up to date, not made anew"

    (working_copy.root / "requirements.txt").write_text(f"none-such==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SetupError, match=r"^`python -m pip install …` failed: ERROR: [^\n]*none-such[^\n]*connect"):
        working_copy.ensure()
    (working_copy.directory / "half-unpacked").touch()
    (working_copy.root / "requirements.txt").write_text("")
    capsys.readouterr()
    working_copy.ensure()
    assert "making a virtual environment" in capsys.readouterr().err, "the last set-up ended half way"
    assert not (working_copy.directory / "half-unpacked").exists()

    working_copy.root.rename(tmp_path / "there")
    moved = Environment(tmp_path / "there")
    moved.ensure()
    assert "making a virtual environment" in capsys.readouterr().err, "its scripts named the old folder"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        pytest.param("git version 2.39.5", None, id="Debian 12"),
        pytest.param("git version 2.51.0 (Apple Git)", None, id="newer"),
        pytest.param("git version 2.30.2", "git version 2.30.2 is too old: install git 2.39 or newer", id="Debian 11"),
        pytest.param("", "git does not say its version is too old: install git 2.39 or newer", id="silent"),
    ],
)
def test_git_fault(path: Path, says: str, fault: str | None) -> None:
    _program(path / "git", f"echo '{says}'")
    assert environment.git_fault() == fault


def test_a_sandbox_that_does_not_work_says_what_bubblewrap_said(path: Path) -> None:
    _program(path / "bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    assert environment.sandbox_fault() == (
        "bubblewrap cannot make a sandbox here (bwrap: No permissions to create new namespace): "
        "allow unprivileged user namespaces"
    )


@pytest.mark.usefixtures("path")
def test_all_that_is_missing_is_one_line() -> None:
    with pytest.raises(SetupError, match=r"^git is missing:[^\n]*bubblewrap is missing:[^\n]*git bubblewrap\)$"):
        environment.check_machine()


_OLD_PYTHON = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("setup", "hack/setup.py")
setup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup)
setup.OLDEST = (99, 0)
sys.argv = ["setup.py", "lock"]
sys.exit(setup.main())
"""


def _run_in_old_python() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _OLD_PYTHON], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("path")
def test_an_old_python_alone_says_what_to_install() -> None:
    done = _run_in_old_python()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is too old: install Python 99.0 or newer" in done.stderr


def test_an_old_python_goes_on_in_a_newer_one(path: Path) -> None:
    _program(path / "python3", "exit 1")
    _program(path / "python3.12", '[ "$1" = -c ] || echo "12 goes on with $2"')
    assert _run_in_old_python().stdout == "12 goes on with lock\n"
