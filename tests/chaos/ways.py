"""The ways that a run can go: merged at once or after a fix, rejected, denied, cancelled, taken over. For the crash matrix.

A way is one issue: what the model does about it, what people do meanwhile, and how its run ends, whatever dies on the way. People
act on what they see and never twice; they are asked again and again by `go_on`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hack.projects import Stress, StressIssue
from hack.world.server import ServerError
from tests.chaos import effects, proof
from tests.chaos.hunt import Webhooks
from tests.e2e.checkout import Checkout
from tests.e2e.desk import ALICE, Desk, Run
from tests.e2e.lots import Lot, answer_review, module_path, read_script, script, solve_conflict

MAIN, MOVING, PLANNED = 1, 2, 3
"""Repositories: one that asks before a merge, one whose branches have to hold their base besides, one that asks about plans."""
FORBIDDEN = "FIXME"
"""What the first repository's checks do not let through, and its tests do."""
_SETTINGS: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    MAIN: ("main", {"publish": {"labels": ["by-orch"]}}),
    MOVING: ("moving", {}),
    PLANNED: ("planned", {"approvals": {"gates": [{"gate": "Plan", "when": "Always"}]}}),
}


class Way:
    """Merged at once. `reason`: how it ends."""

    reason: ClassVar[str] = "Merged"
    repository: ClassVar[int] = MAIN
    steps: ClassVar[Sequence[str]] = ("analyse-1", "plan-1", "implement-1")
    """Of an undisturbed run, and so of this one."""
    attempts: ClassVar[Mapping[str, int]] = {"implement": 1}
    """Likewise."""
    pushes: ClassVar[int] = 1
    """Likewise: of its branch."""
    answers: ClassVar[Sequence[str]] = ("Approved",)
    """What became of its questions, in the order in which they were asked."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.desk, self._folder = run, run.desk, folder
        self._did: set[str] = set()

    @staticmethod
    def prepare(load: Stress, issue: StressIssue) -> None:
        """Teach the model, before the world starts."""

    def begin(self) -> None:
        """What is so from the start."""

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        """What people do about a run with this status, whose open questions are `asked`."""
        for name in asked:
            self._answer(name, "Approve")

    def prove(self) -> None:
        """It went as it goes where nothing dies."""
        status = self.run.status
        assert [(step["name"], step["state"]) for step in status["steps"]] == [
            (f"{self.run.name}-{name}", "Succeeded") for name in self.steps
        ], status["steps"]
        attempts = {name: count for name, count in status.get("attempts", {}).items() if count}
        assert attempts == self.attempts, status
        assert effects.pushes(self.run) == self.pushes
        asked = sorted(self.desk.list("approvals", run=self.run.name), key=lambda found: found["spec"]["expireTime"])
        assert [approval["status"]["outcome"] for approval in asked] == list(self.answers)
        used = [
            bool(approval["status"].get("consumedTime")) for approval in asked if approval["spec"]["gate"] == "Merge"
        ]
        assert any(used) is (self.reason == "Merged"), asked
        self._prove_end()

    def _prove_end(self) -> None:
        proof.merged_once(self.run)

    def _answer(self, name: str, verdict: str) -> None:
        """Decide, unless the question is no longer open: then there is another one to see."""
        try:
            self.desk.decide(name, verdict)
        except ServerError as refused:
            if "is settled" not in str(refused):
                raise

    def _is_first(self, what: str) -> bool:
        """Whether this is done now, for the first time."""
        is_first = what not in self._did
        self._did.add(what)
        return is_first

    def _is_shown(self) -> bool:
        """Whether the issue shows that people are asked: before that, the run may not have noted its question yet."""
        return "orch/waiting" in self.run.labels()

    def _close_pull(self) -> None:
        self.desk.maintainer.ask("PATCH", self.run.pull_path(), state="closed")


class Ended(Way):
    """Ends without a merge."""

    def _prove_end(self) -> None:
        proof.ended_explained(self.run)
        assert self.run.status["failure"]["reason"] == self.reason


class Mended(Way):
    """The repository's own checks are red at first, and a fix is pushed."""

    steps = (*Way.steps, "checks-1")
    attempts: ClassVar[Mapping[str, int]] = {"implement": 1, "checksFix": 1}
    pushes = 2

    @staticmethod
    def prepare(load: Stress, issue: StressIssue) -> None:
        look, writing, *rest = read_script(load, issue.title)["Implement"]
        module, test = writing["tools"]
        marked = {**module["input"], "content": f"{module['input']['content']}# {FORBIDDEN}\n"}
        fixed = {"path": module_path(issue.title), "old": f"# {FORBIDDEN}\n", "new": "# It is.\n"}
        script(
            load,
            issue.title,
            {
                "Implement": [look, {"tools": [{**module, "input": marked}, test]}, *rest],
                "Checks": [{"tools": [{"name": "edit", "input": fixed}]}, {"text": "What it does not take is gone."}],
            },
        )


class Reviewed(Way):
    """A reviewer asks for changes when orch asks for the merge; the question is superseded."""

    answers = ("Superseded", "Approved")
    steps = (*Way.steps, "review-1")
    attempts: ClassVar[Mapping[str, int]] = {"implement": 1, "reviewFix": 1}
    pushes = 2
    prepare = staticmethod(answer_review)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if "asked for changes" not in self._did:
            if asked and self._is_first("asked for changes"):
                self._review("REQUEST_CHANGES", body="Say in the docstring what happens at zero grams.")
        elif "was content" not in self._did:
            if _waits_for(status, "AwaitingReview") and self._is_first("was content"):
                self._review("APPROVE")
        else:
            super().go_on(status, asked)

    def _review(self, event: str, **more: str) -> None:
        self.desk.maintainer.ask("POST", f"{self.run.pull_path()}/reviews", event=event, **more)


class Conflicting(Way):
    """The base branch gains a change of the same lines; what was approved for is not what is merged."""

    answers = ("Superseded", "Approved")
    steps = (*Way.steps, "conflict-1")
    attempts: ClassVar[Mapping[str, int]] = {"implement": 1, "conflictFix": 1}
    pushes = 2
    prepare = staticmethod(solve_conflict)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_first("moved the base"):
            base = Checkout(self.desk, self.run.repository, self._folder / "conflicting")
            module = module_path(status["issue"]["title"])
            base.push(module, base.read(module).replace("(grams // 1000)", "int(grams / 1000)"))
        super().go_on(status, asked)


class Updated(Way):
    """The base branch moves, and has to be merged in."""

    repository = MOVING
    pushes = 2

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_first("moved the base"):
            Checkout(self.desk, self.run.repository, self._folder / "updated").push("NEWS.md", "New.\n")
        super().go_on(status, asked)


class MergedByHand(Way):
    """A person merges what orch asks about."""

    reason = "MergedExternally"
    answers = ("Superseded",)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_shown() and self._is_first("merged"):
            self.desk.maintainer.ask("PUT", f"{self.run.pull_path()}/merge")

    def _prove_end(self) -> None:
        proof.ended_once(self.run)
        assert self.run.condition("Succeeded")["reason"] == self.reason
        assert [point["spec"]["merge"]["method"] for point in proof.rollback_points(self.run)] == ["Unknown"]


class Rejected(Ended):
    """The analysis says that nobody could do it."""

    reason = "NotActionable"
    answers = ()
    steps = ("analyse-1",)
    attempts: ClassVar[Mapping[str, int]] = {}
    pushes = 0

    @staticmethod
    def prepare(load: Stress, issue: StressIssue) -> None:
        look, said = read_script(load, issue.title)["Analyse"]
        script(load, issue.title, {"Analyse": [look, {"json": {**said["json"], "actionable": False}}]})


class Denied(Ended):
    """A person says no."""

    reason = "Denied"
    answers = ("Denied",)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        for name in asked:
            if self._is_shown():
                self._answer(name, "Deny")


class TakenOver(Ended):
    """A person pushes to orch's branch while it asks, and closes the pull request later."""

    reason = "ClosedByHuman"
    answers = ("Superseded",)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_first("pushed"):
            branch = self.run.pulls()[0]["head"]["ref"]
            Checkout(self.desk, self.run.repository, self._folder / "theirs", branch=branch).push("NOTES.md", "Mine.\n")
        if _waits_for(status, "TakenOver") and self._is_first("closed"):
            self._close_pull()


class Closed(Ended):
    """A person closes the pull request while orch asks."""

    reason = "ClosedByHuman"
    answers = ("Superseded",)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_shown() and self._is_first("closed"):
            self._close_pull()


class GivenUp(Ended):
    """The issue is closed while orch asks about the plan."""

    repository = PLANNED
    reason = "IssueClosed"
    answers = ("Superseded",)
    steps = ("analyse-1", "plan-1")
    attempts: ClassVar[Mapping[str, int]] = {}
    pushes = 0

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        if asked and self._is_shown() and self._is_first("closed"):
            path = f"/repos/{self.run.repository}/issues/{self.run.number}"
            self.desk.maintainer.ask("PATCH", path, state="closed")


class Cancelled(Ended):
    """The branch is pushed, GitHub does not open the pull request, and a person has had enough."""

    repository = PLANNED
    reason = "CancelledByUser"

    def begin(self) -> None:
        self.desk.world.bind(ALICE, "orch-operator")
        path = f"^/repos/{self.run.repository}/pulls$"
        self.desk.control("POST", "/faults", method="POST", path=path, status=502, count=None)

    def go_on(self, status: Mapping[str, Any], asked: Sequence[str]) -> None:
        super().go_on(status, asked)
        is_refused = any(effect["key"] == "pull-request" for effect in status.get("effects") or ())
        if is_refused and self._is_first("cancelled"):
            cancel = {"username": ALICE, "reason": "not now"}
            self.desk.patch("issueruns", self.run.name, {"spec": {"cancel": cancel}}, user=ALICE)

    def _prove_end(self) -> None:
        super()._prove_end()
        proof.left_no_branch(self.run)


CROWDS: Sequence[Sequence[type[Way]]] = (
    (Way,),
    (Mended, Reviewed, Conflicting),
    (Updated, MergedByHand, Rejected, Denied),
    (TakenOver, Closed, GivenUp, Cancelled),
)
"""All ways, by who goes together. Each life of an operator looks at all of a crowd, so most lives, those at the places of a plain
merge, belong to a run that is alone; the others fall to few at a time."""


def prepare(load: Stress, kinds: Iterable[type[Way]]) -> None:
    """Teach the model all the ways, each for the issue that `begin` will take."""
    left = {name: iter([issue for issue in load.issues if issue.repository == name]) for name in load.repositories}
    for kind in kinds:
        kind.prepare(load, next(left[load.repositories[kind.repository - 1]]))
    # a hundred operators, one after another, know nothing yet and ask for more in a minute than GitHub gives
    load.seed["settings"] = {"limits": {"enabled": False}, "checks": {"workers": 2}}
    checks = load.seed["repos"][MAIN - 1]["checks"][0]
    checks["interruptions"] = ["cancelled"]
    checks["command"] = f"{checks['command']} && ! grep -rq {FORBIDDEN} zones"


def watch(desk: Desk, load: Stress) -> Lot:
    """Have orch look after the repositories."""
    names = {}
    for number, repository in enumerate(load.repositories, start=1):
        name, more = _SETTINGS[number]
        gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
        spec = {**load.spec, "mode": "Supervised", "approvals": gates, **more}
        if number == MOVING:
            spec["merge"] = {**spec["merge"], "upToDate": "Always"}
        desk.watch(name, repository, **spec)
        names[repository] = name
    return Lot(desk, load, names)


class Crowd:
    """All the ways at once."""

    def __init__(self, lot: Lot, folder: Path, kinds: Iterable[type[Way]]) -> None:
        self.desk = lot.desk
        self.ways = [kind(lot.take(kind.repository), folder) for kind in kinds]
        self.runs = [way.run for way in self.ways]
        self._webhooks = Webhooks(self.desk)
        for way in self.ways:
            way.begin()

    def go_on(self) -> bool:
        """Everybody does what is theirs to do next; whether all is over."""
        runs = {run["metadata"]["name"]: run.get("status") or {} for run in self.desk.list("issueruns")}
        asked = dict[str, list[str]]()
        for approval in self.desk.list("approvals"):
            outcome = (approval.get("status") or {}).get("outcome", "Pending")
            if outcome == "Pending" and not approval["spec"].get("decisions"):
                asked.setdefault(approval["spec"]["target"]["name"], []).append(approval["metadata"]["name"])
        left = [way for way in self.ways if not runs.get(way.run.name, {}).get("completionTime")]
        for way in left:
            if status := runs.get(way.run.name):
                way.go_on(status, asked.get(way.run.name, ()))
        self._webhooks.tell(way.run.name for way in left if runs.get(way.run.name))
        return not left

    def standing(self) -> list[tuple[str, Any]]:
        """How the runs stand that are not over, and why: first what they wait for, then the whole status."""
        left = [(way.run.name, way.run.status) for way in self.ways if not way.run.status.get("completionTime")]
        return [(name, _waiting(status)) for name, status in left] + left


def _waiting(status: Mapping[str, Any]) -> list[str]:
    return [entry["message"] for entry in status.get("conditions") or () if entry["type"] in ("Waiting", "Succeeded")]


def _waits_for(status: Mapping[str, Any], reason: str) -> bool:
    return any(
        (entry["type"], entry["status"], entry["reason"]) == ("Waiting", "True", reason)
        for entry in status.get("conditions") or ()
    )
