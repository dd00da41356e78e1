"""A world that answers at once: what is left of a run's time and memory is the control loop's own.

Used by `program.py` in place of GitHub, git, the gateway and the runner. It is the tests' world in memory, for many
repositories and issues at a time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.fleet import HEAD, ISSUE_BODY, issue_title
from tests.builders import a_pull, a_report, an_analysis, digest
from tests.fakes.acts import Acts, there
from tests.fakes.forge import ORCH, FakeForge, FakeForges
from tests.fakes.git import FakeGit
from tests.fakes.work import FakeArtifacts, FakeMeter, FakeRunner

from orch.api.work import StepInput
from orch.main import Adapters
from orch.policy.identity import step_place
from orch.ports import (
    BranchRules,
    Check,
    Checks,
    CheckState,
    Comment,
    Issue,
    LabelEvent,
    Permission,
    Pull,
    Remote,
    RepositoryFacts,
    StepState,
    StepStatus,
)

_LABELLED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_COMMENTS = itertools.count(1)


class QuickForge(FakeForge):
    """One of many repositories. Every issue is there and open; `labelled` of them are found by the intake."""

    def __init__(self, number: int, repository: str, labelled: int) -> None:
        super().__init__(Acts(), {"main": HEAD})
        self._number, self._repository, self._labelled = number, repository, labelled
        self._comments: dict[int, list[Comment]] = {}

    async def repository(self) -> RepositoryFacts:
        facts = there(self.facts, "the repository")
        return replace(facts, id=self._number, node_id=f"R_{self._number}", full_name=self._repository)

    async def permission(self, login: str) -> Permission:
        return Permission.WRITE

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        return [self._issue(number) for number in range(1, self._labelled + 1)]

    async def label_events(self, number: int) -> list[LabelEvent]:
        return [LabelEvent(f"LE_{self._number}_{number}", "carol", "orch", added=True, time=_LABELLED)]

    async def get_issue(self, number: int) -> Issue:
        return self._issue(number)

    async def comments(self, number: int) -> list[Comment]:
        return list(self._comments.get(number, ()))

    async def create_comment(self, number: int, body: str) -> Comment:
        comment = Comment(next(_COMMENTS), ORCH, body, datetime.now(UTC))
        self._comments.setdefault(number, []).append(comment)
        return comment

    async def edit_comment(self, comment_id: int, body: str) -> None:
        """Nobody reads it."""

    async def get_pull(self, number: int) -> Pull:
        return a_pull(number=number, head_sha=HEAD)

    async def checks(self, sha: str) -> Checks:
        return Checks(sha, (Check("tests", CheckState.PENDING), Check("lint", CheckState.PASSED)))

    async def branch_rules(self, branch: str, *, again: bool = False) -> BranchRules:
        return BranchRules(required_checks=frozenset({"tests"}))

    def _issue(self, number: int) -> Issue:
        url = f"https://github.com/{self._repository}/issues/{number}"
        return Issue(number, issue_title(number), ISSUE_BODY, "author", "open", frozenset({"orch"}), url)


def quick_forges(labelled: Mapping[str, int]) -> FakeForges:
    """A forge for each repository `acme/r<n>`, the same for the whole life of the process."""

    @cache
    def forge(repository: str) -> QuickForge:
        number = int(repository.removeprefix("acme/r")) + 1
        return QuickForge(number, repository, labelled.get(repository, 0))

    return FakeForges(forge)


class QuickGit(FakeGit):
    """A mirror whose bundles are empty files: nothing reads them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Acts(), {"main": HEAD})
        self._bundles = (folder / f"bundle-{number}" for number in itertools.count())

    async def bundle(self, remote: Remote, shas: Sequence[str]) -> Path:
        return next(self._bundles)


class QuickRunner(FakeRunner):
    """Steps that do nothing. With `seconds` they end after that long and say that the issue asks for nothing."""

    def __init__(
        self, folder: Path, artifacts: FakeArtifacts, *, seconds: float | None, started: Callable[[str], None]
    ) -> None:
        super().__init__(Acts(), artifacts)
        self._folder, self._seconds, self._told = folder, seconds, started

    async def start(self, step: StepInput, *, input_digest: str, ticket: str, seconds: float) -> str:
        self._told(step.name)
        if self._seconds is not None:
            asyncio.get_running_loop().call_later(self._seconds, self._end, step_place(step.identity, step.name))
        return await super().start(step, input_digest=input_digest, ticket=ticket, seconds=seconds)

    async def observe(self, name: str, uid: str) -> StepStatus:
        if (self._folder / name / "result.json").exists():
            step = name.rpartition("-")[0]
            await self.report(a_report(step, analysis=an_analysis(actionable=False)))
            return self.ended[step]
        return StepStatus(StepState.RUNNING)

    def _end(self, name: str) -> None:
        """As the real runner's supervisor does it: a file that the operator looks for."""
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / name / "result.json").touch()


@dataclass(frozen=True)
class Wishes:
    """What a bench wants of the world."""

    step_seconds: float | None = None
    labelled: Mapping[str, int] | None = None
    """Repository → how many of its issues are labelled."""


def connect(data_dir: Path, snapshots: Sequence[bytes], wishes: Wishes, *, started: Callable[[str], None]) -> Adapters:
    """The adapters of a quick world. `snapshots`: the texts with which the fleet's runs were claimed."""
    artifacts = FakeArtifacts()
    artifacts.blobs.update({digest(snapshot): snapshot for snapshot in snapshots})
    return Adapters(
        forges=quick_forges(wishes.labelled or {}),
        git=QuickGit(data_dir),
        runner=QuickRunner(data_dir / "steps", artifacts, seconds=wishes.step_seconds, started=started),
        artifacts=artifacts,
        meter=FakeMeter(),
    )
