"""From labelled issues to IssueRuns on a real API server: who is taken, who is not and why, and what is asked again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.cluster import Cluster

from orch.api.v1alpha1 import (
    ConcurrencySpec,
    IssueRun,
    LocalRef,
    Mode,
    ObjectMeta,
    OrchestratedRepo,
    OrchestratedRepoSpec,
    RefusedIssue,
)
from orch.errors import NeedsHuman, OrchError
from orch.kube.client import Kube, connect
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.ports import Issue, LabelEvent, Permission
from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.intake import Intake
from orch.reconcilers.projections import by_repo, project_run
from orch.runtime.source import Source

T0 = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Host:
    """Issues, their labellings and people's permissions."""

    issues: list[Issue] = field(default_factory=list)
    events: dict[int, list[LabelEvent]] = field(default_factory=dict)
    permissions: dict[str, Permission] = field(default_factory=dict)
    hurries: bool = False

    def hurry(self) -> None:
        self.hurries = True

    def label(self, number: int, *labels: str, by: str = "alice", mark: str = "1") -> None:
        self.issues = [issue for issue in self.issues if issue.number != number]
        self.issues.append(Issue(number, "t", "b", "eve", "open", frozenset(labels), "u"))
        self.events[number] = [LabelEvent(f"{number}-{mark}", by, label, True, T0) for label in labels]

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        return [issue for issue in self.issues if issue.labels & set(labels)]

    async def label_events(self, number: int) -> list[LabelEvent]:
        return self.events[number]

    async def permission(self, login: str) -> Permission:
        return self.permissions.get(login, Permission.NONE)


class Desk:
    """An Intake over the runs of one namespace, and how often it has listed them."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.runs = Store(kube, IssueRun)
        self.source = Source(Resource.of(IssueRun), project_run, indexes={BY_REPO: by_repo})
        self.now = datetime.now(UTC)
        self.lists: list[str] = []
        self.host = Host(permissions={"alice": Permission.WRITE, "bob": Permission.TRIAGE})
        self.uid: str | None = None
        self.doubt: OrchError | None = None
        self.repo = self.a_repo(namespace)
        self.intake = Intake(self.runs, RunIndex(self.source.cache), lambda: self.now, lambda _event, _fields: None)
        asked = self.runs.objects.pages

        def pages(*arguments: Any, **options: Any) -> Any:
            self.lists.append(options["labels"])
            return asked(*arguments, **options)

        self.runs.objects.pages = pages  # type: ignore[method-assign]

    def a_repo(self, namespace: str, **concurrency: int) -> OrchestratedRepo:
        spec = OrchestratedRepoSpec(
            repository="acme/web", credentials_ref=LocalRef(name="s"), concurrency=ConcurrencySpec(**concurrency)
        )
        meta = ObjectMeta(name="web", namespace=namespace, uid=self.uid, generation=1)
        return OrchestratedRepo(metadata=meta, spec=spec)

    async def take(self) -> list[RefusedIssue]:
        async def verify() -> None:
            if self.doubt is not None:
                raise self.doubt

        return await self.intake.take(self.repo, self.host, verify)  # type: ignore[arg-type]

    async def names(self) -> list[str]:
        return sorted(run.metadata.name for run in await self.runs.list(self.repo.metadata.namespace))

    async def end(self, name: str, **status: Any) -> None:
        """The run is over, and its trigger's labelling used up."""
        run = await self.runs.get(self.repo.metadata.namespace or "", name)
        before = run.deep_copy()
        run.status.completion_time = self.now
        await self.runs.write_status(run, before)


@pytest.fixture
async def desk(control_plane: Cluster, namespace: str) -> AsyncIterator[Desk]:
    async with await connect(control_plane.kubeconfig) as kube:
        desk = Desk(kube, namespace)
        # what has an owner that is not there is garbage
        desk.repo = await Store(kube, OrchestratedRepo).create(desk.repo)
        desk.uid = desk.repo.metadata.uid
        yield desk


async def test_a_trusted_label_makes_one_run(desk: Desk) -> None:
    desk.host.label(7, "orch")
    assert await desk.take() == []
    assert await desk.take() == []
    assert await desk.names() == ["web-7-1"]


async def test_nothing_starts_in_a_repository_that_has_become_another(desk: Desk) -> None:
    """It is looked at once more before something is started, not at each poll; a stranger's label is no reason to look."""
    desk.doubt = NeedsHuman("RepositoryChanged", "another repository has taken the name")
    desk.host.label(1, "orch", by="bob")
    assert [answer.reason for answer in await desk.take()] == ["ActorNotTrusted"]
    desk.host.label(2, "orch")
    with pytest.raises(NeedsHuman):
        await desk.take()
    assert await desk.names() == []


async def test_each_refusal_says_why(desk: Desk) -> None:
    desk.host.label(1, "orch", by="bob")
    desk.host.label(2, "orch", "wontfix")
    desk.host.label(3, "orch")
    await desk.take()
    await desk.end("web-3-1")
    refused = await desk.take()
    assert [(answer.issue_number, answer.reason) for answer in refused] == [
        (1, "ActorNotTrusted"),
        (2, "LabelExcludes"),
        (3, "AlreadyTried"),
    ]
    assert "bob" in refused[0].message
    assert "wontfix" in refused[1].message
    assert "web-3-1" in refused[2].message


async def test_a_new_labelling_is_a_new_attempt_until_the_issue_has_had_enough(desk: Desk) -> None:
    for attempt in (1, 2):
        desk.host.label(7, "orch", mark=str(attempt))
        assert await desk.take() == []
        await desk.end(f"web-7-{attempt}")
    desk.host.label(7, "orch", mark="3")
    assert [answer.reason for answer in await desk.take()] == ["TooManyRuns"]
    assert await desk.names() == ["web-7-1", "web-7-2"]


async def test_the_cap_of_a_day_holds_within_one_look_and_over_several(desk: Desk) -> None:
    desk.repo = desk.a_repo(desk.repo.metadata.namespace or "", max_runs_per_day=3)
    for number in range(1, 6):
        desk.host.label(number, "orch")
    first = await desk.take()
    assert [(answer.issue_number, answer.reason) for answer in first] == [(4, "DayIsFull"), (5, "DayIsFull")]
    assert await desk.names() == ["web-1-1", "web-2-1", "web-3-1"]
    assert [answer.issue_number for answer in await desk.take()] == [4, 5]
    desk.now += timedelta(days=1, minutes=1)
    await desk.end("web-1-1")
    assert [answer.issue_number for answer in await desk.take()] == [1]
    assert "web-4-1" in await desk.names()


async def test_what_is_settled_is_not_looked_up_again_until_something_may_have_changed(desk: Desk) -> None:
    desk.host.label(7, "orch")
    await desk.take()
    assert desk.host.hurries, "somebody waits for a sign"
    await desk.end("web-7-1")
    await desk.take()
    desk.lists.clear()
    desk.host.hurries = False
    assert [answer.reason for answer in await desk.take()] == ["AlreadyTried"]
    assert desk.lists == [], "the answer is remembered"
    assert not desk.host.hurries
    desk.now += timedelta(minutes=11)
    await desk.take()
    assert len(desk.lists) == 1, "the run may have been deleted meanwhile"
    desk.lists.clear()
    desk.repo.metadata.generation = 2
    await desk.take()
    assert len(desk.lists) == 1, "the policy is another one"


async def test_mode_manual_takes_nothing(desk: Desk) -> None:
    desk.host.label(7, "orch")
    desk.repo = desk.repo.model_copy(update={"spec": desk.repo.spec.model_copy(update={"mode": Mode.MANUAL})})
    assert await desk.take() == []
    assert await desk.names() == []
