"""Checks that really run: the repository's own command on the pushed commit."""

from __future__ import annotations

import shutil
import subprocess

import pytest

DEMO = "/repos/octo/demo"
PROBE = "test $(cat calc.py) = good && echo all well"


@pytest.fixture
def checked(alice):
    def configure(**spec):
        body = {"checks": [{"name": "tests", "command": PROBE, **spec}]}
        assert alice.patch("/_control/repos/octo/demo", json=body).status_code == 200

    configure()
    return configure


def runs(github, http, sha):
    github.settle()
    return http.get(f"{DEMO}/commits/{sha}/check-runs").json()["check_runs"]


def test_a_push_is_judged_by_its_own_content(github, alice, work, checked):
    bad = work.commit("fix", calc_py="bad")
    work.push("fix")
    assert [run["conclusion"] for run in runs(github, alice, bad)] == ["failure"]
    good = work.commit("fix", calc_py="good")
    work.push("fix")
    (run,) = runs(github, alice, good)
    assert (run["status"], run["conclusion"], run["app"]["slug"]) == ("completed", "success", "github-actions")
    assert run["output"]["text"] == "all well\n"
    (suite,) = alice.get(f"{DEMO}/commits/{good}/check-suites").json()["check_suites"]
    assert (suite["status"], suite["conclusion"], suite["head_branch"]) == ("completed", "success", "fix")


def test_the_log_is_behind_a_redirect_that_needs_no_token(github, alice, nobody, work, checked):
    (run,) = runs(github, alice, _pushed(work))
    answer = alice.get(f"{DEMO}/actions/jobs/{run['id']}/logs")
    assert answer.status_code == 302
    assert nobody.get(answer.headers["location"]).text == "all well\n"
    assert nobody.get(run["details_url"]).status_code == 200


def _pushed(work, branch="fix"):
    sha = work.commit(branch, calc_py="good")
    work.push(branch)
    return sha


def test_the_pull_request_shows_it(github, alice, work, checked):
    pull = alice.open_pull(work, calc_py="bad")
    assert alice.settled(pull["number"])["mergeable_state"] == "unstable"


def test_a_required_check_blocks_until_it_is_green(github, alice, work, checked):
    alice.patch("/_control/repos/octo/demo", json={"rules": [{"branch": "main", "required_checks": ["tests"]}]})
    number = alice.open_pull(work, calc_py="bad")["number"]
    github.settle()
    assert 'Required status check "tests" is failing.' in alice.put(f"{DEMO}/pulls/{number}/merge").json()["message"]
    _pushed(work)
    github.settle()
    assert alice.put(f"{DEMO}/pulls/{number}/merge").status_code == 200


def test_a_slow_one_times_out_and_leaves_nothing(github, alice, work, checked):
    marker = "standin-sleeps-4711"
    checked(command=f"sleep 600 # {marker}", timeout=0.3)
    (run,) = runs(github, alice, _pushed(work))
    assert run["conclusion"] == "timed_out"
    assert subprocess.run(["pgrep", "-f", marker], capture_output=True, text=True).stdout == ""


def test_it_gets_its_environment_and_nothing_of_ours(github, alice, work, checked, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_ours")
    checked(command="env", env={"MODE": "fast"})
    (run,) = runs(github, alice, _pushed(work))
    assert "MODE=fast\n" in run["output"]["text"]
    assert "ghp_" not in run["output"]["text"]


def test_a_flood_of_output_is_cut(github, alice, work, checked):
    alice.patch("/_control/settings", json={"checks": {"log_limit": 2048}})
    checked(command="yes x | head -c 1000000")
    (run,) = runs(github, alice, _pushed(work))
    assert run["conclusion"] == "success"
    assert run["output"]["text"].endswith("[997952 more bytes were not kept]\n")


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_sandbox_hides_the_data_and_the_network(github, alice, work, checked):
    data = github.state.data_dir
    checked(command=f"ls {data}; ls /sys/class/net 2>/dev/null | wc -l; cat {data}/state.sqlite && exit 1; exit 0")
    (run,) = runs(github, alice, _pushed(work))
    assert github.state.can_sandbox is False or (run["conclusion"], run["output"]["text"].split()[0]) == (
        "success",
        "work",
    )


def test_a_check_is_interrupted_as_ordered_and_its_job_runs_again_under_a_new_id(github, alice, work, checked):
    checked(interruptions=["cancelled", "stale"])
    sha = _pushed(work)
    seen = []
    for conclusion in ("cancelled", "stale", "success"):
        (run,) = runs(github, alice, sha)
        assert (run["status"], run["conclusion"]) == ("completed", conclusion)
        seen.append(run["id"])
        answer = alice.post(f"{DEMO}/actions/jobs/{run['id']}/rerun")
        assert (answer.status_code, answer.json()) == (201, {})
    github.settle()
    kept = alice.get(f"{DEMO}/commits/{sha}/check-runs", params={"filter": "all"}).json()["check_runs"]
    assert [run["id"] for run in reversed(kept)][:-1] == sorted(set(seen)), "each run is another one"


def test_a_job_runs_again_when_its_workflow_run_is_over(github, alice, work, checked):
    checked(command="sleep 600", interruptions=["cancelled"])
    (run,) = runs(github, alice, _pushed(work))
    assert alice.post(f"{DEMO}/actions/jobs/{run['id']}/rerun").status_code == 201
    again = alice.post(f"{DEMO}/actions/jobs/{run['id']}/rerun")
    assert again.status_code == 403
    assert "already running" in again.json()["message"]


def test_who_may_run_a_job_again(github, alice, work, checked):
    (run,) = runs(github, alice, _pushed(work))
    path = f"{DEMO}/actions/jobs/{run['id']}/rerun"
    for kind, permissions, status in (
        ("fine_grained", {"contents": "write", "actions": "read"}, 403),
        ("fine_grained", {"actions": "write"}, 201),
    ):
        token = github.token("alice", kind=kind, permissions=permissions, repos=["octo/demo"])
        assert alice.post(path, headers={"authorization": f"token {token}"}).status_code == status
        github.settle()
    app = {
        "authorization": f"token {github.token('alice', kind='app', permissions={'checks': 'write'}, repos=['octo/demo'])}"
    }
    body = {"name": "elsewhere", "head_sha": run["head_sha"], "conclusion": "cancelled"}
    other = alice.post(f"{DEMO}/check-runs", headers=app, json=body).json()
    assert alice.post(f"{DEMO}/actions/jobs/{other['id']}/rerun").status_code == 404, "no job of Actions"
    assert alice.post(f"{DEMO}/check-runs", headers=app, json=body | {"conclusion": "stale"}).status_code == 422


def test_statuses_are_combined(alice, work):
    sha = work.git("rev-parse", "main")
    for state, context in (("pending", "a"), ("success", "a"), ("success", "b")):
        answer = alice.post(f"{DEMO}/statuses/{sha}", json={"state": state, "context": context})
        assert answer.status_code == 201
    combined = alice.get(f"{DEMO}/commits/main/status").json()
    assert (combined["state"], combined["total_count"]) == ("success", 2)
    assert len(alice.get(f"{DEMO}/commits/main/statuses").json()) == 3
    assert alice.post(f"{DEMO}/statuses/{sha}", json={"state": "great"}).status_code == 422
