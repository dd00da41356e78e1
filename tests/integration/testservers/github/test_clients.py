"""Unchanged clients: PyGithub, and the program as a process that restarts on its data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2
import pytest
import yaml
from github import GithubException, UnknownObjectException

from orch.testservers.github.server import main, serve_in_thread

DEMO = "/repos/octo/demo"


@pytest.fixture
def within_sight():
    """A folder that a check in its sandbox sees too: /dev, where the tests' own may be, is another one in there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="orch-") as name:
        yield Path(name)


class TestPyGithub:
    def test_a_whole_story(self, github, sdk, work):
        repo = sdk.get_repo("octo/demo")
        assert (repo.permissions.push, repo.permissions.admin, repo.default_branch) == (True, False, "main")
        assert repo.get_collaborator_permission("alice") == "write"
        issue = repo.create_issue("add subtracts", body="see calc.py", labels=["bug"])
        issue.create_comment("on it")
        sha = work.commit("fix", calc_py="def add(a, b):\n    return a + b\n")
        work.push("fix")
        pull = repo.create_pull(base="main", head="fix", title="Fix add", body=f"Closes #{issue.number}")
        assert (pull.mergeable, pull.head.sha) == (None, sha)
        github.settle()
        pull = repo.get_pull(pull.number)
        assert pull.mergeable
        assert [file.filename for file in pull.get_files()] == ["calc.py"]
        pull.create_review(body="Looks right", event="COMMENT")
        assert pull.merge(sha=sha, merge_method="squash").merged
        assert repo.get_issue(issue.number).state == "closed"
        assert [entry.event for entry in issue.get_timeline()] == ["labeled", "commented", "cross-referenced", "closed"]
        repo.get_git_ref("heads/fix").delete()
        assert [branch.name for branch in repo.get_branches()] == ["main"]
        assert repo.get_contents("calc.py").decoded_content.startswith(b"def add")
        assert repo.compare("main", "main").status == "identical"

    def test_it_pages_through(self, sdk):
        repo = sdk.get_repo("octo/demo")
        for number in range(35):
            repo.create_label(f"label-{number}", "ededed")
        assert len(list(repo.get_labels())) == 9 + 35

    def test_its_exceptions_are_githubs(self, sdk):
        with pytest.raises(UnknownObjectException):
            sdk.get_repo("octo/none")
        repo = sdk.get_repo("octo/demo")
        with pytest.raises(GithubException) as caught:
            repo.create_pull(base="main", head="main", title="t")
        assert caught.value.status == 422


class TestRestart:
    def test_it_goes_on_with_its_data(self, tmp_path, project):
        seed = {
            "tokens": [{"login": "octo", "value": "ghp_octo"}],
            "repos": [{"owner": "octo", "name": "demo", "from": str(project), "issues": [{"title": "one"}]}],
        }
        headers = {"authorization": "Bearer ghp_octo"}
        with serve_in_thread(tmp_path / "data", seed) as server:
            httpx2.post(f"{server.url}{DEMO}/issues", json={"title": "two"}, headers=headers, trust_env=False)
        with serve_in_thread(tmp_path / "data", seed) as server:
            found = httpx2.get(f"{server.url}{DEMO}/issues", headers=headers, trust_env=False).json()
            assert [issue["title"] for issue in found] == ["two", "one"]
            made = httpx2.post(f"{server.url}{DEMO}/issues", json={"title": "3"}, headers=headers, trust_env=False)
            assert made.json()["number"] == 3
            assert len({issue["id"] for issue in [*found, made.json()]}) == 3

    def test_a_check_that_was_cut_off_runs_again(self, tmp_path, project, within_sight):
        seed = {
            "tokens": [{"login": "octo", "value": "ghp_octo"}],
            "repos": [{"owner": "octo", "name": "demo", "from": str(project)}],
        }
        flag = within_sight / "go"
        checks = [{"name": "slow", "command": f"while [ ! -e {flag} ]; do sleep 0.05; done"}]
        headers = {"authorization": "Bearer ghp_octo"}
        with (
            serve_in_thread(tmp_path / "data", seed) as server,
            httpx2.Client(base_url=server.url, headers=headers, trust_env=False) as http,
        ):
            http.patch("/_control/repos/octo/demo", json={"checks": checks})
            sha = http.get(f"{DEMO}/branches/main").json()["commit"]["sha"]
            http.post(f"{DEMO}/git/refs", json={"ref": "refs/heads/x", "sha": sha})
        flag.touch()
        with serve_in_thread(tmp_path / "data", seed) as server:
            server.settle()
            answer = httpx2.get(f"{server.url}{DEMO}/commits/x/check-runs", headers=headers, trust_env=False)
            assert [run["conclusion"] for run in answer.json()["check_runs"]] == ["success"]


class TestProgram:
    def test_it_tells_its_address_and_leaves_on_sigterm(self, tmp_path, project):
        seed = tmp_path / "seed.yaml"
        seed.write_text(yaml.safe_dump({"repos": [{"owner": "octo", "name": "demo", "from": project.name}]}))
        command = [sys.executable, "-m", "orch.testservers.github", "--data", str(tmp_path / "data")]
        command += ["--seed", str(seed), "--ready-file", str(tmp_path / "url")]
        root = Path(__file__).parents[4] / "operator"
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        try:
            line = process.stdout.readline()
            url = line.removeprefix("listening on ").strip()
            assert (tmp_path / "url").read_text().strip() == url
            assert httpx2.get(f"{url}{DEMO}", trust_env=False).json()["full_name"] == "octo/demo"
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        assert (process.returncode, errors) == (0, "")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            pytest.param("repos: [{owner: octo}]", "repos.0.name: Field required", id="a field is missing"),
            pytest.param("nonsense: 1", "nonsense: Extra inputs are not permitted", id="unknown field"),
            pytest.param("a: [", "while parsing", id="no YAML"),
            pytest.param("repos: [{owner: octo, name: x, from: ./none}]", "none is no directory", id="no such folder"),
        ],
    )
    def test_a_bad_seed_is_one_error(self, tmp_path, capsys, monkeypatch, text, reason):
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        seed = tmp_path / "seed.yaml"
        seed.write_text(text)
        assert main(["--data", str(tmp_path / "data"), "--seed", str(seed)]) == 2
        assert reason in capsys.readouterr().err
