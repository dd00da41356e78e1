"""A repository is its id. When a stranger has taken its name, everything can be read, and nothing is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from orch.adapters.github import GitHubForges
from orch.errors import WrongRepository
from orch.ports import CommitStatus, Forge, StatusState

if TYPE_CHECKING:
    from .conftest import MakeForge, World

DEMO = "/repos/octo/demo"
ACTS: dict[str, Callable[[Forge], Awaitable[Any]]] = {
    "confirm": lambda forge: forge.confirm(),
    "comment": lambda forge: forge.create_comment(1, "mine"),
    "edit": lambda forge: forge.edit_comment(1, "mine"),
    "label": lambda forge: forge.add_labels(1, ["orch"]),
    "unlabel": lambda forge: forge.remove_label(1, "orch"),
    "status": lambda forge: forge.set_status("0" * 40, "orch", CommitStatus(StatusState.PENDING, ""), url=""),
    "open": lambda forge: forge.open_pull(head="orch/x", base="main", title="t", body=""),
    "merge": lambda forge: forge.merge(1, sha="0" * 40, method="Squash", title="t", message=""),
    "delete": lambda forge: forge.delete_branch("orch/x"),
}


@pytest.fixture
def doubting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the last confirmation is older than it is believed."""
    monkeypatch.setattr("orch.adapters.github.forge.FRESH", 0.0)


def writes(world: World) -> list[str]:
    return [entry["method"] for entry in world.journal(account="orch-bot") if entry["method"] != "GET"]


@pytest.mark.usefixtures("doubting")
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_nothing_is_written_to_another_repository_of_the_name(
    open_forge: MakeForge, world: World, act: Callable[[Forge], Awaitable[Any]]
) -> None:
    forge = open_forge()
    await forge.create_comment(1, "this one is ours")
    before = writes(world)
    assert world.control.delete("/_control/repos/octo/demo").status_code == 204
    taken = {"owner": "octo", "name": "demo", "collaborators": {"orch-bot": "write"}, "issues": [{"title": "Trap"}]}
    assert world.control.post("/_control/repos", json=taken).status_code == 201
    with pytest.raises(WrongRepository) as caught:
        await act(forge)
    assert caught.value.reason == "RepositoryChanged"
    assert (await forge.get_issue(1)).title == "Trap"
    assert writes(world) == before == ["POST"]


async def test_nothing_is_written_when_nobody_has_the_name(forge: Forge, world: World) -> None:
    assert world.control.delete("/_control/repos/octo/demo").status_code == 204
    with pytest.raises(WrongRepository, match="renamed") as caught:
        await forge.create_comment(1, "mine")
    assert caught.value.reason == "RepositoryNotFound"


async def test_nothing_is_written_before_the_repository_was_seen(forges: GitHubForges, world: World) -> None:
    secret = {"token": b"ghp_bot_value"}
    forge = forges.open(
        host="git.example", repository="octo/demo", secret=secret, tenant="t", pinned=None, polling=True
    )
    assert (await forge.repository()).id == world.id_of("octo/demo")
    with pytest.raises(WrongRepository, match="never seen"):
        await forge.create_comment(1, "mine")
    assert writes(world) == []


async def test_acts_that_follow_at_once_are_confirmed_once(forge: Forge, world: World) -> None:
    await forge.create_comment(1, "one")
    await forge.add_labels(1, ["orch"])
    assert len(world.journal(path=f"^{DEMO}$", account="orch-bot")) == 1


@pytest.mark.usefixtures("doubting")
async def test_a_confirmation_costs_nothing_while_nothing_changes(forge: Forge, world: World) -> None:
    await forge.confirm()
    before = world.spent()
    await forge.confirm()
    assert world.spent() == before
