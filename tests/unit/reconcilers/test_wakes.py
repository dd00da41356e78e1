"""Which objects a change of another one concerns."""

from typing import Any

import pytest

from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.projections import (
    ApprovalProjection,
    RepoProjection,
    RunProjection,
    by_repo,
    project_approval,
    project_repo,
    project_run,
)
from orch.reconcilers.wakes import run_of_approval, runs_of_repo
from orch.runtime.cache import Cache, Change, Entry
from orch.runtime.reconcile import Key

_KEY = Key("team-a", "web-7-1-merge-1f2e3d4c5b")
_RUN = Key("team-a", "web-7-1")
_ASKED: dict[str, Any] = {"outcome": "Pending", "missing": {"approvals": 2}}


def _approval(status: dict[str, Any], *, generation: int = 1) -> ApprovalProjection:
    meta = {"name": _KEY.name, "namespace": _KEY.namespace, "generation": generation}
    return project_approval({"metadata": meta, "spec": {"target": {"name": _RUN.name}}, "status": status})


@pytest.mark.parametrize(
    ("status", "generation", "woken"),
    [
        pytest.param(_ASKED, 2, [], id="an answer that is not counted yet"),
        pytest.param({**_ASKED, "decisions": [{"username": "bob"}]}, 1, [], id="a count that changes nothing"),
        pytest.param({**_ASKED, "missing": {"approvals": 1}}, 1, [_RUN], id="one of two"),
        pytest.param({**_ASKED, "missing": {"approvals": 2, "groups": ["sec"]}}, 1, [_RUN], id="a stricter rule"),
        pytest.param({"outcome": "Approved", "missing": {"approvals": 0}}, 1, [_RUN], id="enough"),
        pytest.param({**_ASKED, "outcome": "Denied"}, 1, [_RUN], id="a denial"),
    ],
)
def test_a_run_is_woken_by_what_its_question_has_come_to(
    status: dict[str, Any], generation: int, woken: list[Key]
) -> None:
    change = Change(_KEY, _approval(_ASKED), _approval(status, generation=generation))
    assert run_of_approval(change) == woken


def test_a_run_is_woken_by_a_question_that_is_new_or_gone() -> None:
    approval = _approval(_ASKED)
    assert run_of_approval(Change(_KEY, None, approval)) == [_RUN]
    assert run_of_approval(Change(_KEY, approval, None)) == [_RUN]


def _repo(*, active: int = 0, ready: str = "True", generation: int = 1) -> RepoProjection:
    return project_repo(
        {
            "metadata": {"name": "web", "namespace": "team-a", "generation": generation},
            "spec": {"repository": "acme/web"},
            "status": {"runs": {"active": active}, "conditions": [{"type": "Ready", "status": ready}]},
        }
    )


@pytest.mark.parametrize(
    ("repo", "woken"),
    [
        pytest.param(_repo(active=1), [], id="it has counted its runs"),
        pytest.param(_repo(ready="False"), [_RUN], id="its credential is refused"),
        pytest.param(_repo(generation=2), [_RUN], id="its policy has changed"),
        pytest.param(None, [_RUN], id="it is gone"),
    ],
)
def test_runs_are_woken_by_what_their_repository_asks_of_them(repo: RepoProjection | None, woken: list[Key]) -> None:
    runs: Cache[RunProjection] = Cache({BY_REPO: by_repo})
    meta = {"name": _RUN.name, "namespace": _RUN.namespace}
    run = project_run({"metadata": meta, "spec": {"repositoryRef": {"name": "web"}}})
    runs.put(Entry(_RUN, "uid", 1, {}, run))
    change = Change(Key("team-a", "web"), _repo(), repo)
    assert runs_of_repo(RunIndex(runs), change) == woken
