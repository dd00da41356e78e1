"""The fakes are what they stand for: every method of the Protocol, with the same parameters."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.acts import FakeClock
from tests.fakes.cluster import FakeRecords, FakeSlots
from tests.fakes.forge import FakeForge
from tests.fakes.git import FakeGit
from tests.fakes.work import FakeArtifacts, FakeMeter, FakeRunner

from orch.ports import Artifacts, Clock, Forge, Git, Meter, WorkRunner
from orch.stages.contract import Records, Slots


@pytest.mark.parametrize(
    ("fake", "protocol"),
    [
        (FakeForge, Forge),
        (FakeGit, Git),
        (FakeRunner, WorkRunner),
        (FakeArtifacts, Artifacts),
        (FakeMeter, Meter),
        (FakeRecords, Records),
        (FakeSlots, Slots),
        (FakeClock, Clock),
    ],
)
def test_a_fake_is_what_it_stands_for(fake: type, protocol: type) -> None:
    for name, promised in _methods(protocol).items():
        assert _shape(_methods(fake)[name]) == _shape(promised), name


def _methods(cls: type) -> dict[str, Any]:
    own = {name for name in vars(cls) if not name.startswith("_") or name == "__call__"}
    return {name: inspect.getattr_static(cls, name) for name in own if _is_asked(inspect.getattr_static(cls, name))}


def _is_asked(member: object) -> bool:
    return inspect.isfunction(member) or isinstance(member, property)


def _shape(member: property | Callable[..., object]) -> object:
    if isinstance(member, property):
        return "property"
    signature = inspect.signature(member)
    parameters = [(one.name, one.kind, one.annotation) for one in signature.parameters.values()]
    return parameters, signature.return_annotation, inspect.iscoroutinefunction(member)
