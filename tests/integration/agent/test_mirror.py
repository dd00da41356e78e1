"""From our mirror into a work step and back: the bundles of both sides fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.agent.conftest import Bench
from tests.integration.agent.test_change import FIX
from tests.integration.agent.world import CALC, a_step, gateway, run_step
from tests.integration.mirror.conftest import Work, git, person, remote, server

from orch.adapters.git import MirrorGit
from orch.ports import Remote

__all__ = ["git", "person", "remote", "server"]


async def test_round_trip(
    bench: Bench, git: MirrorGit, person: Work, remote: Remote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = person.commit(dict(CALC.items()))
    person.push()
    assert await git.fetch(remote, "main") == base
    sent = await git.bundle(remote, [base])
    with gateway(tmp_path, FIX) as world:
        digest = world.put(sent.read_bytes())
        step = a_step(world, bench.repository, bundle=digest, base_sha=base, head_sha=base)
        report = run_step(world, step, tmp_path, capsys).report
        assert report.change is not None, report.message
        sent.with_name("back").write_bytes(world.artifacts[report.change.bundle])
    await git.import_bundle(remote, sent.with_name("back"), sha=report.change.sha)
    diff = await git.diff(remote, base=base, sha=report.change.sha)
    assert [(change.path, change.status) for change in diff.changes] == [("calc.py", "M")]
