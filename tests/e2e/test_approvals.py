"""People decide about a merge, while their rights, the branch, its base and the operator do not hold still."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.checkout import Checkout
from tests.e2e.desk import ALICE, Desk, Run, together
from tests.e2e.lots import Lot, answer_review, make

_TWO, _ONE, _MOVING = 1, 2, 3
_ISSUES = 5
_MOVES = 3.0
"""Seconds between the first two pushes to a base branch that never rests: less than a run needs to bring it in, be checked and be
merged."""
_SLOWER = 0.5
"""Seconds by which each pause is longer than the one before it: how long a run needs is the machine's doing."""
BOB, CAROL, DORA = "bob@example.com", "carol@example.com", "dora@example.com"


@pytest.fixture(scope="module")
def lot(open_desk: Callable[..., Desk], tmp_path_factory: pytest.TempPathFactory) -> Lot:
    """A repository that asks two people, one that asks one, and one whose base branch has to be merged in by GitHub's rule."""
    load = make(tmp_path_factory.mktemp("approvals") / "load", repositories=3, issues=_ISSUES)
    answer_review(load, load.issues[_ISSUES * _ONE - 1])
    strict = {"branch": "main", "required_checks": ["tests"], "strict": True, "bypass": ["maintainer"]}
    load.seed["repos"][_MOVING - 1]["rules"] = [strict]
    desk = open_desk(load.seed, [load.script])
    two, one, moving = load.repositories
    spec = {**load.spec, "mode": "Supervised"}
    desk.watch("two", two, **spec, approvals={"quorum": 2, "requiredGroups": ["security"]})
    desk.watch("one", one, **{**spec, "merge": {**spec["merge"], "blockerLabel": "hold"}})
    desk.watch("moving", moving, **spec)
    return Lot(desk, load, {two: "two", one: "one", moving: "moving"})


def test_people_decide(lot: Lot, tmp_path: Path) -> None:
    desk = lot.desk

    def two_of_whom_one_is_of_the_group() -> None:
        run = lot.take(_TWO)
        asked = run.approval("Merge")
        for user in (ALICE, BOB):
            desk.decide(asked, "Approve", user)
        missing = desk.until(
            lambda: len(_counted(desk, asked)) == 2 and desk.get("approvals", asked)["status"]["missing"]
        )
        assert missing == {"approvals": 1, "groups": ["security"]}
        desk.looked("issueruns", run.name)
        assert run.merges() == []
        desk.decide(asked, "Approve", CAROL, group="security")
        _merged(run)
        assert _counted(desk, asked) == [ALICE, BOB, CAROL]

    def one_denial_is_enough() -> None:
        run = lot.take(_TWO)
        asked = run.approval("Merge")
        desk.decide(asked, "Approve", CAROL, group="security")
        desk.decide(asked, "Deny", BOB)
        failure = run.ends()["failure"]
        assert (failure["class"], failure["reason"]) == ("PolicyDenied", "Denied")
        assert f"{BOB}: as I see it" in failure["message"]
        _ended_unmerged(run, "Denied")

    def the_verb_is_lost_before_the_merge() -> None:
        run = lot.take(_ONE)
        asked = run.approval("Merge")
        pull = run.pulls()[0]["number"]
        desk.maintainer.label(run.repository, pull, "hold")
        desk.decide(asked, "Approve", DORA)
        run.until(lambda _: "'hold' holds the merge back" in run.condition("Waiting").get("message", ""))
        assert desk.get("approvals", asked)["status"]["outcome"] == "Approved"
        desk.world.unbind(DORA, "orch-approver")
        desk.until(lambda: not desk.may_approve(DORA))
        desk.maintainer.unlabel(run.repository, pull, "hold")
        desk.until(lambda: desk.get("approvals", asked)["status"]["outcome"] == "Pending", poke=("issueruns", run.name))
        assert _counted(desk, asked) == []
        desk.looked("issueruns", run.name)
        assert run.merges() == []
        desk.decide(asked, "Approve", BOB)
        _merged(run)
        assert _counted(desk, asked) == [BOB]

    def the_base_branch_moves_every_few_seconds() -> None:
        run = lot.take(_MOVING)
        asked = run.approval("Merge")
        base = Checkout(desk, run.repository, tmp_path / "main")
        first = base.push("NEWS.md", "0\n")
        desk.decide(asked, "Approve", BOB)
        with _pushing(base, every=_MOVES) as pushed:
            _merged(run)
            sofar = len(pushed)
            desk.until(lambda: len(pushed) > sofar)  # whoever pushes has not stopped to let it through
        merged = run.status["pullRequest"]["mergeSHA"]
        assert not base.holds(merged, within=pushed[0])
        assert base.holds(merged, within=pushed[-1])
        questions = desk.list("approvals", run=run.name)
        assert [entry["metadata"]["name"] for entry in questions] == [asked]
        seen = questions[0]["spec"]["subject"]["headSHA"]
        assert run.pulls()[0]["head"]["sha"] != seen
        assert base.contains(first)
        assert "-(-grams // 1000)" in base.read("zones/zone_01.py")

    together(
        two_of_whom_one_is_of_the_group,
        one_denial_is_enough,
        the_verb_is_lost_before_the_merge,
        the_base_branch_moves_every_few_seconds,
    )
    lines = _audit_lines(desk)
    denied = [line["who"] for line in lines if line["event"] == "decision_counted" and line["verdict"] == "Deny"]
    assert denied == [BOB]
    assert {"run_started", "approval_settled", "approval_consumed", "merged"} <= {line["event"] for line in lines}
    ids = [line["id"] for line in lines if "id" in line]
    assert len(ids) == len(set(ids)), "each thing once"


def test_people_decide_while_the_operator_is_down(lot: Lot, tmp_path: Path) -> None:
    desk = lot.desk
    plain, pushed, late = (lot.take(_ONE) for _ in range(3))
    issue = lot.load.issues[_ISSUES * _ONE - 1]
    changed = desk.start("one", issue.repository, issue.title, issue.body)
    runs = (plain, pushed, late, changed)
    asked = {run.name: run.approval("Merge") for run in runs}

    def meanwhile() -> None:
        _ask_until(desk, asked[late.name], datetime.now(UTC) + timedelta(seconds=3))
        branch = pushed.pulls()[0]["head"]["ref"]
        Checkout(desk, pushed.repository, tmp_path / "theirs", branch=branch).push("NOTES.md", "Mine.\n")
        review = {"event": "REQUEST_CHANGES", "body": "Say in the docstring what happens at zero grams."}
        desk.maintainer.ask("POST", f"{changed.pull_path()}/reviews", **review)
        for run in runs:
            desk.decide(asked[run.name], "Approve", BOB)
        desk.until(lambda: datetime.now(UTC) > _expiry(desk, asked[late.name]))

    desk.restart(meanwhile)

    def it_counts_afterwards() -> None:
        _merged(plain)

    def it_does_not_count_for_a_commit_of_somebody_else() -> None:
        pushed.waits_for("TakenOver")
        desk.until(lambda: desk.get("approvals", asked[pushed.name])["status"]["outcome"] == "Superseded")
        desk.looked("issueruns", pushed.name)
        assert pushed.merges() == []

    def it_does_not_count_for_the_next_commit() -> None:
        changed.waits_for("AwaitingReview")
        assert changed.merges() == []
        desk.maintainer.ask("POST", f"{changed.pull_path()}/reviews", event="APPROVE")
        again = changed.approval("Merge", after=asked[changed.name])
        assert desk.get("approvals", asked[changed.name])["status"]["outcome"] == "Superseded"
        assert changed.merges() == []
        desk.decide(again, "Approve", BOB)
        _merged(changed)

    def it_does_not_count_when_its_time_is_over() -> None:
        assert late.ends()["failure"]["reason"] == "ApprovalExpired"
        status = desk.get("approvals", asked[late.name])["status"]
        assert status["outcome"] == "Expired"
        assert status["decisions"][0]["reason"] == "first seen after expireTime"
        _ended_unmerged(late, "ApprovalExpired")

    together(
        it_counts_afterwards,
        it_does_not_count_for_a_commit_of_somebody_else,
        it_does_not_count_for_the_next_commit,
        it_does_not_count_when_its_time_is_over,
    )


def _audit_lines(desk: Desk) -> list[dict[str, Any]]:
    """What the operator's log says to auditors so far."""
    lines = (json.loads(line) for line in desk.log("operator").splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("audit")]


@contextmanager
def _pushing(base: Checkout, *, every: float) -> Iterator[list[str]]:
    """Somebody pushes to the base branch all the time; the commits so far, oldest first."""
    stop, pushed = threading.Event(), list[str]()

    def push() -> None:
        while not stop.wait(every + _SLOWER * len(pushed) if pushed else 0):
            pushed.append(base.push("NEWS.md", f"{len(pushed) + 1}\n"))

    with ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(push)
        try:
            yield pushed
        finally:
            stop.set()
        pushing.result()


def _merged(run: Run) -> None:
    run.ends()
    assert run.condition("Succeeded")["reason"] == "Merged", run.status
    assert len(run.merges()) == 1


def _ended_unmerged(run: Run, reason: str) -> None:
    """It says why to those who look at the issue, and leaves the pull request as it is."""
    assert run.merges() == []
    assert run.pulls()[0]["state"] == "open"
    [comment] = run.comments()
    assert reason in comment


def _counted(desk: Desk, approval: str) -> list[str]:
    """Whose answers count."""
    decisions = desk.get("approvals", approval)["status"].get("decisions") or []
    return sorted(entry["username"] for entry in decisions if entry["counted"])


def _expiry(desk: Desk, approval: str) -> datetime:
    return datetime.fromisoformat(desk.get("approvals", approval)["spec"]["expireTime"])


def _ask_until(desk: Desk, approval: str, end: datetime) -> None:
    """Have the operator's account ask the same question again with less time: what it offers begins at five minutes."""
    asked = desk.get("approvals", approval)
    metadata: dict[str, Any] = {
        key: asked["metadata"][key]
        for key in ("name", "namespace", "labels", "ownerReferences", "annotations")
        if key in asked["metadata"]
    }
    spec = {**asked["spec"], "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    account = f"system:serviceaccount:{desk.world.system}:orch"
    desk.world.kubectl("delete", "approval", approval, "-n", desk.namespace)
    again = {key: asked[key] for key in ("apiVersion", "kind")} | {"metadata": metadata, "spec": spec}
    desk.world.kubectl("create", "-f", "-", stdin=json.dumps(again), as_user=account)
