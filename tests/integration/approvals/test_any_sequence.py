"""Whatever people, strangers, the model and the operator do in whatever order: nothing is pushed or merged that the rule's
people did not see at exactly that content."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from kubernetes.aio.client import ApiClient
from tests.cluster import Cluster
from tests.integration.admission.office import Office, opened
from tests.integration.approvals.scene import PEOPLE, VOTERS, Books, Joined, Scene

from orch.kube.client import connect
from orch.reconcilers.admission import Admission


class AnySequence(RuleBasedStateMachine):
    """The machine; `joined` and `loop` are what all its runs share."""

    joined: Joined
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(self.joined, quorum=2)
        self.gaps = 1
        """How often the binding may still be deleted: the API server takes a second to take each change up."""
        self._do(self.scene.open())

    def _do(self, what: Awaitable[Any]) -> None:
        self.loop.run_until_complete(what)  # type: ignore[arg-type]

    def teardown(self) -> None:
        self._do(self.scene.close())

    @rule(
        user=st.sampled_from(sorted(PEOPLE)),
        verdict=st.sampled_from(["Approve", "Approve", "Approve", "Deny"]),
        with_groups=st.booleans(),
        place=st.integers(0, 3),
        stale=st.booleans(),
    )
    def somebody_answers(self, user: str, verdict: str, with_groups: bool, place: int, stale: bool) -> None:
        names = sorted(self.scene.books.seen)
        if not names:
            return
        groups = list(PEOPLE[user]) if with_groups and PEOPLE[user] else None
        digest = "sha256:" + "0" * 64 if stale and place == 3 else None
        decision = {"verdict": verdict, "groups": groups, "digest": digest}
        self._do(self.scene.answer(user, names[place % len(names)], decision))

    @rule(user=st.sampled_from(sorted(PEOPLE)), key=st.sampled_from(VOTERS))
    def somebody_decides_as_somebody_else(self, user: str, key: str) -> None:
        for name in sorted(self.scene.books.seen):
            if user != key:
                self._do(self.scene.answer(user, name, {"verdict": "Deny", "comment": f"by {user}"}, key))

    @rule(user=st.sampled_from(VOTERS), place=st.integers(0, 3))
    def somebody_withdraws(self, user: str, place: int) -> None:
        names = sorted(self.scene.books.seen)
        if names:
            self._do(self.scene.answer(user, names[place % len(names)], None))

    @rule(then_look=st.booleans())
    def everybody_agrees(self, then_look: bool) -> None:
        """What usually happens: people are asked, they answer, the operator counts, and perhaps goes on at once."""
        self._do(self.scene.reconcile_run())
        for name in sorted(self.scene.books.seen):
            for user in ("anna", "boris"):
                decision = {"verdict": "Approve", "groups": list(PEOPLE[user]) or None, "digest": None}
                self._do(self.scene.answer(user, name, decision))
        self._do(self.scene.reconcile_questions())
        if then_look:
            self._do(self.scene.reconcile_run())

    @rule(place=st.integers(0, 3), users=st.sets(st.sampled_from(VOTERS), min_size=2))
    def people_answer_at_once(self, place: int, users: set[str]) -> None:
        names = sorted(self.scene.books.seen)
        if names:
            self._do(self.scene.answer_at_once(names[place % len(names)], *sorted(users)))

    @rule(user=st.sampled_from(sorted(PEOPLE)), place=st.integers(0, 3))
    def somebody_has_it_asked_again(self, user: str, place: int) -> None:
        names = sorted(self.scene.books.seen)
        if names:
            self._do(self.scene.ask_again(user, names[place % len(names)]))

    @rule(user=st.sampled_from(VOTERS), goes_on=st.booleans())
    def somebody_cancels_and_perhaps_tries_again(self, user: str, goes_on: bool) -> None:
        self.scene.cancel(user)
        self._do(self.scene.reconcile_run())
        if goes_on:
            self._do(self.scene.retry())

    @precondition(lambda self: self.gaps > 0)
    @rule()
    def the_binding_is_deleted_and_comes_back(self) -> None:
        self.gaps -= 1
        self._do(self.scene.lose_and_restore_the_binding())

    @rule(users=st.sets(st.sampled_from(VOTERS)))
    def the_administrator_binds_the_verb(self, users: set[str]) -> None:
        self._do(self.scene.let_approve(*sorted(users)))

    @rule(quorum=st.integers(1, 3))
    def the_administrator_sets_the_quorum(self, quorum: int) -> None:
        self.scene.set_quorum(quorum)

    @rule()
    def a_stranger_pushes(self) -> None:
        self.scene.push_as_stranger()

    @rule(word=st.sampled_from(["another change", "a third change"]))
    def the_model_changes_its_mind(self, word: str) -> None:
        self.scene.rewrite(word)

    @rule()
    def the_base_branch_moves(self) -> None:
        self._do(self.scene.merge_base())

    @rule()
    def the_operator_looks_at_the_run(self) -> None:
        self._do(self.scene.reconcile_run())

    @rule()
    def the_operator_counts(self) -> None:
        self._do(self.scene.reconcile_questions())

    @rule(hours=st.sampled_from([1, 30]))
    def time_passes(self, hours: int) -> None:
        self.scene.world.clock.forward(timedelta(hours=hours))

    @rule(act=st.sampled_from(["push", "merge"]), how=st.sampled_from(["crash_before", "crash_after", "lost"]))
    def the_operator_dies_at_an_act(self, act: str, how: str) -> None:
        setattr(self.scene.world.acts, how, act)
        self._do(self.scene.reconcile_run())
        self.scene.world.acts.heal()
        self.scene.start_operator()

    @invariant()
    def nothing_happened_that_was_not_seen(self) -> None:
        assert self.scene.books.unseen == []


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    """The admission policies, as users install them."""
    with opened(control_plane) as office:
        yield office


@pytest.fixture
def joined(office: Office, tmp_path: Path) -> Iterator[tuple[Joined, asyncio.AbstractEventLoop]]:
    """Everybody's connections, and the loop that they live in."""
    loop = asyncio.new_event_loop()
    account = yaml.safe_load(office.cluster.kubeconfig.read_text())
    token = office.cluster.server.make_token("orch", office.home)
    account["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in account["users"]]
    kubeconfig = tmp_path / "operator.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(account))

    async def join() -> Joined:
        kube, admin = await connect(kubeconfig), await connect(office.cluster.kubeconfig)
        clients = {user: await _person(office.cluster, user, groups) for user, groups in PEOPLE.items()}
        return Joined(kube, admin, clients, office, Admission(kube, suffix=office.mark))

    async def part(joined: Joined) -> None:
        for client in (joined.kube, joined.admin, *joined.clients.values()):
            await client.close()

    everybody = loop.run_until_complete(join())
    yield everybody, loop
    loop.run_until_complete(part(everybody))
    loop.close()


async def _person(cluster: Cluster, user: str, groups: tuple[str, ...]) -> ApiClient:
    return await cluster.connect(as_user=user, as_group=groups[0] if groups else None)


def test_no_sequence_of_acts_leads_to_what_nobody_saw(joined: tuple[Joined, asyncio.AbstractEventLoop]) -> None:
    everybody, loop = joined
    run_state_machine_as_test(
        type("Played", (AnySequence,), {"joined": everybody, "loop": loop}),
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make a sequence shorter would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_good_sequence_pushes_and_merges(joined: tuple[Joined, asyncio.AbstractEventLoop]) -> None:
    everybody, loop = joined

    async def play() -> Books:
        scene = Scene(everybody, quorum=2)
        await scene.open()
        for _ in range(4):
            await scene.reconcile_run()
            for name in sorted(scene.books.seen):
                await scene.answer("anna", name, {"verdict": "Approve", "groups": ["security"]})
                await scene.answer("boris", name, {"verdict": "Approve"})
            await scene.reconcile_questions()
        await scene.close()
        return scene.books

    books = loop.run_until_complete(play())
    assert books.unseen == []
    assert books.done == ["push", "merge"]


def test_what_was_forged_while_the_binding_was_gone_leads_to_nothing(
    joined: tuple[Joined, asyncio.AbstractEventLoop],
) -> None:
    everybody, loop = joined

    async def play() -> tuple[Books, int]:
        scene = Scene(everybody, quorum=2)
        await scene.open()
        await scene.lose_and_restore_the_binding()
        for _ in range(2):
            await scene.reconcile_questions()
            await scene.reconcile_run()
        forged = [len(question.spec.decisions) for question in await scene.questions()]
        await scene.close()
        return scene.books, max(forged)

    books, forged = loop.run_until_complete(play())
    assert forged == len(VOTERS), "they are there, and do not count"
    assert (books.unseen, books.done) == ([], [])
