"""What the server's no becomes: an error that says what the loop does, what is wrong and what to do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.ports import Author, Credential, Remote

from .conftest import TOKEN, Server, Work


async def a_commit(git: MirrorGit, remote: Remote, person: Work) -> str:
    base = await git.fetch(remote, "main")
    time = datetime(2026, 1, 1, tzinfo=UTC)
    return await git.commit(remote, tree_of=base, parents=[base], message="m\n", author=Author("a", "a@b"), time=time)


async def test_a_wrong_token(git: MirrorGit, remote: Remote, person: Work) -> None:
    wrong = Remote(remote.key, remote.url, Credential("ghp_wrongwrongwrong"))
    with pytest.raises(errors.CredentialsRefused) as caught:
        await git.fetch(wrong, "main")
    assert caught.value.reason == "BadCredentials"
    assert "wrongwrong" not in caught.value.message


async def test_no_token(git: MirrorGit, remote: Remote, person: Work) -> None:
    with pytest.raises(errors.CredentialsRefused) as caught:
        await git.fetch(Remote(remote.key, remote.url), "main")
    assert caught.value.reason == "CredentialsMissing"


async def test_a_public_repository_needs_none(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    server.token = None
    assert await git.fetch(Remote(remote.key, remote.url), "main") == server.sha("main")


@pytest.mark.parametrize("token", ["", "a b", "tok\nen", "tök"])
async def test_a_token_that_is_none(git: MirrorGit, remote: Remote, person: Work, token: str) -> None:
    with pytest.raises(errors.CredentialsRefused):
        await git.fetch(Remote(remote.key, remote.url, Credential(token)), "main")


async def test_a_token_that_may_only_read(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    ours = await a_commit(git, remote, person)
    server.read_only = True
    with pytest.raises(errors.CredentialsRefused, match="contents: write"):
        await git.push(remote, sha=ours, branch="orch/1", expected=None)


async def test_a_hook_that_declines_is_quoted(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    ours = await a_commit(git, remote, person)
    server.hook("printf 'error: GH006: Protected branch update failed \\033[31mfor refs/heads/x.\\n' >&2; exit 1")
    with pytest.raises(errors.NeedsHuman, match="GH006: Protected branch update failed") as caught:
        await git.push(remote, sha=ours, branch="orch/1", expected=None)
    assert caught.value.reason == "PushDeclined"
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, errors.NotFound), (403, errors.CredentialsRefused), (502, errors.Transient), (429, errors.Transient)],
)
async def test_statuses_of_a_fetch(
    git: MirrorGit, remote: Remote, person: Work, server: Server, status: int, expected: type[errors.OrchError]
) -> None:
    server.fail["info/refs"] = status
    with pytest.raises(expected) as caught:
        await git.fetch(remote, "main")
    assert not isinstance(caught.value, errors.Ambiguous)


async def test_a_redirect_is_not_followed(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    server.fail["/acme/"] = 302
    with pytest.raises(errors.OrchError):
        await git.fetch(remote, "main")
    assert not any("elsewhere" in request for request in server.requests)


async def test_nobody_listens(git: MirrorGit, remote: Remote) -> None:
    with pytest.raises(errors.Transient, match="cannot be reached"):
        await git.fetch(Remote(remote.key, "http://127.0.0.1:9/a/b.git", remote.credential), "main")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_push_whose_answer_is_lost_is_ambiguous(
    git: MirrorGit, remote: Remote, person: Work, server: Server, when: str
) -> None:
    ours = await a_commit(git, remote, person)
    server.cut_push = when
    with pytest.raises(errors.Ambiguous):
        await git.push(remote, sha=ours, branch="orch/1", expected=None)
    server.cut_push = None
    assert await git.remote_sha(remote, "orch/1") == (ours if when == "after" else None)


async def test_a_push_that_was_not_sent_is_not_ambiguous(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    ours = await a_commit(git, remote, person)
    server.fail["git-receive-pack"] = 503
    with pytest.raises(errors.Transient) as caught:
        await git.push(remote, sha=ours, branch="orch/1", expected=None)
    assert not isinstance(caught.value, errors.Ambiguous)
    assert TOKEN not in str(caught.value)


async def test_the_texts_are_stable(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    server.fail["info/refs"] = 502
    texts = set()
    for _ in range(2):
        with pytest.raises(errors.Transient) as caught:
            await git.fetch(remote, "main")
        texts.add(caught.value.message)
    assert len(texts) == 1
