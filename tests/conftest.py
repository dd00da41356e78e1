"""What all tests share: imports from the repository's root, a clean environment, an order that keeps all cores busy."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator
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
_TOGETHER = (
    "e2e/",
    "chaos/",
    "integration/admission/",
    "integration/approvals/test_any_sequence",
    "integration/approvals/test_witness",
    "integration/bench/",
    "integration/cli/test_enforced",
    "integration/test_plugin",
    "integration/testservers/github/weather/test_conformance",
)


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
    """The tests of some modules share what takes seconds to set up, a world or the policies of an installation say: one worker
    runs them all. Every other test goes to whoever is free.

    xdist's own groups do it by renaming tests, which pytest 9.2 does not let it do any more, without a word."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module.removeprefix("tests/").startswith(_TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """xdist's hook (`--dist loadscope`)."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first: they say soonest what is wrong. Worlds spend most of their time waiting, so they are spread evenly among the
    integration tests, which compute: no core is idle meanwhile."""
    files = list(dict.fromkeys(item.path for item in items))
    worlds = [file for file in files if _folder(file) in _WORLDS]
    others = [file for file in files if _folder(file) not in (*_WORLDS, "unit")]
    place = {file: number / len(group) for group in (worlds, others) for number, file in enumerate(group)}
    items.sort(key=lambda item: place.get(item.path, -1.0))
    gc.freeze()  # thousands of tests: no collection needs to look at them all again


def _folder(file: Path) -> str:
    return file.relative_to(ROOT / "tests").parts[0]
