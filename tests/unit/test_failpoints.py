"""Every act that orch does to the world has its places to die, and nothing else dies."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orch
from orch.failpoints import ACTS, VARIABLE, Moment, failpoint, parse, points

PACKAGE = Path(orch.__file__).parent
DOORS = {
    "adapters/github/forge.py": ("adapters/github/rest.py", "adapters/github/line.py"),
    "kube/client.py": ("kube/client.py",),
}
"""The modules that hit the failpoints of acts which another module names. Elsewhere both are one."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        if name != "failpoints.py" and not name.startswith("testservers/"):
            yield name, ast.parse(path.read_text())


def _named(tree: ast.Module) -> set[str]:
    """The acts that a module names: first arguments of `failpoint`, `hit_when_sent`, `Rest.write` and of what the forge wraps
    around it and `mutate`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    acting = [
        call
        for call in calls
        if (isinstance(call.func, ast.Name) and call.func.id in ("failpoint", "hit_when_sent"))
        or ast.unparse(call.func) in ("self._rest.write", "self._write", "self._mutate")
    ]
    return {call.args[0].value for call in acting if isinstance(call.args[0], ast.Constant)}


def _moments(modules: tuple[str, ...]) -> set[Moment]:
    """The moments at which modules call `failpoint`, or what passes on to it."""
    text = "".join((PACKAGE / name).read_text() for name in modules)
    named = {moment for moment in Moment if f", Moment.{moment.name})" in text}
    return named | {Moment.SENT} if "hit_when_sent(" in text else named


def test_each_act_is_named_in_the_module_that_the_registry_says_and_in_no_other() -> None:
    found = {(act, name) for name, tree in _modules() for act in _named(tree)}
    # what is asked of the API server is named by its verb and resource, at the one door
    assert found == {(name, act.where) for name, act in ACTS.items() if act.where != "kube/client.py"}


@pytest.mark.parametrize("name", ACTS)
def test_each_act_can_be_cut_at_each_of_its_moments(name: str) -> None:
    act = ACTS[name]
    doors = DOORS.get(act.where, (act.where,))
    assert set(act.moments) <= _moments(doors)


def test_the_variable_names_places_and_hits() -> None:
    assert parse("push@before,merge@sent:2,") == {"push@before": 1, "merge@sent": 2}
    assert set(parse(",".join(points()))) == set(points())


def test_the_variable_names_occasions_and_what_was_tried() -> None:
    assert parse("push@before#Review moves:2") == {"push@before#Review moves": 2}
    assert parse("!push@before#Checks,merge@sent") == {"push@before#Checks": 0, "merge@sent": 0}
    assert parse("!") == {}


@pytest.mark.parametrize(
    "text", ["push", "push@never", "x@before", "push@before:0", "push@before:x", "x@before#Checks", "!push@before:2"]
)
def test_a_place_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"{VARIABLE}: '{text.removeprefix('!')}'"):
        parse(text)


def _hits(armed: str, *acts: str) -> subprocess.CompletedProcess[str]:
    calls = (f"failpoint({act!r}, Moment.SENT); print({act!r})\n" for act in acts)
    return _run(armed, "from orch.failpoints import *\n" + "".join(calls))


def _run(armed: str, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-u", "-c", program],
        env={**os.environ, VARIABLE: armed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_process_dies_at_the_hit_that_was_asked_for() -> None:
    done = _hits("push@sent:2,push@before", "push", "merge", "push", "push")
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["push", "merge"]
    assert done.stderr == "failpoint: push@sent\n"


ON_OCCASIONS = """
from orch.failpoints import *
failpoint("push", Moment.SENT); print("no occasion")
for stage in ("Implement", "Checks", "Implement"):
    with occasion(lambda: stage):
        failpoint("sweep", Moment.SENT); print("sweep")
        failpoint("push", Moment.SENT); print(stage)
"""


@pytest.mark.parametrize(
    ("armed", "said", "died"),
    [
        pytest.param("push@sent#Checks", ["no occasion", "Implement"], "push@sent#Checks", id="on one occasion"),
        pytest.param(
            "push@sent#Implement:2", ["no occasion", "Implement", "Checks"], "push@sent#Implement", id="twice"
        ),
        pytest.param("push@sent:3", ["no occasion", "Implement"], "push@sent", id="on whichever"),
        pytest.param("!sweep@sent", [], "push@sent#", id="anywhere but there"),
        pytest.param("!sweep@sent,push@sent#", ["no occasion"], "push@sent#Implement", id="each occasion is another"),
        pytest.param("!push@sent", ["no occasion"], "sweep@sent", id="an act of which all are alike"),
        pytest.param(
            "!push@sent,sweep@sent", ["no occasion", "Implement", "Checks", "Implement"], "", id="nowhere left"
        ),
    ],
)
def test_an_act_is_told_apart_by_its_occasion(armed: str, said: list[str], died: str) -> None:
    done = _run(armed, ON_OCCASIONS)
    assert [word for word in done.stdout.splitlines() if word != "sweep"] == said
    assert done.stderr == (f"failpoint: {died}\n" if died else "")


def test_an_act_that_is_not_in_the_registry_is_told_at_once() -> None:
    done = _hits("push@before", "sing")
    assert done.returncode == -signal.SIGKILL
    assert "sing@sent is not named in orch.failpoints" in done.stderr


def test_nothing_happens_unless_it_was_asked_for() -> None:
    for name, act in ACTS.items():
        for moment in act.moments:
            failpoint(name, moment)
    done = _hits("", "push", "sing")
    assert (done.returncode, done.stderr) == (0, "")
