"""The archive of `kubectl orch` works where nothing of this working copy is, and its krew manifest is true of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from hack import plugin


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once."""
    return plugin.build(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def place(archive: Path) -> Path:
    """Where it was unpacked."""
    folder = archive.parent / "store"
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def _run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    python = Path(sys.executable).resolve().parent  # the interpreter itself, without the virtual environment
    env = {"PATH": f"{python}:/usr/bin:/bin", "HOME": "/nowhere"}
    return subprocess.run([program, *words], capture_output=True, text=True, env=env, cwd="/", check=False)


def test_it_runs_by_itself(place: Path, tmp_path: Path) -> None:
    link = tmp_path / "kubectl-orch"  # as krew puts it on the PATH
    link.symlink_to(place / "kubectl-orch")
    first = _run(link, "init", "acme/web")
    assert first.returncode == 0, first.stderr
    file = tmp_path / "web.yaml"
    file.write_text(first.stdout)
    assert _run(link, "validate", str(file)).stdout == f"{file}:6: OrchestratedRepo/web is valid\n"
    assert "there is no kubeconfig" in _run(link, "status").stderr
    assert _run(place / "kubectl_complete-orch", "expl").stdout == "explain\n:4\n"


def test_it_holds_neither_the_stand_ins_nor_what_tests_need(place: Path) -> None:
    assert not (place / "lib" / "orch" / "testservers").exists()
    assert not (place / "lib" / "pytest").exists()
    assert (place / "LICENSE").exists()


def test_its_manifest_names_its_content(archive: Path) -> None:
    made = plugin.describe(archive, "https://example.org/v1/")
    assert yaml.safe_load(yaml.safe_dump(made)) == made
    (platform,) = made["spec"]["platforms"]  # type: ignore[index]
    assert platform["uri"] == f"https://example.org/v1/{archive.name}"
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert len(str(made["spec"]["shortDescription"])) <= 50  # type: ignore[index]


def test_the_same_environment_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    assert plugin.build(tmp_path).read_bytes() == archive.read_bytes()
