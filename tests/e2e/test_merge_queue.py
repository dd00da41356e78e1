"""A base branch that a merge queue merges: put in once, given back when its checks fail there, taken out when people hold it back."""

from collections.abc import Callable

import pytest
from tests.e2e import queues
from tests.e2e.desk import BOT, Desk, Run, together
from tests.e2e.lots import Lot, make
from tests.e2e.queues import events

_GREEN, _RED, _SLOW = 1, 2, 3


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """Three repositories with a merge queue: in the second the check is red on what the queue tests, in the third a status is
    awaited there that nobody gives by himself."""
    load = make(tmp_path_factory.mktemp("queue") / "load", repositories=3, issues=3)
    green, red, slow = load.seed["repos"]
    green["rules"] = [queues.rule("tests", "orch")]
    red["rules"] = [queues.rule("tests")]
    red["checks"][0]["command"] = f'test "$GITHUB_EVENT_NAME" != merge_group && {red["checks"][0]["command"]}'
    slow["rules"] = [queues.rule("tests", queues.LATE)]
    desk = open_desk(load.seed, [load.script])
    names = dict(zip(load.repositories, ("green", "red", "slow"), strict=True))
    for repository, name in names.items():
        desk.watch(name, repository, **load.spec)
    return Lot(desk, load, names)


def test_the_merge_queue_merges(lot: Lot) -> None:
    desk = lot.desk
    fit = desk.condition("orchestratedrepos", "green", "RulesFit")
    assert (fit["status"], fit["reason"]) == ("True", "Fits")
    assert "the merge queue, which merges by Rebase" in fit["message"]

    def green() -> None:
        run = lot.take(_GREEN)
        run.ends()
        assert run.condition("Succeeded")["reason"] == "Merged", run.status
        (pull,) = run.pulls()
        assert events(run) == ["added_to_merge_queue", "removed_from_merge_queue", "merged", "closed"]
        assert run.merges() == [], "nothing but the queue has merged"
        (point,) = [p for p in desk.list("rollbackpoints") if p["spec"]["runRef"]["name"] == run.name]
        assert (point["spec"]["merge"]["method"], point["spec"]["merge"]["sha"]) == ("Rebase", pull["merge_commit_sha"])
        assert desk.refs(run.repository)["main"] == pull["merge_commit_sha"]
        assert not [name for name in desk.refs(run.repository) if name.startswith(("orch/", "gh-readonly-queue/"))]
        said = desk.maintainer.ask("GET", f"/repos/{run.repository}/commits/{pull['merge_commit_sha']}/statuses")
        assert [(entry["context"], entry["creator"]["login"]) for entry in said] == [("orch", BOT)]

    def red() -> None:
        run = lot.take(_RED)
        message = _waits(run, "AwaitingHuman")
        assert "the merge queue gave it back (failed_checks): its checks failed there" in message
        assert "(tests)" in message, "what failed is named, though our head is green"
        assert "Merge when ready" in message
        for _ in range(3):
            desk.looked("issueruns", run.name)
        assert events(run) == ["added_to_merge_queue", "removed_from_merge_queue"], "it does not loop"
        assert run.status["pullRequest"]["queue"]["removals"] == 1
        assert run.pulls()[0]["state"] == "open"

    def slow() -> None:
        run = lot.take(_SLOW)
        run.until(lambda status: status.get("pullRequest"))
        queues.say(run, run.pulls()[0]["head"]["sha"])
        assert "is number 1 in the merge queue of main" in _waits_for_place(run)
        desk.patch("issueruns", run.name, {"spec": {"suspend": True}})
        run.waits_for("Suspended")
        desk.until(lambda: events(run)[-1] == "removed_from_merge_queue", poke=("issueruns", run.name))
        assert run.pulls()[0]["state"] == "open"
        desk.patch("issueruns", run.name, {"spec": {"suspend": False}})
        _waits_for_place(run)
        assert events(run) == ["added_to_merge_queue", "removed_from_merge_queue", "added_to_merge_queue"]
        queues.say(run, run.desk.until(lambda: queues.find_group(run)) or "")
        run.ends()
        assert run.condition("Succeeded")["reason"] == "Merged", run.status
        assert run.status["pullRequest"]["queue"]["removals"] == 0

    together(green, red, slow)


def _waits(run: Run, reason: str) -> str:
    status = run.waits_for(reason)
    return str(next(entry["message"] for entry in status["conditions"] if entry["type"] == "Waiting"))


def _waits_for_place(run: Run) -> str:
    """The message, once it has a place in the queue."""

    def look() -> str | None:
        message = str(run.condition("Waiting").get("message", ""))
        return message if "in the merge queue of" in message else None

    found = run.desk.until(look, poke=("issueruns", run.name), what=lambda: run.status)
    assert found is not None
    return found
