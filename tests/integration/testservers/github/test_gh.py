"""GitHub's own command line, unchanged: REST and GraphQL, through the stand-in as its HTTP proxy.

`gh` speaks plain HTTP to exactly one host, `github.localhost`; a proxy leads that to any port.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

DEMO = "/repos/octo/demo"
pytestmark = pytest.mark.skipif(shutil.which("gh") is None, reason="gh is not installed (Debian: apt install gh)")


@pytest.fixture
def gh(github, work, tmp_path):
    """Runs gh as alice in a clone; its caches stay in the test's folder."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "GH_CONFIG_DIR": str(tmp_path / "gh"),
        "GH_HOST": "github.localhost",
        "GH_TOKEN": "ghp_alice",
        "GH_REPO": "octo/demo",
        "GH_NO_UPDATE_NOTIFIER": "1",
        "NO_COLOR": "1",
        "HTTP_PROXY": github.url,
        "http_proxy": github.url,
    }
    work.git("remote", "set-url", "origin", "http://x-access-token:ghp_alice@github.localhost/octo/demo.git")

    def run(*args: str, ok: bool = True) -> str:
        done = subprocess.run(["gh", *args], cwd=work.folder, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout if ok else done.stderr

    return run


@pytest.fixture
def pushed(work, github):
    url = github.url.replace("http://", "http://x-access-token:ghp_alice@")
    work.commit("fix", "Add, not subtract", calc_py="def add(a, b):\n    return a + b\n")
    work.git("push", "--quiet", f"{url}/octo/demo.git", "fix")
    work.git("update-ref", "refs/remotes/origin/fix", "fix")


def test_rest_with_pages(gh, alice):
    for number in range(3):
        alice.post(f"{DEMO}/issues", json={"title": f"issue {number}"})
    listed = gh("api", "repos/octo/demo/issues?per_page=1", "--paginate", "-q", ".[].title")
    assert listed.split("\n") == ["issue 2", "issue 1", "issue 0", ""]


def test_issues(gh, alice):
    assert (
        gh("issue", "create", "-t", "It is broken", "-b", "text", "-l", "bug").strip().endswith("/octo/demo/issues/1")
    )
    gh("issue", "edit", "1", "--add-label", "enhancement", "--title", "It was broken")
    gh("issue", "comment", "1", "-b", "hello")
    shown = json.loads(gh("issue", "view", "1", "--json", "title,labels,comments,author"))
    assert (shown["title"], shown["author"]["login"]) == ("It was broken", "alice")
    assert [label["name"] for label in shown["labels"]] == ["bug", "enhancement"]
    assert [comment["body"] for comment in shown["comments"]] == ["hello"]
    gh("issue", "close", "1", "--reason", "not planned")
    assert gh("issue", "list", "--json", "number").strip() == "[]"
    assert alice.get(f"{DEMO}/issues/1").json()["state_reason"] == "not_planned"


def test_a_pull_request_from_opening_to_merging(github, gh, alice, pushed):
    alice.patch("/_control/repos/octo/demo", json={"checks": [{"name": "tests", "command": "grep -q + calc.py"}]})
    alice.post(f"{DEMO}/issues", json={"title": "add subtracts"})
    gh("pr", "create", "--head", "fix", "--base", "main", "-t", "Fix add", "-b", "Closes #1")
    head = alice.get(f"{DEMO}/pulls/2").json()["head"]["sha"]
    alice.post(f"{DEMO}/statuses/{head}", json={"state": "success", "context": "lint"})
    alice.settled(2)
    assert "lint\tpass" in gh("pr", "checks", "2")
    shown = json.loads(gh("pr", "view", "2", "--json", "mergeable,mergeStateStatus,files,commits,headRefOid"))
    assert (shown["mergeable"], shown["mergeStateStatus"], shown["headRefOid"]) == ("MERGEABLE", "CLEAN", head)
    assert [file["path"] for file in shown["files"]] == ["calc.py"]
    assert "+    return a + b" in gh("pr", "diff", "2")
    gh("pr", "review", "2", "--comment", "-b", "looks right")
    gh("pr", "merge", "2", "--squash")
    assert json.loads(gh("pr", "list", "--state", "merged", "--json", "number,mergeCommit"))[0]["number"] == 2
    assert json.loads(gh("issue", "view", "1", "--json", "state"))["state"] == "CLOSED"


def test_refusals_are_githubs(gh, pushed, octo):
    assert "Could not resolve to a PullRequest" in gh("pr", "view", "99", ok=False)
    octo.patch("/_control/repos/octo/demo", json={"rules": [{"branch": "main", "required_reviews": 1}]})
    gh("pr", "create", "--head", "fix", "--base", "main", "-t", "Fix add", "-b", "")
    assert "approving review is required" in gh("pr", "merge", "1", "--squash", "--admin", ok=False)
    assert "Can not approve your own pull request" in gh("pr", "review", "1", "--approve", ok=False)


class TestDocuments:
    """GraphQL itself, by hand."""

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            pytest.param("{ viewer { login } }", {"login": "alice"}, id="the short form"),
            pytest.param("query Q($x: Boolean = false) { viewer { l: login name @include(if: $x) } }", {"l": "alice"}, id="alias"),
            pytest.param("{ viewer { ...F } } fragment F on User { login }", {"login": "alice"}, id="fragment"),
            pytest.param("# comment\n{ viewer { ... on Bot { id } __typename } }", {"__typename": "User"}, id="type condition"),
        ],
    )  # fmt: skip
    def test_forms(self, alice, query, expected):
        assert alice.post("/graphql", json={"query": query}).json() == {"data": {"viewer": expected}}

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            pytest.param("{ viewer {", "Parse error: expected more, found the end", id="cut off"),
            pytest.param("{ viewer { shoeSize } }", "Field 'shoeSize' doesn't exist on type 'User'", id="unknown field"),
            pytest.param("{ viewer { ...Nope } }", "Fragment Nope was used, but not defined", id="unknown fragment"),
            pytest.param("{" + "a{" * 500, "Parse error: the query is nested too deeply", id="too deep"),
            pytest.param("{ viewer § }", "Parse error: unexpected text at 8: ' § }'", id="strange character"),
        ],
    )  # fmt: skip
    def test_failures_are_told(self, alice, query, message):
        answer = alice.post("/graphql", json={"query": query})
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (200, message)

    def test_a_private_repository_does_not_exist_for_strangers(self, stranger, nobody):
        query = {"query": '{ repository(owner: "octo", name: "secret") { id } }'}
        assert stranger.post("/graphql", json=query).json()["errors"][0]["type"] == "NOT_FOUND"
        assert nobody.post("/graphql", json=query).status_code == 401
