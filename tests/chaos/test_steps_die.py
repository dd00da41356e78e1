"""Work steps die, at every place of every act of theirs and in the middle of a model's answer: another is started, no attempt is
consumed, and each call is in the book."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.chaos import effects, money, proof
from tests.chaos.attic import Attic
from tests.chaos.hunt import act_of, start
from tests.e2e.desk import Desk, Run, together
from tests.e2e.lots import Lot, make, read_script, script

from orch.adapters.runners.processes import Process
from orch.failpoints import ACTS, STEPS_VARIABLE, points

_STAGES = ("Analyse", "Plan", "Implement")
_HELD = 60
"""Seconds that the model takes for the answer during which the step dies. The step that takes its place is quick, so the run
would be over before the call is."""
_MOST = 5
"""Steps of a run that may vanish: see `orch.stages.work`."""


def test_steps_die(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    deaths = [death for place in _places() for death in _deaths(place)]
    groups = [deaths[first : first + _MOST] for first in range(0, len(deaths), _MOST)]
    load = make(tmp_path / "load", repositories=1, issues=len(_STAGES) + len(groups))
    for issue, stage in zip(load.issues, _STAGES, strict=False):
        first, *rest = read_script(load, issue.title)[stage]
        script(load, issue.title, {}, first={stage: [{**first, "delay": _HELD}, *rest]})
    desk = open_desk(load.seed, [load.script])
    desk.watch("crash", load.repositories[0], **load.spec)
    lot = Lot(desk, load, {load.repositories[0]: "crash"})
    desk.world.processes["operator"].kill()
    struck = [lot.take() for _ in _STAGES]
    armed = [(lot.take(), group) for group in groups]
    start(desk, "operator", **{STEPS_VARIABLE: ",".join(place for run, group in armed for place in _armed(run, group))})
    together(
        *(_dies_in_a_call(run, stage) for run, stage in zip(struck, _STAGES, strict=True)),
        *(_dies_by_itself(run, [stage for stage, _ in group]) for run, group in armed),
    )
    runs = [*struck, *(run for run, _ in armed)]
    effects.each_once(desk, runs)
    proof.told_once(Attic(desk), runs)
    money.is_right(desk, runs)


def _places() -> list[str]:
    """Where a step can be told to die."""
    return [place for place in points() if ACTS[act_of(place)].where.startswith("agent/")]


def _deaths(place: str) -> list[tuple[str, str]]:
    """The stage of the steps that die at a place, and at which hit of it."""
    if act_of(place) == "hand-in":
        return [("implement", f"{place}#{{step}}:{hit}") for hit in (1, 2, 3)]
    return [("analyse" if act_of(place) == "ask-model" else "plan", f"{place}#{{step}}")]


def _armed(run: Run, group: Sequence[tuple[str, str]]) -> list[str]:
    """The places by the names of the steps that are to die there: the first of its stage, the second, …"""
    numbers, places = Counter[str](), list[str]()
    for stage, place in group:
        numbers[stage] += 1
        places.append(place.format(step=f"{run.name}-{stage}-{numbers[stage]}"))
    return places


def _dies_by_itself(run: Run, stages: Sequence[str]) -> Callable[[], None]:
    """One step after another dies where it was told to."""

    def steps_die() -> None:
        _merged_all_the_same(run, Counter(stages))

    steps_die.__name__ = run.name
    return steps_die


def _dies_in_a_call(run: Run, stage: str) -> Callable[[], None]:
    """The first step of a stage is killed, with its supervisor, while the model answers."""

    def a_step_dies() -> None:
        step = run.until(lambda status: _running(status, stage))
        run.desk.until(lambda: money.is_reserved(run.desk, step["name"]))
        run.desk.until(lambda: "prompt" in _transcript(run, step["name"]) or None)
        process = Process.parse(step["runnerUID"])
        assert process is not None
        process.kill(signal.SIGKILL)
        _merged_all_the_same(run, Counter([stage.lower()]))
        assert "prompt" in _transcript(run, step["name"]), "what the dead step did is still there"

    a_step_dies.__name__ = stage
    return a_step_dies


def _merged_all_the_same(run: Run, lost: Counter[str]) -> None:
    """So many steps of each stage were lost, one after them was not, and nothing else came of it."""
    status = run.ends()
    proof.merged_once(run)
    expected = [
        (f"{stage.lower()}-{number}", "Lost" if number <= lost[stage.lower()] else "Succeeded")
        for stage in _STAGES
        for number in range(1, lost[stage.lower()] + 2)
    ]
    assert [(entry["name"].removeprefix(f"{run.name}-"), entry["state"]) for entry in status["steps"]] == expected
    proof.no_attempt_consumed(run)


def _transcript(run: Run, step: str) -> str:
    """What a person reads of a step."""
    world = run.desk.world
    orch = [Path(sys.executable).with_name("kubectl-orch"), "transcript", run.name, step, "-n", run.desk.namespace]
    options = ["--kubeconfig", str(world.kubeconfig), "--gateway", world.gateway_url]
    return subprocess.run(
        [*orch, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    ).stdout


def _running(status: dict[str, Any], stage: str) -> dict[str, Any] | None:
    steps = [entry for entry in status.get("steps") or [] if f"-{stage.lower()}-1" in entry["name"]]
    return steps[0] if steps and steps[0]["state"] == "Running" else None
