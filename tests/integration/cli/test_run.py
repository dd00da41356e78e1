"""`run` and `validate --server` against a real API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.cluster import Kubectl
from tests.integration.cli.conftest import Terminal

from orch.cli.app import run

REPO = """apiVersion: orch.dev/v1alpha1
kind: OrchestratedRepo
metadata: {name: web}
spec:
  repository: acme/web
  credentialsRef: {name: s}
"""


@pytest.fixture
def place(terminal: Terminal) -> list[str]:
    """The options that lead to a namespace with one OrchestratedRepo."""
    terminal.apply(yaml.safe_load(REPO))
    return ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace]


def _end(terminal: Terminal, name: str, status: str) -> None:
    condition = {"type": "Succeeded", "status": status, "reason": "Merged", "message": "#5 is merged"}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    terminal.write_status("issueruns", name, {"completionTime": "2026-01-01T00:00:00Z", "conditions": [condition]})


@pytest.mark.parametrize("words", [["ACME/web#7"], ["web", "7"], ["acme/web", "7"], ["web#7"]])
def test_a_run_is_made(words: list[str], place: list[str], terminal: Terminal, kubectl: Kubectl) -> None:
    assert run(["run", *words, "--budget", "2.50", "--plan-approval", *place]) == 0
    made = terminal.get("issueruns", "web-7-1")
    assert made["spec"]["trigger"]["type"] == "Manual"
    assert (
        made["spec"]["trigger"]["username"]
        == kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout
    )
    assert made["spec"]["overrides"] == {"budgetUSD": "2.5", "planApproval": "Always"}
    assert made["metadata"]["labels"] == {"orch.dev/repo": "web", "orch.dev/issue": "7"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "web"


@pytest.mark.parametrize("form", ["name", "json", "yaml"])
def test_what_was_made_is_printed_in_the_form_asked_for(
    form: str, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "web#7", "-o", form, *place]) == 0
    printed = capsys.readouterr().out
    if form == "name":
        assert printed == "issuerun.orch.dev/web-7-1\n"
    else:
        made = yaml.safe_load(printed)
        assert (made["kind"], made["metadata"]["name"]) == ("IssueRun", "web-7-1")


def test_one_run_at_a_time_then_the_next_attempt(
    place: list[str], terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "web", "7", *place]) == 0
    assert run(["run", "web", "7", *place]) == 1
    assert "web-7-1 is still at work" in capsys.readouterr().err
    _end(terminal, "web-7-1", "False")
    assert run(["run", "web", "7", *place]) == 0
    assert "web-7-2 created" in capsys.readouterr().out


def test_a_stranger_repository_and_a_bad_budget(place: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "acme/other#1", *place]) == 1
    assert "kubectl orch init acme/other" in capsys.readouterr().err
    assert run(["run", "web#1", "--budget", "much", *place]) == 2


def test_no_cluster_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "web#1", "--kubeconfig", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: there is no kubeconfig")
    assert said.count("\n") == 1


def test_the_server_is_asked(place: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "repo.yaml"
    file.write_text(REPO)
    assert run(["validate", "--server", str(file), *place]) == 0
    file.write_text(REPO.replace("acme/web", "acme/other"))  # only the server knows what it was before
    assert run(["validate", str(file)]) == 0
    assert run(["validate", "--server", str(file), *place]) == 1
    assert ":5: spec.repository: the server refuses" in capsys.readouterr().out
