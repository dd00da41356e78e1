"""Repositories, people, issues and comments, over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orch.adapters.github import GitHubForges
from orch.errors import CredentialsRefused, NotFound, PolicyDenied
from orch.ports import Forge, Permission

if TYPE_CHECKING:
    from .conftest import MakeForge, World

DEMO = "/repos/octo/demo"


async def test_who_and_what(forge: Forge, world: World) -> None:
    assert await forge.viewer() == "orch-bot"
    facts = await forge.repository()
    assert (facts.full_name, facts.default_branch, facts.visibility) == ("octo/demo", "main", "Public")
    assert (facts.empty, facts.can_push, facts.archived) == (False, True, False)
    assert forge.rate_limit is not None
    assert forge.rate_limit.limit == 5000
    remote = forge.remote(facts.id)
    assert (remote.key, remote.url) == (f"git.example-{facts.id}", f"{world.url}/octo/demo.git")
    assert remote.credential is not None
    assert remote.credential.reveal() == "ghp_bot_value"


async def test_a_repository_without_a_commit_is_empty(open_forge: MakeForge) -> None:
    facts = await open_forge("ghp_octo_value", "octo/other").repository()
    assert facts.empty


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("octo", Permission.ADMIN),
        ("alice", Permission.MAINTAIN),
        ("orch-bot", Permission.WRITE),
        ("carol", Permission.TRIAGE),
        ("stranger", Permission.READ),
        pytest.param("nobody-at-all", Permission.NONE, id="no such user"),
        pytest.param("alice/permission?x=", Permission.NONE, id="no login: it must not make another path"),
        pytest.param("../alice", Permission.NONE, id="no login: it must not climb"),
    ],
)
async def test_permissions_are_roles(forge: Forge, login: str, expected: Permission) -> None:
    assert await forge.permission(login) is expected


async def test_permission_is_live(forge: Forge, world: World) -> None:
    assert await forge.permission("carol") is Permission.TRIAGE
    world.repo(collaborators={"carol": "write", "orch-bot": "write"})
    assert await forge.permission("carol") is Permission.WRITE


async def test_labelled_issues_are_those_with_any_label_and_no_pulls(forge: Forge, world: World) -> None:
    world.push("fix")
    pull = world.as_("alice").post(f"{DEMO}/pulls", json={"title": "x", "head": "fix", "base": "main"}).json()
    world.as_("alice").post(f"{DEMO}/issues/{pull['number']}/labels", json={"labels": ["orch"]})
    found = await forge.labelled_issues(["bug", "orch", "absent"])
    assert [(issue.number, issue.title, issue.author) for issue in found] == [
        (1, "It adds wrongly", "alice"),
        (2, "Another", "alice"),
    ]
    assert found[0].labels == {"orch"}
    assert await forge.labelled_issues([]) == []


async def test_label_events_say_who(forge: Forge, world: World) -> None:
    world.as_("alice").delete(f"{DEMO}/issues/1/labels/orch")
    world.as_("octo").post(f"{DEMO}/issues/1/labels", json={"labels": ["orch"]})
    world.as_("octo").patch(f"{DEMO}/issues/1", json={"title": "Renamed"})
    events = await forge.label_events(1)
    assert [(event.actor, event.label, event.added) for event in events][1:] == [
        ("alice", "orch", False),
        ("octo", "orch", True),
    ]
    assert len({event.id for event in events}) == 3
    assert all(event.time.tzinfo for event in events)


async def test_comments(forge: Forge, world: World) -> None:
    made = await forge.create_comment(1, "first")
    world.as_("alice").post(f"{DEMO}/issues/1/comments", json={"body": "second"})
    await forge.edit_comment(made.id, "first, edited")
    assert [(entry.author, entry.body) for entry in await forge.comments(1)] == [
        ("orch-bot", "first, edited"),
        ("alice", "second"),
    ]


async def test_all_pages_are_read(forge: Forge, world: World) -> None:
    alice = world.as_("alice")
    for number in range(100):
        alice.post(f"{DEMO}/issues/1/comments", json={"body": str(number)})
    assert len(await forge.comments(1)) == 100
    alice.post(f"{DEMO}/issues/1/comments", json={"body": "the one that counts"})
    # the first page is as it was, so it is answered 304: it must still lead to the second
    assert [entry.body for entry in await forge.comments(1)][-1] == "the one that counts"
    before = world.spent()
    assert len(await forge.comments(1)) == 101
    assert world.spent() == before


async def test_labels_are_added(forge: Forge) -> None:
    await forge.add_labels(3, ["orch", "new one"])
    await forge.add_labels(3, ["orch"])
    assert (await forge.get_issue(3)).labels == {"orch", "new one"}


async def test_a_label_is_taken_off_and_one_that_is_not_on_is_no_error(forge: Forge) -> None:
    await forge.add_labels(3, ["orch/waiting", "other"])
    for _ in range(2):
        await forge.remove_label(3, "orch/waiting")
    assert (await forge.get_issue(3)).labels == {"other"}


async def test_an_issue_that_went_away_is_not_found(forge: Forge, world: World) -> None:
    world.control.delete("/_control/repos/octo/demo/issues/1")
    world.control.post("/_control/repos/octo/demo/issues/2/transfer", json={"to": "octo/other"})
    for number in (1, 2, 99):
        with pytest.raises(NotFound):
            await forge.get_issue(number)


async def test_a_pull_request_is_no_issue(forge: Forge, world: World) -> None:
    world.push("fix")
    made = world.as_("alice").post(f"{DEMO}/pulls", json={"title": "x", "head": "fix", "base": "main"}).json()
    with pytest.raises(NotFound, match="is a pull request"):
        await forge.get_issue(made["number"])


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        pytest.param({}, "no key `token`", id="no key"),
        pytest.param({"password": b"x"}, "no key `token`", id="another key"),
        pytest.param({"token": b" \n"}, "no key `token`", id="blank"),
        pytest.param({"token": b"ghp_a\r\nX-Evil: 1"}, "does not hold one token", id="a header inside"),
        pytest.param({"token": "ghp_ü".encode()}, "does not hold one token", id="no ASCII"),
    ],
)
def test_a_secret_without_a_token_is_refused(forges: GitHubForges, secret: dict[str, bytes], text: str) -> None:
    with pytest.raises(CredentialsRefused, match=text) as caught:
        forges.open(host="git.example", repository="octo/demo", secret=secret, tenant="team", pinned=1, polling=False)
    assert caught.value.reason == "CredentialsMissing"


@pytest.mark.parametrize("asked", [{"host": "evil.example"}, {"repository": "octo/.."}, {"repository": "octo"}])
def test_hosts_and_names_are_checked(forges: GitHubForges, asked: dict[str, Any]) -> None:
    with pytest.raises(PolicyDenied):
        forges.open(
            **{
                "host": "git.example",
                "repository": "octo/demo",
                "secret": {"token": b"x"},
                "tenant": "t",
                "pinned": 1,
                "polling": False,
                **asked,
            }
        )


async def test_when_an_issue_was_edited_last(forge: Forge, world: World) -> None:
    alice = world.as_("alice")
    assert await forge.last_edited(1) is None
    alice.post(f"{DEMO}/issues/1/labels", json={"labels": ["bug"]})
    alice.post(f"{DEMO}/issues/1/comments", json={"body": "Any news?"})
    assert await forge.last_edited(1) is None, "labels and comments are no edits"
    alice.patch(f"{DEMO}/issues/1", json={"body": "1 + 1 is 3"})
    edited = await forge.last_edited(1)
    assert edited is not None
    alice.patch(f"{DEMO}/issues/2", json={"title": "Another title"})
    renamed = await forge.last_edited(2)
    assert renamed is not None
    assert renamed >= edited
    with pytest.raises(NotFound):
        await forge.last_edited(999)
