"""The witness itself: GitHub's description is fetched as pinned, and sees what is wrong with an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OPENAPI = str(
    next(parent for parent in Path(__file__).parents if (parent / "pyproject.toml").exists()) / "hack/openapi.py"
)
RIGHT = {"sha": "0" * 40, "merged": True, "message": "done"}
MERGE = {"$ref": "#/components/schemas/pull-request-merge-result"}


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        pytest.param(RIGHT, set(), id="right"),
        pytest.param({"sha": "0" * 40, "merged": True}, {"$"}, id="missing"),
        pytest.param(RIGHT | {"merged": "yes"}, {"$.merged"}, id="wrong type"),
        pytest.param(RIGHT | {"sha": None}, {"$.sha"}, id="null"),
    ],
)
def test_the_contract_sees_a_wrong_body(contract: Any, body: dict[str, Any], seen: set[str]) -> None:
    assert {error.split(":")[0] for error in contract.errors(MERGE, body)} == seen


def test_the_contract_sees_an_invented_field(contract: Any) -> None:
    assert list(contract.unknown_fields(MERGE, RIGHT | {"merge_sha": "x"})) == ["$.merge_sha"]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/repos/o/r/branches/topic/one/protection", "/repos/{owner}/{repo}/branches/{branch}/protection"),
        ("/repos/o/r/commits/topic/one/status", "/repos/{owner}/{repo}/commits/{ref}/status"),
        ("/repos/o/r/contents", "/repos/{owner}/{repo}/contents/{path}"),
        ("/repos/o/r/issues/comments", "/repos/{owner}/{repo}/issues/comments"),
        ("/repos/o/r/nothing", None),
    ],
)
def test_the_contract_finds_the_operation(contract: Any, path: str, template: str | None) -> None:
    found = contract.find_operation("GET", path)
    assert (found and found[0]) == template


@pytest.mark.parametrize(
    ("npm", "reason"),
    [
        pytest.param(None, "npm is missing, install it", id="no npm"),
        pytest.param("exit 1", "npm could not fetch @octokit/openapi@", id="no network"),
        pytest.param("echo forged > octokit-openapi.tgz", "is not the pinned one", id="another package"),
    ],
)
def test_one_line_says_why_the_description_cannot_be_had(tmp_path: Path, npm: str | None, reason: str) -> None:
    if npm is not None:
        program = tmp_path / "npm"
        program.write_text(f"#!/bin/sh\n{npm}\n")
        program.chmod(0o755)
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, OPENAPI]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert reason in line
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
