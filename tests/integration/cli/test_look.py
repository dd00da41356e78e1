"""`status` and `explain` on a real API server, and what a person reads when the cluster says no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hack.servers import ControlPlane
from tests.cluster import Cluster
from tests.integration.cli.conftest import Terminal, conditions, issue_run, repo

from orch.cli.app import run

WAITS = {
    "stage": "Checks",
    "conditions": conditions(
        Succeeded=("Unknown", "Progressing", "1 of 2 checks still run"),
        Waiting=("True", "AwaitingChecks", "1 of 2 checks still run"),
    ),
    "usage": {"costUSD": "0.75"},
}


def test_status_is_a_line_for_each_repository(terminal: Terminal) -> None:
    counted = {"runs": {"active": 2, "waiting": 1, "awaitingApproval": 1, "openPullRequests": 3}}
    quota = {"rateLimit": {"limit": 5000, "remaining": 4990, "resetTime": "2026-01-01T00:00:00Z"}}
    terminal.apply(repo(), repo("api", "acme/api", suspend=True), issue_run(**WAITS), issue_run(8, **WAITS))
    ended = {"totals": {"started": 9, "merged": 4, "failed": 1, "rejected": 2, "cancelled": 1}}
    terminal.write_status("orchestratedrepos", "web", counted | quota | ended)
    said = terminal("status")
    assert said.code == 0
    assert [" ".join(line.split()) for line in said.out.splitlines()] == [
        "NAME REPOSITORY MODE STATE RUNS WAITING APPROVALS PRS MERGED FAILED COST QUOTA",
        "api acme/api Supervised Suspended 0 0 0 0 0 0 $0.00",
        "web acme/web Supervised Ready 2 1 1 3 4 3 $1.50 4990/5000",
    ]


def test_status_in_other_forms(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**WAITS))
    assert terminal("status", "-o", "name").out == "orchestratedrepo.orch.dev/web\n"
    assert terminal("status", "acme/web", "-o", "json").json["items"][0]["costUSD"] == "0.75"
    assert yaml.safe_load(terminal("status", "-o", "yaml").out)["items"][0]["state"] == "Ready"
    assert "acme/web is watched" in terminal("status", "-o", "wide").out
    assert terminal.namespace in terminal("status", "-A").out


def test_status_selects_by_labels(terminal: Terminal) -> None:
    labelled = repo("api", "acme/api")
    labelled["metadata"]["labels"] = {"team": "blue"}
    terminal.apply(repo(), labelled)
    assert terminal("status", "-l", "team=blue", "-o", "name").out == "orchestratedrepo.orch.dev/api\n"


def test_an_empty_namespace_says_how_to_begin(terminal: Terminal) -> None:
    said = terminal("status")
    assert (said.code, said.out) == (0, "")
    assert "kubectl orch init owner/name" in said.err


@pytest.mark.parametrize("words", [["web-7-1"], ["acme/web#7"], ["web", "--issue", "7"]])
def test_explain_finds_what_is_named(words: list[str], terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**WAITS))
    said = terminal("explain", *words)
    assert said.code == 0
    assert said.out.startswith("web-7-1: acme/web#7\n")
    line = next(line for line in said.out.splitlines() if line.startswith("Checks"))
    assert "Waiting" in line
    assert "the pull request's checks" in line
    assert "What you can do: Checks of the pull request are still running." in said.out


def test_explain_for_machines(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**WAITS))
    found = terminal("explain", "web-7-1", "-o", "json").json
    assert (found["run"], found["issueNumber"], found["standsAt"]) == ("web-7-1", 7, "Checks")
    checks = next(gate for gate in found["gates"] if gate["gate"] == "Checks")
    assert checks["since"] == "2026-01-01T00:00:00Z"


def test_explain_an_issue_without_a_run(terminal: Terminal) -> None:
    terminal.apply(repo())
    said = terminal("explain", "acme/web#9")
    assert said.out.startswith("acme/web#9: it has no run yet\n")
    assert "kubectl orch run web 9" in said.out


def test_text_from_outside_cannot_move_the_cursor(terminal: Terminal) -> None:
    evil = "\x1b[2Jall is well\u202e"
    terminal.apply(repo(), issue_run(stage="Claim", conditions=conditions(Succeeded=("Unknown", "Progressing", evil))))
    assert "\x1b" not in terminal("explain", "web-7-1").out
    assert "\u202e" not in terminal("explain", "web-7-1").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["explain", "web"], 2, "which issue of web? Add --issue N, or name it as owner/name#N"),
        (["explain", "nothing"], 1, "no IssueRun 'nothing' in namespace"),
        (["explain", "acme/other#1"], 1, "kubectl orch init acme/other"),
        (["explain", "acme/web#7", "--issue", "8"], 2, "acme/web#7 already names an issue: leave 8 out"),
        (["status", "nothing"], 1, "no OrchestratedRepo 'nothing'"),
    ],
)
def test_a_wrong_name_is_one_line(words: list[str], code: int, said: str, terminal: Terminal) -> None:
    terminal.apply(repo())
    found = terminal(*words)
    assert found.code == code
    assert found.err.startswith("error: ")
    assert said in found.err
    assert found.err.count("\n") == 1


def test_rights_that_lack_are_named(terminal: Terminal) -> None:
    said = terminal("status", as_user="ann@example.com")
    assert said.code == 2
    assert f"you may not list orchestratedrepos.orch.dev in namespace '{terminal.namespace}'" in said.err
    terminal.grant("ann@example.com", "get,list:orchestratedrepos,issueruns")
    assert terminal("status", as_user="ann@example.com").code == 0


def test_a_group_may_give_the_right(terminal: Terminal) -> None:
    terminal.grant("second", "list,get:orchestratedrepos", kind="Group")
    assert terminal("status", as_user="bob", as_groups=["first", "second"]).code == 0
    assert terminal("status", as_user="bob", as_groups=["first"]).code == 2


def test_a_token_that_is_not_known(terminal: Terminal, tmp_path: Path) -> None:
    config = yaml.safe_load(terminal.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "nobody-s"}
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    assert run(["status", "--kubeconfig", str(file)]) == 2
    said = terminal.capsys.readouterr().err
    assert (
        said == "error: the cluster does not know you: log in anew, or correct the user of the kubeconfig's context\n"
    )


def test_a_cluster_that_is_down(terminal: Terminal, tmp_path: Path) -> None:
    config = yaml.safe_load(terminal.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    assert run(["status", "--kubeconfig", str(file)]) == 2
    said = terminal.capsys.readouterr().err
    assert "is the cluster up? Check --kubeconfig and --context" in said
    assert said.count("\n") == 1


@pytest.fixture
def bare_cluster(control_plane: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that has never heard of orch."""
    with ControlPlane(tmp_path / "bare", control_plane.programs, controllers=False) as servers:
        yield servers.kubeconfig


def test_a_cluster_without_our_resources(bare_cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--kubeconfig", str(bare_cluster)]) == 2
    said = capsys.readouterr().err
    assert "the cluster does not serve orchestratedrepos.orch.dev" in said
    assert "kubectl apply --server-side -f crds/" in said
