"""The stand-in's web page: what people look at after a demo, read as a browser reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.integration.testservers.github.conftest import DEMO, Clone, Person

from orch.testservers.github.server import Running

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onclick='x' &lt;b>"
"""What somebody who writes an issue, a check or a commit would put into the page."""
_OURS = {
    "html",
    "meta",
    "title",
    "style",
    "p",
    "h1",
    "h2",
    "h3",
    "a",
    "pre",
    "table",
    "tr",
    "th",
    "td",
    "span",
    "div",
    "b",
}


class Seen(HTMLParser):
    """A page as a browser has it: its text, its links, and the elements and attributes that it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: dict[str, str] = {}
        self.text = ""
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.attributes |= found.keys()
        self._open = found.get("href") or "" if tag == "a" else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open:
            self.links[data] = self._open


@pytest.fixture
def browse(person: Callable[[str | None], Person]) -> Callable[..., Seen]:
    """`browse(path)`: the page that somebody without an account sees; it may hold nothing that runs."""
    nobody = person(None)

    def look(path: str, status: int = 200) -> Seen:
        answer = nobody.get(path, headers={"accept": "text/html"})
        assert answer.status_code == status, answer.text
        seen = Seen(answer.text)
        if status == 200:
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert seen.tags <= _OURS
            assert seen.attributes <= {"lang", "charset", "href", "class"}
        return seen

    return look


def test_a_person_gets_from_the_list_to_a_diff_and_a_checks_output(
    browse: Callable[..., Seen], github: Running, alice: Person, work: Clone
) -> None:
    checks = [{"name": "tests", "command": "echo 'two of two passed'"}]
    github.repo("octo/checked", source=str(work.folder), collaborators={"alice": "write"}, checks=checks)
    issue = alice.post("/repos/octo/checked/issues", json={"title": "Adds wrongly", "body": "1 + 1 is 0"}).json()
    alice.post(f"/repos/octo/checked/issues/{issue['number']}/labels", json={"labels": ["orch"]})
    alice.post(f"/repos/octo/checked/issues/{issue['number']}/comments", json={"body": "I see it too"})
    work.git("remote", "set-url", "origin", f"{work.remote('ghp_alice')}/octo/checked.git")
    work.commit("fix", "Add, not subtract", calc_py="def add(a, b):\n    return a + b\n")
    work.push("fix")
    opened = {"title": "Fix add", "head": "fix", "base": "main", "body": "Closes nothing"}
    pull = alice.post("/repos/octo/checked/pulls", json=opened).json()
    github.settle()

    home = browse("/")
    assert home.links["octo/checked"] == "/octo/checked"
    assert "octo/secret" not in home.text, "a private repository is nobody's business"
    tabs = browse(home.links["octo/checked"]).links
    issues = browse(tabs["Issues"])
    assert "orch" in issues.text
    seen = browse(issues.links[f"#{issue['number']} Adds wrongly"])
    for words in ("Adds wrongly", "open", "1 + 1 is 0", "alice labeled orch", "I see it too"):
        assert words in seen.text
    pulls = browse(tabs["Pull requests"])
    seen = browse(pulls.links[f"#{pull['number']} Fix add"])
    for words in ("fix → main", "Closes nothing", "calc.py modified +1 −1", "-    return a - b", "+    return a + b"):
        assert words in seen.text
    assert re.search(r"tests\s*success", seen.text)
    assert "echo 'two of two passed'" in browse(seen.links["tests"]).text
    assert alice.get(f"{seen.links['tests']}/log").text == "two of two passed\n"
    merged = alice.put(f"/repos/octo/checked/pulls/{pull['number']}/merge", json={})
    assert merged.status_code == 200, merged.text
    assert "merged" in browse(f"/octo/checked/pull/{pull['number']}").text


def test_what_strangers_write_is_text(
    browse: Callable[..., Seen], github: Running, alice: Person, octo: Person, work: Clone
) -> None:
    issue = alice.post(f"{DEMO}/issues", json={"title": EVIL, "body": EVIL}).json()["number"]
    alice.post(f"{DEMO}/issues/{issue}/labels", json={"labels": [EVIL[:50]]})
    alice.post(f"{DEMO}/issues/{issue}/comments", json={"body": EVIL})
    name = "<svg onload=x>.py"
    (work.folder / name).write_text(f"{EVIL}\n")
    sha = work.commit("<b>&'fix", EVIL)
    work.push("<b>&'fix")
    pull = alice.post(f"{DEMO}/pulls", json={"title": EVIL, "head": "<b>&'fix", "base": "main", "body": EVIL}).json()
    octo.post(f"{DEMO}/pulls/{pull['number']}/reviews", json={"event": "COMMENT", "body": EVIL})
    alice.post(f"{DEMO}/statuses/{sha}", json={"context": EVIL, "state": "success"})
    run = _check(github, sha)
    for path, shown in {
        "/octo/demo": ["<b>&'fix"],
        "/octo/demo/issues": [EVIL],
        f"/octo/demo/issues/{issue}": [EVIL, EVIL[:50]],
        "/octo/demo/pulls": [EVIL],
        f"/octo/demo/pull/{pull['number']}": [EVIL, name, f"+{EVIL}", "octo reviewed: commented"],
        f"/octo/demo/commit/{sha}": [EVIL, name],
        f"/octo/demo/runs/{run}": [EVIL],
    }.items():
        seen = browse(path)
        for words in shown:
            assert words in seen.text, path
    plain = alice.get(f"/octo/demo/pull/{pull['number']}.diff")
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"+{EVIL}" in plain.text


def _check(github: Running, sha: str) -> int:
    """A check run of an App with a hostile name and output; its id."""
    token = github.token("octo", kind="app", permissions={"checks": "write"}, repos=["octo/demo"])
    with Person(github, token) as app:
        output: dict[str, Any] = {"title": EVIL, "summary": EVIL, "text": EVIL}
        body = {"name": EVIL, "head_sha": sha, "conclusion": "failure", "output": output}
        answer = app.post(f"{DEMO}/check-runs", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.mark.parametrize("path", ["/octo/secret", "/octo/nowhere", "/octo/demo/issues/999", "/octo/demo/pull/9"])
def test_what_is_not_there_or_not_ones_business_is_not_found(browse: Callable[..., Seen], path: str) -> None:
    assert browse(path, status=404).text == "Not Found\n"


def test_who_has_a_token_sees_a_private_repository(github: Running, alice: Person) -> None:
    answer = alice.get("/octo/secret", headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert "octo/secret" in Seen(answer.text).text
