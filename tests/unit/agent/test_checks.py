"""When a step is green."""

from __future__ import annotations

import pytest

from orch.agent.checks import Check, find_red, join
from orch.agent.commands import OUT_OF_TIME

GREEN = Check("pytest", 0, "")


def red(*names: str) -> Check:
    return Check("pytest", 1, "", failing=names)


NAMELESS = Check("make test", 2, "", failing=("make test",))


@pytest.mark.parametrize(
    ("before", "after", "excused", "expected"),
    [
        pytest.param(GREEN, GREEN, [], None, id="all green"),
        pytest.param(GREEN, red("a"), [], ("a",), id="a new failure"),
        pytest.param(GREEN, red("a"), ["a"], ("a",), id="what passed before cannot be excused"),
        pytest.param(red("a"), GREEN, [], None, id="mended"),
        pytest.param(red("a"), red("a"), [], ("a",), id="not mended"),
        pytest.param(red("a"), red("a"), ["a"], None, id="excused by name"),
        pytest.param(red("a", "b"), red("a", "b", "c"), ["*"], ("c",), id="excused by pattern, but one is new"),
        pytest.param(red("t::x[1]"), red("t::x[1]"), ["t::x[1]"], None, id="a name with brackets is no pattern"),
        pytest.param(NAMELESS, NAMELESS, [], ("make test",), id="a runner without names"),
        pytest.param(NAMELESS, NAMELESS, ["make test"], None, id="excused as a whole"),
    ],
)
def test_green_or_red(before: Check, after: Check, excused: list[str], expected: tuple[str, ...] | None) -> None:
    found = find_red([before], [after], excused)
    assert [one.names for one in found] == ([expected] if expected else [])


def counted(*names: str) -> Check:
    """A run whose runner names each test that failed."""
    return Check("pytest", 1, "", 3, len(names), names)


ENDLESS = Check("pytest", OUT_OF_TIME, "", failing=("pytest",))


@pytest.mark.parametrize(
    ("first", "again", "failing", "flaky"),
    [
        pytest.param(counted("a"), GREEN, (), ("a",), id="green the second time"),
        pytest.param(counted("a"), counted("a"), ("a",), (), id="red twice"),
        pytest.param(counted("a", "b"), counted("b", "c"), ("b",), ("a", "c"), id="one is red, two are flaky"),
        pytest.param(NAMELESS, GREEN, (), ("make test",), id="a runner without names"),
        pytest.param(NAMELESS, NAMELESS, ("make test",), (), id="red twice without names"),
        pytest.param(counted("a"), NAMELESS, ("a",), (), id="one crashed: they cannot be compared"),
        pytest.param(counted("a"), ENDLESS, ("a",), (), id="the second did not end"),
    ],
)
def test_two_runs_on_one_tree(first: Check, again: Check, failing: tuple[str, ...], flaky: tuple[str, ...]) -> None:
    joined = join(first, again)
    assert (joined.failing, joined.flaky) == (failing, flaky)
    assert bool(find_red([GREEN], [joined], [])) is bool(failing)


def test_a_report_holds_fifty_names_and_the_end_of_the_output() -> None:
    report = Check("pytest", 1, "x" * 9_000 + "end", 1, 60, tuple(str(n) for n in range(60))).as_report()
    assert (len(report.failing), report.failed) == (50, 60)
    assert len(report.tail) == 8_000
    assert report.tail.endswith("end")
