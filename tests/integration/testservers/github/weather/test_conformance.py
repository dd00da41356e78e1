"""The stand-in's answers against GitHub's published OpenAPI description, recorded on every served route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orch.testservers.github import routes, webhooks


class Drive:
    """Uses every served route at least once, as its owner, a collaborator, an App and nobody would."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.app = world.app
        self.repo = "/repos/octo/app"

    def ask(self, method: str, path: str, body: Any = None, *, client: Any = None, **options: Any) -> Any:
        """Send one request; the JSON of the answer, None when it has none."""
        answer = (client or self.world.client).request(method, path, json=body, **options)
        assert answer.status_code != 501, f"{method} {path}: {answer.text}"
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json and answer.content else None

    def on_repo(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.ask(method, f"{self.repo}{path}", body, **options)

    def gets(self, *paths: str) -> None:
        for path in paths:
            self.on_repo("GET", path)

    def everything(self) -> None:
        self.accounts()
        self.repository()
        self.issues()
        self.code()
        self.pulls()
        self.proofs()
        self.hooks()
        self.refusals()
        self.departures()

    def accounts(self) -> None:
        for path in ("/user", "/users/octo", "/user/repos", "/users/octo/repos", "/rate_limit"):
            self.ask("GET", path)

    def repository(self) -> None:
        self.on_repo("GET", "")
        self.on_repo("PATCH", "", {"description": "An app"})
        self.on_repo("PUT", "/collaborators/guest", {"permission": "triage"})
        self.gets("/collaborators", "/collaborators/mate", "/collaborators/guest/permission", "/collaborators/nobody")
        self.on_repo("DELETE", "/collaborators/guest")
        self.gets("/assignees", "/assignees/mate", "/assignees/nobody")
        self.on_repo("POST", "/forks", {}, client=self.world.other)
        self.gets("/forks")
        self.ask("DELETE", "/repos/mate/app", client=self.world.other)

    def issues(self) -> None:
        self.on_repo("POST", "/labels", {"name": "calm", "color": "00ff00", "description": "at ease"})
        self.on_repo("PATCH", "/labels/calm", {"new_name": "calmer", "color": "00ee00"})
        self.gets("/labels", "/labels/calmer")
        number = self.on_repo("POST", "/issues", {"title": "Two", "body": "see #1", "labels": ["bug"]})["number"]
        issue = f"/issues/{number}"
        self.on_repo("PATCH", issue, {"title": "Second", "assignees": ["mate"]})
        self.on_repo("POST", f"{issue}/labels", {"labels": ["calmer", "new one"]})
        self.on_repo("DELETE", f"{issue}/labels/calmer")
        self.on_repo("PUT", f"{issue}/labels", {"labels": ["question"]})
        self.on_repo("POST", f"{issue}/assignees", {"assignees": ["octo"]})
        self.on_repo("DELETE", f"{issue}/assignees", {"assignees": ["octo"]})
        comment = self.on_repo("POST", f"{issue}/comments", {"body": "hello @mate"})["id"]
        self.on_repo("PATCH", f"/issues/comments/{comment}", {"body": "hello"})
        self.gets(f"/issues/comments/{comment}", f"{issue}/comments", "/issues/comments", f"{issue}/labels")
        self.on_repo("PUT", f"{issue}/lock", {"lock_reason": "resolved"})
        self.on_repo("DELETE", f"{issue}/lock")
        self.on_repo("PATCH", issue, {"state": "closed", "state_reason": "not_planned"})
        self.on_repo("PATCH", issue, {"state": "open"})
        self.gets(issue, "/issues", "/issues?per_page=1&state=all", "/issues?per_page=1&state=all&page=2")
        self.gets(f"{issue}/timeline", f"{issue}/events", "/issues/events", "/issues/events?per_page=1")
        event = self.on_repo("GET", "/issues/events")[0]["id"]
        self.gets(f"/issues/events/{event}")
        self.on_repo("DELETE", f"{issue}/labels")
        self.on_repo("DELETE", f"/issues/comments/{comment}")
        self.on_repo("DELETE", "/labels/calmer")

    def push(self, branch: str, name: str, text: str, message: str = "Change") -> str:
        """One commit on top of main, pushed to `branch`; its sha."""
        clone = self.world.root / "clone"
        if not clone.exists():
            self.world.clone("octo")
        self.world.git("fetch", "-q", "origin", cwd=clone)
        self.world.git("checkout", "-q", "-B", branch.replace("/", "-"), "origin/main", cwd=clone)
        (clone / name).write_text(text)
        self.world.git("add", ".", cwd=clone)
        self.world.git("commit", "-q", "-m", message, cwd=clone)
        self.world.git("push", "-q", "-f", "origin", f"HEAD:refs/heads/{branch}", cwd=clone)
        return str(self.world.git("rev-parse", "HEAD", cwd=clone))

    def code(self) -> None:
        sha = self.push("topic/one", "one.txt", "1\n")
        self.on_repo("POST", "/git/refs", {"ref": "refs/heads/guarded", "sha": sha})
        self.gets("/branches", "/branches?protected=true", "/branches/topic/one", "/branches/guarded")
        self.gets("/branches/guarded/protection", "/branches/main/protection", "/rules/branches/main")
        self.gets("/rules/branches/ruled/one")
        self.gets("/git/ref/heads/main", "/git/matching-refs/heads/topic", f"/git/commits/{sha}")
        tree = self.on_repo("GET", f"/git/trees/{sha}?recursive=1")
        self.gets(*(f"/git/blobs/{entry['sha']}" for entry in tree["tree"] if entry["type"] == "blob"))
        self.on_repo("POST", "/git/refs", {"ref": "refs/heads/topic/two", "sha": sha})
        main = self.on_repo("GET", "/git/ref/heads/main")["object"]["sha"]
        self.on_repo("PATCH", "/git/refs/heads/topic/two", {"sha": main, "force": True})
        self.on_repo("DELETE", "/git/refs/heads/topic/two")
        self.gets("/commits", f"/commits/{sha}", "/commits/main", f"/commits/{sha}/pulls", "/compare/main...topic/one")
        self.gets(f"/commits/{sha}/branches-where-head", "/readme", "/contents", "/contents/README.md")
        self.gets("/contents/", "/contents/one.txt?ref=topic/one", "/contents/none.txt")

    def pulls(self) -> None:
        head = self.push("topic/one", "one.txt", "1\n", "Add one\n\nFixes #1")
        opened = {"title": "One", "head": "topic/one", "base": "main", "body": "Fixes #1"}
        number = self.on_repo("POST", "/pulls", opened)["number"]
        pull = f"/pulls/{number}"
        self.on_repo("PATCH", pull, {"title": "Number one"})
        self.gets(pull, "/pulls", "/pulls?state=all&head=octo:topic/one", f"{pull}/files", f"{pull}/commits")
        self.on_repo("POST", f"{pull}/requested_reviewers", {"reviewers": ["mate"]})
        self.gets(f"{pull}/requested_reviewers")
        self.on_repo("DELETE", f"{pull}/requested_reviewers", {"reviewers": ["mate"]})
        remark = {"body": "Why?", "path": "one.txt", "commit_id": head, "line": 1, "side": "RIGHT"}
        review = {"event": "REQUEST_CHANGES", "body": "No", "comments": [{"path": "one.txt", "line": 1, "body": "?"}]}
        refused = self.on_repo("POST", f"{pull}/reviews", review, client=self.world.other)["id"]
        self.on_repo("POST", f"{pull}/reviews", {"event": "APPROVE"}, client=self.world.other)
        self.on_repo("PUT", f"{pull}/reviews/{refused}/dismissals", {"message": "done"})
        self.gets(f"{pull}/reviews", f"{pull}/reviews/{refused}", f"{pull}/reviews/{refused}/comments")
        draft = self.on_repo("POST", f"{pull}/reviews", {"body": "not yet"}, client=self.world.other)["id"]
        self.on_repo("POST", f"{pull}/reviews/{draft}/events", {"event": "COMMENT"}, client=self.world.other)
        comment = self.on_repo("POST", f"{pull}/comments", remark)["id"]
        self.on_repo("POST", f"{pull}/comments/{comment}/replies", {"body": "Because."})
        self.on_repo("PATCH", f"/pulls/comments/{comment}", {"body": "Why not?"})
        self.gets(f"{pull}/comments", "/pulls/comments", f"/pulls/comments/{comment}")
        self.on_repo("DELETE", f"/pulls/comments/{comment}")
        self.gets(f"{pull}/merge", f"/issues/{number}/timeline", f"/issues/{number}")
        self.world.git("checkout", "-q", "-B", "main", "origin/main", cwd=self.world.root / "clone")
        self.push("main", "base.txt", "moved\n")
        self.on_repo("PUT", f"{pull}/update-branch", {"expected_head_sha": head})
        self.merge(pull)
        self.gets(pull, f"{pull}/merge", "/issues/1/timeline", f"/issues/{number}/timeline")

    def merge(self, pull: str) -> None:
        head = self.world.until(lambda: self.settled_head(pull))
        self.on_repo("PUT", f"{pull}/merge", {"sha": "0" * 40})
        self.on_repo("PUT", f"{pull}/merge", {"sha": head, "merge_method": "squash", "commit_title": "One (#2)"})
        self.on_repo("PUT", f"{pull}/merge", {"sha": head})

    def settled_head(self, pull: str) -> str | None:
        """The head once GitHub knows whether it can be merged."""
        seen = self.on_repo("GET", pull)
        return str(seen["head"]["sha"]) if seen["mergeable"] else None

    def proofs(self) -> None:
        sha = self.push("topic/three", "three.txt", "3\n")
        self.on_repo(
            "POST", f"/statuses/{sha}", {"state": "success", "context": "orch", "target_url": "http://x.test/"}
        )
        self.gets(f"/commits/{sha}/status", f"/commits/{sha}/statuses")
        run = {"name": "proof", "head_sha": sha, "status": "in_progress", "output": {"title": "t", "summary": "s"}}
        made = self.on_repo("POST", "/check-runs", run, client=self.app)
        done = {"status": "completed", "conclusion": "failure", "output": {"title": "t", "summary": "s", "text": "x"}}
        self.on_repo("PATCH", f"/check-runs/{made['id']}", done, client=self.app)
        self.gets(f"/check-runs/{made['id']}", f"/commits/{sha}/check-runs", f"/commits/{sha}/check-suites")
        self.gets(f"/check-suites/{made['check_suite']['id']}", f"/check-runs/{made['id']}/annotations")
        self.gets(f"/check-suites/{made['check_suite']['id']}/check-runs")
        runs = self.world.until(lambda: self.finished_jobs(sha))
        self.gets(f"/actions/jobs/{runs[0]['id']}/logs")
        self.on_repo("POST", f"/check-runs/{runs[0]['id']}/rerequest", client=self.app)
        (again,) = self.world.until(lambda: self.finished_jobs(sha))
        for client in (None, self.world.fine):
            self.on_repo("POST", f"/actions/jobs/{again['id']}/rerun", client=client)

    def finished_jobs(self, sha: str) -> list[dict[str, Any]]:
        """The stand-in's own checks of `sha`, once they are done."""
        runs = self.on_repo("GET", f"/commits/{sha}/check-runs")["check_runs"]
        return [run for run in runs if run["name"] == "own check" and run["status"] == "completed"]

    def hooks(self) -> None:
        config = {"url": f"{self.world.url}/nowhere", "content_type": "json", "secret": "s3cret"}
        hook = f"/hooks/{self.on_repo('POST', '/hooks', {'config': config, 'events': ['issues']})['id']}"
        self.on_repo("PATCH", hook, {"active": True, "events": ["issues", "push"]})
        self.gets("/hooks", hook)
        self.on_repo("POST", f"{hook}/pings")
        sent = self.world.until(lambda: self.on_repo("GET", f"{hook}/deliveries"))
        self.gets(f"{hook}/deliveries/{sent[0]['id']}")
        self.on_repo("POST", f"{hook}/deliveries/{sent[0]['id']}/attempts")
        self.on_repo("DELETE", hook)

    def refusals(self) -> None:
        self.ask("GET", "/user", client=self.world.anonymous)
        self.gets("/issues/999", "/pulls/999", "/labels/none", "/branches/none", "/git/ref/heads/none", "/commits/none")
        self.on_repo("POST", "/issues", {})
        self.on_repo("POST", "/labels", {"name": "bug"})
        self.on_repo("POST", "/pulls", {"title": "x", "head": "none", "base": "main"})
        self.on_repo("POST", "/pulls", {"title": "x", "head": "main", "base": "main"})
        self.on_repo("POST", "/git/refs", {"ref": "refs/heads/x", "sha": "0" * 40})
        self.on_repo("POST", "/check-runs", {"name": "x", "head_sha": "0" * 40})
        self.on_repo("PATCH", "", {"description": "not mine"}, client=self.world.other)
        self.on_repo("POST", "/issues/1/comments", {"body": "x"}, client=self.world.anonymous)
        for path in ("/commits/main/check-runs", "/commits/main/check-suites", "/hooks"):
            self.on_repo("GET", path, client=self.world.fine)
        self.on_repo("POST", "/issues", {"title": "x"}, client=self.world.fine)

    def departures(self) -> None:
        """Issues that were there: moved to another repository, or deleted."""
        self.on_repo("POST", "/forks", {"name": "elsewhere"}, client=self.world.other)
        for act, method, body in (("/transfer", "POST", {"to": "mate/elsewhere"}), ("", "DELETE", None)):
            number = self.on_repo("POST", "/issues", {"title": "Soon gone"})["number"]
            path = f"/_control{self.repo}/issues/{number}{act}"
            assert self.world.anonymous.request(method, path, json=body).is_success
            self.gets(f"/issues/{number}", f"/issues/{number}/comments")
            self.on_repo("PATCH", f"/issues/{number}", {"title": "x"})


@pytest.fixture(scope="module")
def exchanges(world_of: Any, contract: Any) -> list[dict[str, Any]]:
    """All that was asked and answered, as the journal tells it."""
    world = world_of(settings={"record_bodies": True}, checks=[{"name": "own check", "command": "true"}])
    Drive(world).everything()
    return list(world.journal(path="^/(repos|users?|rate_limit)"))


def described(contract: Any, exchanges: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for entry in exchanges:
        found = contract.find_operation(entry["method"], entry["path"])
        if found is not None:
            yield f"{entry['method']} {found[0]} {entry['status']}", entry, found[1]


def test_every_asked_route_is_github_s(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    asked = {(entry["method"], entry["path"]) for entry in exchanges}
    assert [route for route in sorted(asked) if contract.find_operation(*route) is None] == []


def test_every_status_is_described(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    """Of errors GitHub describes only some: what any route can answer (moved, credentials, body) goes without."""
    for_all = {301, 400, 401, 403, 404, 410, 422, 429}
    unknown = {
        name
        for name, entry, operation in described(contract, exchanges)
        if str(entry["status"]) not in operation["responses"] and entry["status"] not in for_all
    }
    assert unknown == set()


def test_every_body_fits_its_schema(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    wrong: dict[str, list[str]] = {}
    for name, entry, operation in described(contract, exchanges):
        if str(entry["status"]) in operation["responses"]:
            schema = contract.schema_for(operation, entry)
            errors = contract.errors(schema, entry["response_body"]) if schema is not None else []
            wrong.setdefault(name, []).extend(errors)
    assert {name: sorted(set(errors)) for name, errors in wrong.items() if errors} == {}


def test_no_field_is_invented(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    """Beside those that GitHub sends and documents in prose ("Issue event types") but not in the description."""
    in_prose = {"$.state_reason", "$[].state_reason", "$[].assigner"}
    invented: dict[str, set[str]] = {}
    for name, entry, operation in described(contract, exchanges):
        if entry["status"] < 400 and str(entry["status"]) in operation["responses"]:
            schema = contract.schema_for(operation, entry)
            fields = contract.unknown_fields(schema, entry["response_body"]) if schema is not None else ()
            invented.setdefault(name, set()).update(set(fields) - in_prose)
    assert {name: fields for name, fields in invented.items() if fields} == {}


def test_errors_have_github_s_shape(exchanges: list[dict[str, Any]]) -> None:
    refused = [entry for entry in exchanges if entry["status"] >= 400]
    assert {entry["status"] for entry in refused} >= {401, 403, 404, 405, 409, 410, 422}
    for entry in refused:
        body = entry["response_body"]
        assert isinstance(body["message"], str), entry
        assert body["documentation_url"].startswith("https://docs.github.com/"), entry


def test_bodies_are_absent_where_github_sends_none(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    without = [name for name, entry, _ in described(contract, exchanges) if entry["status"] == 204]
    assert without
    assert [entry["path"] for entry in exchanges if entry["status"] == 204 and entry["response_size"]] == []


def test_links_lead_through_the_pages(exchanges: list[dict[str, Any]]) -> None:
    linked = [entry for entry in exchanges if "link" in entry["response_headers"]]
    assert linked
    for entry in linked:
        links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', entry["response_headers"]["link"]))
        assert set(links.values()) <= {"first", "prev", "next", "last"}
        for url in links:
            assert urlsplit(url).path == entry["path"]
            assert {"page", "cursor"} & set(parse_qs(urlsplit(url).query))


def test_every_served_route_was_driven(contract: Any, exchanges: list[dict[str, Any]]) -> None:
    endpoints = [*webhooks.ENDPOINTS, *(endpoint for module in routes.MODULES for endpoint in module.ENDPOINTS)]
    served = [(endpoint.method, re.sub(r"\{[^}]*\}", "1", endpoint.path)) for endpoint in endpoints]
    driven = [(entry["method"], entry["path"]) for entry in exchanges if entry["status"] < 400]
    assert templates(contract, served) - templates(contract, driven) == set()


def templates(contract: Any, requests: list[tuple[str, str]]) -> set[str]:
    """What GitHub calls the routes of these requests."""
    found = {request: contract.find_operation(*request) for request in requests}
    return {f"{request[0]} {operation[0] if operation else request[1]}" for request, operation in found.items()}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/repos/octo/app/releases", id="a resource that is not served"),
        pytest.param("PUT", "/repos/octo/app/issues/1", id="a method that is not served"),
        pytest.param("GET", "/gists", id="another root"),
        pytest.param("POST", "/api/v3/repos/octo/app/dispatches", id="as on an enterprise server"),
    ],
)
def test_what_is_not_served_says_so_by_name(world: Any, method: str, path: str) -> None:
    answer = world.client.request(method, path)
    assert answer.status_code == 501
    assert answer.json()["message"].startswith(f"Not served by the stand-in: {method} /")
