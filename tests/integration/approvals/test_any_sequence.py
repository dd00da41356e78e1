"""Whatever people, strangers, the model and the operator do in whatever order: nothing is pushed or merged that the rule's
people did not see at exactly that content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.integration.approvals.host import LOGINS, PROTECTION
from tests.integration.approvals.model import FEE, WRITINGS
from tests.integration.approvals.process import QUESTIONS, REPOS, RUNS
from tests.integration.approvals.scene import OPERATOR, PEOPLE, VOTERS, Joined, Scene

from orch import failpoints

HANDS = (*sorted(PEOPLE), OPERATOR)
"""Whoever can reach the API server with a patch."""
_ACTS = ("push", "merge", "open-pull", "consume-approval", "create approvals", "patch approvals", "patch issueruns")
DEATHS = [point for point in failpoints.points() if point.startswith(_ACTS)]
PATHS = {"push": "git-receive-pack$", "merge": "/merge$", "pull": "/pulls$"}

TWISTS: Mapping[str, Callable[[Scene], Awaitable[None] | None]] = {
    "nothing else happens": lambda _scene: None,
    "somebody pushes": lambda scene: scene.push("alice", {FEE: "FEE = 98\n"}),
    "somebody pushes nothing new": lambda scene: scene.push("alice", {}),
    "somebody deletes the branch": lambda scene: scene.push("alice", None),
    "somebody asks for a change": lambda scene: scene.on_pull("alice", "request changes"),
    "somebody closes the issue": lambda scene: scene.on_issue("alice", "close"),
    "somebody cancels": lambda scene: scene.cancel("boris"),
    "somebody denies": lambda scene: scene.answer("clara", scene.questions()[-1], {"verdict": "Deny"}),
    "the base branch moves": lambda scene: scene.base_moves({"zones/other.py": "FEE = 31\n"}),
    "the base branch conflicts": lambda scene: scene.base_moves({FEE: "FEE = 32\n"}),
    "the checks turn red": lambda scene: scene.checks_end("failure"),
    "people lose the verb": lambda scene: scene.let_approve("clara"),
    "the rule becomes stricter": lambda scene: scene.set_quorum(3),
    "the operator dies at the push": lambda scene: scene.dies("push@sent"),
    "the operator dies at the merge": lambda scene: scene.dies("merge@sent"),
}
"""What comes between the people's yes and the act that it allows."""


class AnySequence(RuleBasedStateMachine):
    """The machine; `joined` is what all its runs share."""

    joined: Joined

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(self.joined, quorum=2)
        self.gaps = 1
        """How often the binding may still be deleted: the API server takes a second to take each change up."""

    def _do(self, what: Awaitable[None]) -> None:
        self.joined.do(what)

    def teardown(self) -> None:
        try:
            if self.scene.books.shown and not self.scene.books.wrong:
                self._do(self.scene.ends_well())
                self.nothing_happened_that_was_not_seen()
        finally:
            self.scene.close()

    def _question(self, place: int) -> str:
        names = self.scene.questions()
        return names[place % len(names)]

    @initialize(way=st.integers(0, 2))
    def it_begins(self, way: int) -> None:
        """Before the push, after it, or before the merge."""
        self._do(self.scene.open())
        if way > 0:
            self._do(self.scene.goes_well())
        if way > 1:
            self._do(self.scene.get_ready())

    # People in the cluster.

    @rule(
        user=st.sampled_from(HANDS),
        key=st.sampled_from(["", "", *VOTERS]),
        verdict=st.sampled_from(["Approve", "Approve", "Approve", "Deny"]),
        groups=st.sampled_from([None, None, ["security"]]),
        place=st.integers(0, 3),
        stale=st.booleans(),
    )
    def somebody_answers(
        self, user: str, key: str, verdict: str, groups: list[str] | None, place: int, stale: bool
    ) -> None:
        """In their own name, or in somebody else's."""
        digest = "sha256:" + "0" * 64 if stale and place == 3 else None
        decision = {"verdict": verdict, "groups": groups, "digest": digest}
        self._do(self.scene.answer(user, self._question(place), decision, key))

    @rule(place=st.integers(0, 3), users=st.sets(st.sampled_from(VOTERS), min_size=2))
    def people_answer_at_once(self, place: int, users: set[str]) -> None:
        self._do(self.scene.answer_at_once(self._question(place), *sorted(users)))

    @rule(user=st.sampled_from(sorted(PEOPLE)), place=st.integers(0, 3), anew=st.booleans())
    def somebody_takes_back(self, user: str, place: int, anew: bool) -> None:
        """Their own answer; or the whole question, so that it is asked anew."""
        name = self._question(place)
        self._do(self.scene.ask_again(user, name) if anew else self.scene.answer(user, name, None))

    @rule(user=st.sampled_from(VOTERS), goes_on=st.booleans())
    def somebody_cancels_and_perhaps_tries_again(self, user: str, goes_on: bool) -> None:
        self._do(self.scene.cancel(user))
        self._do(self.scene.look(RUNS))
        if goes_on:
            self._do(self.scene.try_again())

    @rule(users=st.sets(st.sampled_from(VOTERS)))
    def the_administrator_binds_the_verb(self, users: set[str]) -> None:
        self._do(self.scene.let_approve(*sorted(users)))

    @rule(quorum=st.integers(1, 3))
    def the_administrator_sets_the_quorum(self, quorum: int) -> None:
        self._do(self.scene.set_quorum(quorum))

    @precondition(lambda self: self.gaps > 0)
    @rule()
    def the_binding_is_deleted_and_comes_back(self) -> None:
        self.gaps -= 1
        self._do(self.scene.lose_and_restore_the_binding())

    # People on GitHub, and the model.

    @rule(
        login=st.sampled_from(LOGINS), act=st.sampled_from(["label", "unlabel", "comment", "edit", "close", "reopen"])
    )
    def somebody_acts_on_the_issue(self, login: str, act: str) -> None:
        self.scene.on_issue(login, act)

    @rule(login=st.sampled_from(LOGINS), act=st.sampled_from(["approve", "request changes", "close", "reopen"]))
    def somebody_acts_on_the_pull_request(self, login: str, act: str) -> None:
        self.scene.on_pull(login, act)

    @rule(
        login=st.sampled_from(LOGINS),
        files=st.sampled_from([{FEE: "FEE = 99\n"}, {}, None]),
        start=st.sampled_from(["", "main"]),
    )
    def somebody_pushes_to_the_branch(self, login: str, files: dict[str, str] | None, start: str) -> None:
        self.scene.push(login, files, start=start)

    @rule(path=st.sampled_from(["zones/other.py", FEE]))
    def the_base_branch_moves(self, path: str) -> None:
        self.scene.base_moves({path: "FEE = 30\n"})

    @rule(rules=st.sampled_from([[], [PROTECTION], [{**PROTECTION, "strict": True}]]))
    def protections_change(self, rules: list[dict[str, Any]]) -> None:
        self.scene.protect(*rules)

    @rule(state=st.sampled_from(["success", "failure"]))
    def the_checks_end(self, state: str) -> None:
        self.scene.checks_end(state)

    @rule(what=st.sampled_from(sorted(WRITINGS)))
    def the_model_changes_its_mind(self, what: str) -> None:
        self.scene.writes(what)

    @rule(minutes=st.sampled_from([3, 60, 1800]))
    def time_passes(self, minutes: int) -> None:
        self.joined.outside.github.forward(timedelta(minutes=minutes))

    # The operator.

    @rule(twist=st.sampled_from(sorted(TWISTS)))
    def everybody_agrees_and_then(self, twist: str) -> None:
        self._do(self.scene.agree())
        done = TWISTS[twist](self.scene)
        if done is not None:
            self._do(done)
        self._do(self.scene.look())

    @rule(twists=st.lists(st.sampled_from(sorted(TWISTS)), min_size=2, max_size=2))
    def everybody_agrees_twice(self, twists: list[str]) -> None:
        """What was asked about may be another content the second time."""
        for twist in twists:
            self.everybody_agrees_and_then(twist)

    @rule(
        what=st.sampled_from(sorted(WRITINGS)),
        how=st.sampled_from(["the checks turn red", "somebody asks for a change"]),
    )
    def the_change_is_made_anew(self, what: str, how: str) -> None:
        """By the model, after something was wrong with what people had agreed to."""
        self.scene.writes(what)
        self.everybody_agrees_and_then(how)
        self._do(self.scene.look(RUNS))

    @rule(plurals=st.permutations([REPOS, QUESTIONS, RUNS]), most=st.integers(1, 3))
    def the_operator_looks(self, plurals: list[str], most: int) -> None:
        self._do(self.scene.look(*plurals[:most]))

    @rule(point=st.sampled_from(DEATHS))
    def the_operator_dies(self, point: str) -> None:
        self._do(self.scene.dies(point))

    @rule(what=st.sampled_from(sorted(PATHS)), drop=st.sampled_from(["before", "after"]))
    def an_answer_is_lost(self, what: str, drop: str) -> None:
        self._do(self.scene.loses_an_answer(PATHS[what], drop))

    @invariant()
    def nothing_happened_that_was_not_seen(self) -> None:
        assert self.scene.books.wrong == []


@pytest.mark.timeout(900)
def test_no_sequence_of_acts_leads_to_what_nobody_saw(joined: Joined) -> None:
    run_state_machine_as_test(
        type("Played", (AnySequence,), {"joined": joined}),
        settings=settings(
            max_examples=6,
            stateful_step_count=10,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make a sequence shorter would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
