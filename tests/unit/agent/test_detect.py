"""Finding a repository's test command from its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch.agent.detect import detect_test_command

BOTH = ("pytest", "python3")


def programs(folder: Path, names: tuple[str, ...]) -> str:
    """A PATH that holds programs of these names."""
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("files", "has", "expected"),
    [
        pytest.param({}, BOTH, None, id="nothing"),
        pytest.param({"pyproject.toml": "[tool.pytest.ini_options]\n"}, BOTH, "pytest -q", id="pyproject"),
        pytest.param(
            {"pyproject.toml": "[tool.pytest.ini_options]\n"}, (), "python3 -m pytest -q", id="pytest not on PATH"
        ),
        pytest.param({"pyproject.toml": "not = [toml"}, BOTH, None, id="a broken pyproject"),
        pytest.param({"setup.cfg": "[tool:pytest]\n"}, BOTH, "pytest -q", id="setup.cfg"),
        pytest.param({"tox.ini": "[pytest]\n"}, BOTH, "pytest -q", id="tox.ini"),
        pytest.param({"tests/conftest.py": ""}, BOTH, "pytest -q", id="conftest"),
        pytest.param({"tests/test_a.py": ""}, BOTH, "pytest -q", id="test files and pytest"),
        pytest.param({"tests/test_a.py": ""}, (), "python3 -m unittest discover -s tests -t .", id="test files alone"),
        pytest.param({"test_a.py": ""}, (), "python3 -m unittest discover", id="test files at the root"),
        pytest.param({"package.json": '{"scripts": {"test": "jest"}}'}, (), "npm test", id="npm"),
        pytest.param(
            {"package.json": '{"scripts": {"test": "echo no test specified"}}'}, (), None, id="npm's placeholder"
        ),
        pytest.param({"package.json": '["a list"]'}, (), None, id="a strange package.json"),
        pytest.param({"go.mod": ""}, (), "go test ./...", id="go"),
        pytest.param({"Cargo.toml": ""}, (), "cargo test", id="cargo"),
        pytest.param({"Makefile": "all:\n\ntest: all\n\ttrue\n"}, (), "make test", id="make"),
        pytest.param({"Makefile": "test := 1\ntests:\n"}, (), None, id="make without the target"),
    ],
)
def test_detection(tmp_path: Path, files: dict[str, str], has: tuple[str, ...], expected: str | None) -> None:
    path = programs(tmp_path / "bin", has)
    root = tmp_path / "root"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    assert detect_test_command(root, path=path + os.pathsep + "/nonexistent") == expected
