"""The world moves while a run is on its way: the money, the plan, a person's mind. Each run still ends merged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hack.projects.prepare import commit_all
from tests.e2e.desk import Desk, Run, together
from tests.e2e.lots import Lot, make, read_script, script

_POOR, _UNTESTED = 1, 2
_ISSUES = 3


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """A repository with hardly any money, and one without tests."""
    folder = tmp_path_factory.mktemp("moving") / "load"
    load = make(folder, repositories=2, issues=_ISSUES)
    poor, untested = load.repositories
    _remove_tests(folder / untested.rpartition("/")[2])
    load.seed["repos"][_UNTESTED - 1]["checks"] = [{"name": "tests", "command": "true"}]
    plain, wrong_plan = (issue.title for issue in load.issues[_ISSUES : _ISSUES + 2])
    for title in (plain, wrong_plan):
        _write_no_test(load, title)
    replan = {"tools": [{"name": "replan", "input": {"reason": "the fee is computed elsewhere"}}]}
    script(load, wrong_plan, {}, first={"Implement": [replan]})
    desk = open_desk(load.seed, [load.script])
    desk.watch("poor", poor, **{**load.spec, "budget": {"perRunUSD": "0.001"}})
    desk.watch("untested", untested, **{**load.spec, "pipeline": {}})
    return Lot(desk, load, {poor: "poor", untested: "untested"})


def test_it_goes_on_and_merges(lot: Lot) -> None:
    desk = lot.desk

    def the_money_is_out_and_comes_back() -> None:
        run = lot.take(_POOR)
        status = run.waits_for("BudgetExhausted")
        assert "perRunUSD" in run.condition("Waiting")["message"]
        assert run.pulls() == []
        steps = len(status["steps"])
        desk.patch("orchestratedrepos", "poor", {"spec": {"suspend": True}})
        run.waits_for("Suspended")
        desk.patch("orchestratedrepos", "poor", {"spec": {"budget": {"perRunUSD": "5"}}})
        desk.looked("issueruns", run.name)
        assert len(run.status["steps"]) == steps
        desk.patch("orchestratedrepos", "poor", {"spec": {"suspend": None}})
        _merged(run)

    def there_are_no_tests() -> None:
        run = lot.take(_UNTESTED)
        _merged(run)
        tested = run.condition("Tested")
        assert (tested["status"], tested["reason"]) == ("False", "NoTests")
        assert "spec.pipeline.test" in tested["message"]
        assert "no tests" in run.pulls()[0]["body"]

    def the_plan_proves_wrong() -> None:
        run = lot.desk.start("untested", *_second(lot))
        status = _merged(run)
        reasons = {step["name"].removeprefix(f"{run.name}-"): step["reason"] for step in status["steps"]}
        assert reasons == {
            "analyse-1": "Done",
            "plan-1": "Done",
            "implement-1": "ReplanNeeded",
            "plan-2": "Done",
            "implement-2": "Done",
        }

    together(
        the_money_is_out_and_comes_back,
        there_are_no_tests,
        the_plan_proves_wrong,
    )


def _second(lot: Lot) -> tuple[str, str, str]:
    issue = lot.load.issues[_ISSUES + 1]
    return issue.repository, issue.title, issue.body


def _merged(run: Run) -> dict[str, Any]:
    status = run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", status
    assert len(run.merges()) == 1
    assert len(run.pulls()) == 1
    return status


def _remove_tests(folder: Path) -> None:
    for path in (folder / "tests").iterdir():
        path.unlink()
    commit_all(folder, "No tests")


def _write_no_test(load: Any, title: str) -> None:
    look, writing, said = read_script(load, title)["Implement"]
    module = [tool for tool in writing["tools"] if not tool["input"]["path"].startswith("tests/")]
    script(load, title, {"Implement": [look, {"tools": module}, said]})
