"""What runs refer to is kept in the gateway's store while they are unfinished: a real API server and a real gateway."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import a_report, a_run, a_step
from tests.cluster import Cluster

from orch.adapters.artifacts import GatewayArtifacts
from orch.adapters.meter import operator_token
from orch.api.v1alpha1 import IssueRun, IssueStatus, ObjectMeta, PlanStatus
from orch.api.work import IssueText, ModelChoice, StepInput, StepStage, encode
from orch.errors import OrchError, Transient
from orch.gateway.server import running
from orch.gateway.settings import GatewaySettings
from orch.kube.client import Kube, connect
from orch.kube.store import Store
from orch.reconcilers.projections import TERMINAL_LABEL
from orch.reconcilers.upkeep import Upkeep

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
async def kube(control_plane: Cluster) -> AsyncIterator[Kube]:
    async with await connect(control_plane.kubeconfig) as connection:
        yield connection


@dataclass
class Shelf:
    """The gateway's store and what is in it."""

    artifacts: Any
    folder: Path

    async def put(self, word: str) -> str:
        """Stored long ago."""
        return self.age(await self.artifacts.put(word.encode()))

    def age(self, digest: str) -> str:
        os.utime(self.path(digest), (1, 1))
        return digest

    def path(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self.folder / name[:2] / name


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    (tmp_path / "ticket.key").write_bytes(KEY)
    with tempfile.TemporaryDirectory(prefix="orch-") as short:  # a socket's path has at most 107 bytes
        settings = GatewaySettings(
            data_dir=tmp_path / "gateway",
            ticket_key_file=tmp_path / "ticket.key",
            upstream_key_file=tmp_path / "none",
            unix_socket=Path(short) / "gateway.sock",
            listen_port=0,
        )
        async with running(settings) as url:
            artifacts = GatewayArtifacts(url, operator_token(KEY))
            yield Shelf(artifacts, settings.data_dir / "artifacts")
            await artifacts.close()


async def a_run_that_waits(kube: Kube, namespace: str, shelf: Shelf, name: str, **meta: Any) -> dict[str, str]:
    """An IssueRun whose status refers to artifacts that were stored long ago; what they are, by their digests."""
    kept = {
        word: await shelf.put(f"{word} of {name}") for word in ("snapshot", "plan", "bundle", "change", "transcript")
    }
    given = StepInput(
        name=f"{name}-implement-1",
        identity="0" * 16,
        stage=StepStage.IMPLEMENT,
        issue=IssueText(number=7, title="x"),
        bundle=kept["bundle"],
        base_sha="1" * 40,
        head_sha="1" * 40,
        model=ModelChoice(name="m"),
    )
    report = a_report(given.name)
    assert report.change is not None
    change = replace(report.change, bundle=kept["change"])
    report = replace(report, transcript=kept["transcript"], change=change)
    kept["input"], kept["report"] = await shelf.put(encode(given).decode()), await shelf.put(encode(report).decode())
    made = a_run()
    made.metadata = ObjectMeta(name=name, namespace=namespace, **meta)
    stored = await Store(kube, IssueRun).create(made)
    wanted = stored.deep_copy()
    wanted.status.issue = IssueStatus(title="x", url="https://x", author="ann", content_digest=kept["snapshot"])
    wanted.status.plan = PlanStatus(digest=kept["plan"])
    wanted.status.steps = [a_step("implement-1", input_digest=kept["input"], output_digest=kept["report"])]
    await Store(kube, IssueRun).write_status(wanted, stored)
    return kept


async def test_what_an_unfinished_run_refers_to_outlives_the_retention(
    kube: Kube, namespace: str, shelf: Shelf
) -> None:
    waiting = await a_run_that_waits(kube, namespace, shelf, "web-7-1")
    ended = await a_run_that_waits(kube, namespace, shelf, "web-8-1", labels={TERMINAL_LABEL: "true"})
    nobodys = await shelf.put("of a run that was deleted")
    await Upkeep(kube, shelf.artifacts, [namespace]).round()
    assert {word: shelf.path(digest).exists() for word, digest in waiting.items()} == dict.fromkeys(waiting, True)
    assert {word: shelf.path(digest).exists() for word, digest in ended.items()} == dict.fromkeys(ended, False)
    assert not shelf.path(nobodys).exists()


async def test_what_is_lost_already_or_unreadable_stops_nothing(kube: Kube, namespace: str, shelf: Shelf) -> None:
    waiting = await a_run_that_waits(kube, namespace, shelf, "web-7-1")
    shelf.path(waiting["report"]).unlink()
    shelf.path(waiting["input"]).write_bytes(b"not what its digest says")
    shelf.age(waiting["input"])
    await Upkeep(kube, shelf.artifacts, [namespace]).round()
    assert shelf.path(waiting["snapshot"]).exists()
    assert not shelf.path(waiting["transcript"]).exists(), "nothing names it any more"


async def test_a_round_that_cannot_be_ended_removes_nothing(kube: Kube, namespace: str, shelf: Shelf) -> None:
    waiting = await a_run_that_waits(kube, namespace, shelf, "web-7-1")
    nobodys = await shelf.put("of a run that was deleted")

    async def broken(_digest: str) -> None:
        raise Transient("GatewayUnreachable", "it restarts")

    working, shelf.artifacts.touch = shelf.artifacts.touch, broken
    with pytest.raises(OrchError):
        await Upkeep(kube, shelf.artifacts, [namespace]).round()
    assert all(shelf.path(digest).exists() for digest in (*waiting.values(), nobodys))
    shelf.artifacts.touch = working
    await Upkeep(kube, shelf.artifacts, [namespace]).round()
    assert not shelf.path(nobodys).exists()
