"""The Forge port against GitHub's stand-in, over real HTTP: facts, effects, faults, limits, quota."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orch.adapters.github import GitHubForges, Host, load_hosts
from orch.errors import Ambiguous, CredentialsRefused, HeadMoved, NotFound, PolicyDenied, RateLimited, Transient
from orch.ports import Forge, Permission
from orch.testservers.github.server import serve_in_thread

REPOSITORY, TOKEN = "octo/demo", "ghp_bot_canary_0123456789"
SEED: dict[str, Any] = {
    "tokens": [{"login": "octo", "value": "ghp_octo"}, {"login": "bot", "value": TOKEN}],
    "accounts": [{"login": "octo"}, {"login": "bot"}, {"login": "eve"}],
    "repos": [{"owner": "octo", "name": "demo", "collaborators": {"bot": "write"}, "labels": [{"name": "orch"}]}],
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "README.md").write_text("hello\n")
    seed = {**SEED, "repos": [{**SEED["repos"][0], "from": str(project)}]}
    with serve_in_thread(tmp_path / "data", seed) as server:
        yield server.url


@pytest.fixture
def forge(url: str) -> Forge:
    return open_forge(url)


def open_forge(url: str, token: str = TOKEN, **host: Any) -> Forge:
    entry = Host(api_url=url, git_url=url, web_url=url, **{"allow_private": True, "write_interval": 0.0, **host})
    forges = GitHubForges({"here": entry})
    return forges.open(host="here", repository=REPOSITORY, secret={"token": token.encode()}, tenant="team")


def fault(url: str, **body: Any) -> None:
    httpx2.post(f"{url}/_control/faults", json=body).raise_for_status()


def journal(url: str, method: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = httpx2.get(f"{url}/_control/journal", params={"method": method}).json()["entries"]
    return entries


def an_issue(url: str, **fields: Any) -> int:
    headers = {"Authorization": "Bearer ghp_octo"}
    body = {"title": "It is broken", "labels": ["orch"], **fields}
    return int(httpx2.post(f"{url}/repos/{REPOSITORY}/issues", json=body, headers=headers).json()["number"])


def push_branch(url: str, clone: Path, branch: str) -> tuple[str, str]:
    """Push one commit on a new branch, as a person would; the shas of main and of the branch."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=Octo", "-c", "user.email=octo@example.com")
        return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()

    git("clone", "--quiet", f"{url.replace('://', '://x-access-token:ghp_octo@')}/{REPOSITORY}.git", str(clone))
    base = git("-C", str(clone), "rev-parse", "HEAD")
    (clone / "a.txt").write_text("a\n")
    git("-C", str(clone), "add", "a.txt")
    git("-C", str(clone), "commit", "--quiet", "-m", "a")
    git("-C", str(clone), "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    return base, git("-C", str(clone), "rev-parse", "HEAD")


async def test_the_repository_and_who_may_do_what(forge: Forge) -> None:
    facts = await forge.repository()
    assert (facts.full_name, facts.default_branch, facts.empty, facts.can_push) == (REPOSITORY, "main", False, True)
    assert await forge.viewer() == "bot"
    assert await forge.permission("octo") is Permission.ADMIN
    assert await forge.permission("bot") is Permission.WRITE
    assert await forge.permission("nobody-at-all") is Permission.NONE


async def test_labelled_issues_and_who_labelled_them(forge: Forge, url: str) -> None:
    number = an_issue(url)
    an_issue(url, labels=[])
    assert [issue.number for issue in await forge.labelled_issues(["orch", "other"])] == [number]
    [event] = await forge.label_events(number)
    assert (event.actor, event.label, event.added) == ("octo", "orch", True)


async def test_an_unchanged_list_costs_no_quota(forge: Forge, url: str) -> None:
    an_issue(url)
    await forge.labelled_issues(["orch"])
    assert forge.rate_limit is not None
    before = forge.rate_limit.remaining
    for _ in range(3):
        await forge.labelled_issues(["orch"])
    assert forge.rate_limit.remaining == before


async def test_a_comment_whose_answer_is_lost_is_ambiguous_and_sent_once(forge: Forge, url: str) -> None:
    number = an_issue(url)
    fault(url, method="POST", path="/comments$", status=502, after=True)
    with pytest.raises(Ambiguous):
        await forge.create_comment(number, "hello")
    assert [comment.body for comment in await forge.comments(number)] == ["hello"]
    assert len([entry for entry in journal(url, "POST") if entry["path"].endswith("/comments")]) == 1


async def test_a_failing_read_is_transient(forge: Forge, url: str) -> None:
    fault(url, method="GET", path=f"^/repos/{REPOSITORY}$", status=503)
    with pytest.raises(Transient):
        await forge.repository()
    assert (await forge.repository()).full_name == REPOSITORY


async def test_a_limit_closes_the_credential_until_its_time(forge: Forge, url: str) -> None:
    body = {"message": "You have exceeded a secondary rate limit"}
    limit = {"status": 403, "headers": {"retry-after": "120"}, "body": body}
    fault(url, method="GET", path=f"^/repos/{REPOSITORY}$", **limit)
    with pytest.raises(RateLimited) as first:
        await forge.repository()
    assert 100 < (first.value.retry_at - datetime.now(UTC)).total_seconds() <= 120
    asked = len(journal(url, "GET"))
    with pytest.raises(RateLimited):
        await forge.viewer()
    assert len(journal(url, "GET")) == asked


async def test_a_bad_token_is_refused_and_never_told(url: str) -> None:
    forge = open_forge(url, "ghp_wrong_canary_0123456789")
    with pytest.raises(CredentialsRefused) as refused:
        await forge.repository()
    assert refused.value.reason == "BadCredentials"
    for text in (str(refused.value), repr(refused.value), repr(forge.remote(1))):
        assert "canary" not in text


async def test_what_is_not_there(forge: Forge) -> None:
    with pytest.raises(NotFound):
        await forge.get_issue(99)
    assert await forge.find_pull(head="orch/none") is None
    await forge.delete_branch("orch/none")


async def test_a_pull_request_is_merged_at_its_head_only(forge: Forge, url: str, tmp_path: Path) -> None:
    base, sha = push_branch(url, tmp_path / "clone", "orch/a")
    pull = await forge.open_pull(head="orch/a", base="main", title="A", body="")
    again = await forge.open_pull(head="orch/a", base="main", title="A", body="")
    assert again.number == pull.number
    with pytest.raises(HeadMoved):
        await forge.merge(pull.number, sha=base, method="Squash", title="A", message="")
    merged = await forge.merge(pull.number, sha=sha, method="Squash", title="A (#1)", message="")
    found = await forge.get_pull(pull.number)
    assert (found.state, found.merge_sha) == ("merged", merged)


async def test_hosts_are_a_list_and_private_ones_are_meant_or_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyDenied, match="private address"):
        open_forge(url, allow_private=False)
    with pytest.raises(PolicyDenied, match="not in the operator's list"):
        GitHubForges(load_hosts(None)).open(host="evil.example", repository="a/b", secret={"token": b"x"}, tenant="t")
    listed = tmp_path / "hosts.yaml"
    listed.write_text("hosts: {ghe: {api_url: https://x/api/v3, git_url: https://x, web_url: https://x, typo: 1}}")
    with pytest.raises(ValueError, match="typo"):
        load_hosts(listed)
