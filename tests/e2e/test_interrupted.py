"""A check that was cut short by its machine runs again, and is neither mended nor waited for without end."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.desk import BOT, Desk, Run, together
from tests.e2e.lots import Lot, make

_ONCE, _ALWAYS, _BARRED = 1, 2, 3
_APP = {
    "login": BOT,
    "value": "ghs_without_actions",
    "kind": "app",
    "permissions": {"contents": "write", "issues": "write", "pull_requests": "write", "checks": "read"}
    | {"statuses": "write", "metadata": "read", "actions": "read"},
}


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """Repositories whose checks are cancelled once, more often than orch tries, and once where the token may not have them
    run again."""
    load = make(tmp_path_factory.mktemp("interrupted") / "load", repositories=3, issues=1)
    for repository, ends in ((_ONCE, ["cancelled"]), (_ALWAYS, ["cancelled"] * 3), (_BARRED, ["startup_failure"])):
        load.seed["repos"][repository - 1]["checks"][0]["interruptions"] = ends
    desk = open_desk(load.seed, [load.script])
    once, always, barred = load.repositories
    desk.watch("once", once, **load.spec)
    desk.watch("always", always, **load.spec)
    desk.control("POST", "/tokens", **_APP)
    desk.world.repository(desk.namespace, "barred", barred, token=str(_APP["value"]), interval="10s", **load.spec)
    return Lot(desk, load, {once: "once", always: "always", barred: "barred"})


def test_what_was_interrupted_runs_again(lot: Lot) -> None:
    def once() -> None:
        run = lot.take(_ONCE)
        _merged(run)
        assert _orders(run) == [201]

    def always() -> None:
        run = lot.take(_ALWAYS)
        run.waits_for("AwaitingHuman")
        assert _said(run) == (
            "check 'tests' ended as cancelled once more, after 2 re-runs: find out why, then run it again on GitHub"
        )
        passed = run.condition("ChecksPassed")
        assert (passed["status"], passed["reason"]) == ("False", "ChecksInterrupted")
        assert run.statuses()[-1]["description"].startswith("needs a person: check 'tests' ended as cancelled")
        assert _orders(run) == [201, 201]
        _run_again(run)
        _merged(run)

    def barred() -> None:
        run = lot.take(_BARRED)
        run.waits_for("AwaitingHuman")
        assert "Actions (write)" in _said(run)
        assert _orders(run) == [403]
        _run_again(run)
        _merged(run)

    together(once, always, barred)


def _said(run: Run) -> str:
    return str(run.condition("Waiting")["message"])


def _run_again(run: Run) -> None:
    """A person presses the button."""
    head = run.pulls()[0]["head"]["sha"]
    found: dict[str, Any] = run.desk.maintainer.ask("GET", f"/repos/{run.repository}/commits/{head}/check-runs")
    (check,) = found["check_runs"]
    run.desk.maintainer.ask("POST", f"/repos/{run.repository}/actions/jobs/{check['id']}/rerun")


def _orders(run: Run) -> list[int]:
    """What GitHub answered when orch wanted a job to run again."""
    path = f"^/repos/{run.repository}/actions/jobs/[0-9]+/rerun$"
    return [entry["status"] for entry in run.desk.journal(method="POST", path=path, account=BOT)]


def _merged(run: Run) -> None:
    """The only change is the first one: no attempt was spent on a check that said nothing."""
    status = run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", status
    assert {name: count for name, count in status["attempts"].items() if count} == {"implement": 1}
    assert len(run.pushes()) == 1
