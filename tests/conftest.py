"""What all tests share: imports from the repository's root, a clean environment, an order that keeps all cores busy."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpcore2
import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from hack.world.nursery import Nursery

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # `hack` and `tests` are not installed
from tests.gitenv import SETTINGS  # noqa: E402

pytest_plugins = ["tests.memory", "tests.skips"]

# No test may reach what a person's shell points to, nor depend on how a person set git up.
for _name in ("GITHUB_TOKEN", "GH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "KUBECONFIG"):
    os.environ.pop(_name, None)
os.environ |= {**SETTINGS, "NO_PROXY": "*", "no_proxy": "*"}
os.environ["GOGC"] = "off"  # of kubectl, which is over before its garbage matters

# Every HTTP client reads the machine's certificates when it is made, be it for a stand-in on loopback: once will do.
httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)

# A slow machine is no fault of the code; examples that once failed are kept in .hypothesis.
hypothesis.settings.register_profile("orch", deadline=None)
hypothesis.settings.load_profile("orch")

_WORLDS = ("e2e", "chaos")
_LONGEST = (
    "chaos/test_crash_matrix",
    "e2e/test_limits",
    "chaos/test_soak",
    "e2e/test_people",
    "e2e/test_approvals",
    "e2e/test_demo",
)
"""Worlds of more than a minute, the longest first: none of them shall be what a run waits for at its end."""
_TOGETHER = (
    "e2e/",
    "chaos/",
    "integration/admission/",
    "integration/approvals/test_any_sequence",
    "integration/approvals/test_witness",
    "integration/bench/",
    "integration/cli/test_doctor",
    "integration/cli/test_enforced",
    "integration/cli/test_groups",
    "integration/test_plugin",
    "integration/testservers/github/weather/",
    "integration/testservers/model/",
)
_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, without their whole parts, are spread evenly between 0 and 1, however many they are."""


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What starts programs of orch for this worker's tests."""
    from hack.world.nursery import (
        Nursery,
    )  # with what worlds are made of: most of orch, which a unit test can do without

    with Nursery() as opened:
        yield opened


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test in a world waits for other processes, so nothing but a hang is short of its time."""
    if _folder(item.path) in _WORLDS and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(900))


class Together(LoadScopeScheduling):
    """The tests of some modules share what takes a while to set up, a world or the policies of an installation say: one worker
    runs them all. Every other test goes to whoever is free.

    xdist's own groups do it by renaming tests, which pytest 9.2 does not let it do any more, without a word."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """xdist's hook (`--dist loadscope`)."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first: they say soonest what is wrong. Worlds are spread evenly among the integration tests, and what stands side
    by side among all the others: tests that wait for seconds are neighbours, and would have nobody beside them who computes."""
    scopes = {_scope(item.nodeid): _folder(item.path) for item in items}
    worlds = _spread(scope for scope, folder in scopes.items() if folder in _WORLDS)
    others = _spread(scope for scope, folder in scopes.items() if folder not in (*_WORLDS, "unit"))
    worlds.sort(key=_shortness)
    place = {scope: number / len(group) for group in (worlds, others) for number, scope in enumerate(group)}
    items.sort(key=lambda item: place.get(_scope(item.nodeid), -1.0))
    gc.freeze()  # thousands of tests: no collection needs to look at them all again


def _scope(nodeid: str) -> str:
    """What one worker runs in one go."""
    module = nodeid.partition("::")[0]
    return module if module.removeprefix("tests/").startswith(_TOGETHER) else nodeid


def _spread(scopes: Iterable[str]) -> list[str]:
    """In an order in which neighbours have many others between them."""
    listed = list(scopes)
    return [scope for _, scope in sorted((number * _GOLDEN % 1, scope) for number, scope in enumerate(listed))]


def _shortness(scope: str) -> int:
    module = scope.removeprefix("tests/").removesuffix(".py")
    return _LONGEST.index(module) if module in _LONGEST else len(_LONGEST)


def _folder(file: Path) -> str:
    return file.relative_to(ROOT / "tests").parts[0]
