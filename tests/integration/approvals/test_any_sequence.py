"""Whatever people, strangers, the model and the operator do in whatever order: nothing is pushed or merged that the rule's
people did not see at exactly that content.

Approvals, people's patches, their rights and every count are the real API server's. The run, the code host and git are in
memory, so that a sequence takes a second; what is pushed and merged there is held against books of the test's own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kubernetes.aio.client import ApiClient, ApiException, CustomObjectsApi
from tests.builders import a_repo, a_run, sha
from tests.cluster import Cluster
from tests.fakes.acts import Crash
from tests.integration.admission.office import RBAC, Office
from tests.unit.stages.world import World

from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.errors import OrchError
from orch.kube.client import Kube, connect
from orch.kube.errors import Conflict
from orch.kube.objects import Objects
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.reconcilers.admission import Admission
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.counting import Counting
from orch.reconcilers.records import ClusterRecords
from orch.runtime.reconcile import Key
from orch.stages.publish import publish
from orch.stages.update import bring_up_to_date

PEOPLE = {"anna": ("security",), "boris": (), "clara": ("security",), "mallory": ()}
"""Everybody, with the groups they are in. `mallory` may patch, and never has the verb."""
VOTERS = ("anna", "boris", "clara")
POLICY: dict[str, Any] = {
    "gates": [{"gate": "Publish", "when": "Always"}, {"gate": "Merge", "when": "Always"}],
    "requiredGroups": ["security"],
    "onExpiry": "Hold",
}
_NUMBERS = itertools.count(1)
_STALE = "for another subject"
ROLES = Resource(RBAC, "v1", "roles", "Role")
BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")


@dataclass
class Books:
    """What the test knows by itself, never from what the operator wrote."""

    quorum: int
    answers: dict[str, dict[str, tuple[str, frozenset[str]]]] = field(default_factory=dict)
    """By Approval and user, what the API server took: verdict, groups."""
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What each question showed: gate and commit."""
    verbs: set[str] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)
    """Trees that were approved when they were pushed. Merges of the base branch on top of them may follow."""
    done: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def approved(self, gate: str, tree: str, trees: dict[str, str]) -> bool:
        """Whether enough people with the verb have seen exactly this tree at this gate, and none of them was against it."""
        return any(
            self._is_approved(self.answers.get(name, {}))
            for name, (asked, commit) in self.seen.items()
            if asked == gate and trees.get(commit, commit) == tree
        )

    def _is_approved(self, answers: dict[str, tuple[str, frozenset[str]]]) -> bool:
        counted = {user: answer for user, answer in answers.items() if user in self.verbs and answer[0] != _STALE}
        yes = [groups for verdict, groups in counted.values() if verdict == "Approve"]
        return len(yes) == len(counted) >= self.quorum and any("security" in groups for groups in yes)


class InMemory:
    """The one object of a kind that a reconciler reads and that the world in memory holds."""

    def __init__(self, find: Any) -> None:
        self._find = find

    async def find(self, namespace: str, name: str) -> Any:
        return self._find()


@dataclass
class Joined:
    """Connections that all scenes share."""

    kube: Kube
    admin: Kube
    clients: Mapping[str, ApiClient]
    namespace: str
    admission: Admission


class Scene:
    """A run just before its first push. `kube` is the operator's own account, `admin` the administrator's."""

    def __init__(self, joined: Joined, quorum: int) -> None:
        self.kube, self.admin, self.namespace, clients = joined.kube, joined.admin, joined.namespace, joined.clients
        self._people = {user: CustomObjectsApi(client) for user, client in clients.items()}
        repo = a_repo(mode="Supervised", approvals={**POLICY, "quorum": quorum})
        attempt = next(_NUMBERS)
        self.world = World(repo, a_run(f"web-7-{attempt}", spec={"attempt": attempt}))
        self.books, self.admission = Books(quorum), joined.admission
        self.approvals = Store(self.kube, Approval)

    async def open(self) -> None:
        await self._allow("patches", ["get", "patch"])
        await self._allow("approves", ["approve"])
        await self._bind("patches", list(PEOPLE))
        await self.let_approve("anna", "boris", "clara")
        await self.world.reach(publish)
        await self._own()
        for document in (self.world.repo, self.world.run):
            document.metadata.namespace = self.namespace
        self.start_operator()
        self._watch()

    async def _own(self) -> None:
        """The run is there for those who collect what has no owner."""
        run = self.world.run.model_copy(deep=True)
        run.metadata.namespace, run.metadata.uid, run.metadata.resource_version = self.namespace, None, None
        made = await Store(self.kube, IssueRun).create(run)
        self.world.run.metadata.uid = made.metadata.uid

    async def close(self) -> None:
        """The run goes, and with it what it asked: nobody may delete an Approval that was answered."""
        runs = Store(self.admin, IssueRun)
        await runs.delete(await runs.get(self.namespace, self.world.run.metadata.name))
        for kind in (ROLES, BINDINGS):
            for name in ("patches", "approves"):
                await Objects(self.admin, kind).delete(self.namespace, name)

    def start_operator(self) -> None:
        """A process that remembers nothing."""
        runs: Store[IssueRun] = InMemory(lambda: self.world.run)  # type: ignore[assignment]
        repos: Store[OrchestratedRepo] = InMemory(lambda: self.world.repo)  # type: ignore[assignment]
        counting = Counting(
            self.kube, repos, enforcement=self.admission, operator_namespace=self.namespace, clock=self.world.clock
        )
        self.world.records = ClusterRecords(self.kube, self.namespace, counting)  # type: ignore[assignment]
        self._reconciler = ApprovalReconciler(
            approvals=self.approvals, runs=runs, counting=counting, clock=self.world.clock
        )

    async def reconcile_run(self) -> None:
        with suppress(OrchError, Crash):  # the loop tries again; a failure that ends a run ends its acts as well
            await self.world.reconcile()
        mine = f"orch.dev/run={self.world.run.metadata.name}"
        for approval in await self.approvals.list(self.namespace, labels=mine):
            commit = approval.spec.subject.head_sha or ""
            self.books.seen[approval.metadata.name] = (approval.spec.gate.value, commit)

    async def reconcile_questions(self) -> None:
        for name in self.books.seen:
            try:
                await self._reconciler.reconcile(Key(self.namespace, name))
            except Conflict:
                continue

    async def answer(self, user: str, name: str, decision: dict[str, Any] | None, key: str = "") -> None:
        """A person's merge patch, under their own key or another. What the API server takes is written into the books."""
        change = {"spec": {"decisions": {key or user: decision}}}
        try:
            await self._people[user].patch_namespaced_custom_object(
                "orch.dev", "v1alpha1", self.namespace, "approvals", name, change,
                _content_type="application/merge-patch+json",
            )  # fmt: skip
        except ApiException:
            return
        if key not in ("", user):
            self.books.unseen.append(f"{user} decided as {key}")
        answers = self.books.answers.setdefault(name, {})
        if decision is None:
            answers.pop(user, None)
        else:
            verdict = _STALE if decision.get("digest") else decision["verdict"]
            answers[user] = (verdict, frozenset(decision.get("groups") or ()))

    async def let_approve(self, *users: str) -> None:
        await self._bind("approves", users)
        self.books.verbs = set(users)

    def set_quorum(self, quorum: int) -> None:
        spec = self.world.repo.spec
        approvals = spec.approvals.model_copy(update={"quorum": quorum})
        self.world.repo = self.world.repo.model_copy(update={"spec": spec.model_copy(update={"approvals": approvals})})
        self.books.quorum = quorum

    def push_as_stranger(self) -> None:
        name = (self.world.run.status.branch and self.world.run.status.branch.name) or ""
        if name in self.world.forge.branches:
            self.world.forge.branches[name] = sha(f"a stranger's, {len(self.books.done)}")

    def rewrite(self, word: str) -> None:
        """The model's next change takes the place of the one that was judged."""
        change, branch = self.world.run.status.change, self.world.run.status.branch
        if change is not None and branch is not None and branch.head_sha is not None:
            made = sha(f"{word} on {branch.head_sha}")
            self.world.git.trees[made], self.world.git.parents[made] = word, (branch.head_sha,)
            branch.head_sha = made

    async def merge_base(self) -> None:
        git = self.world.git
        newer = sha(f"after {git.branches['main']}")
        git.parents[newer] = (git.branches["main"],)
        git.branches["main"] = newer
        if self.world.run.status.pull_request is not None:
            await bring_up_to_date(self.world.context())

    async def _allow(self, name: str, verbs: list[str]) -> None:
        rules = [{"apiGroups": ["orch.dev"], "resources": ["approvals"], "verbs": verbs}]
        await Objects(self.admin, ROLES).create(self.namespace, {"metadata": {"name": name}, "rules": rules})

    async def _bind(self, role: str, users: Any) -> None:
        bindings = Objects(self.admin, BINDINGS)
        await bindings.delete(self.namespace, role)
        subjects = [{"apiGroup": RBAC, "kind": "User", "name": user} for user in users]
        reference = {"apiGroup": RBAC, "kind": "Role", "name": role}
        await bindings.create(self.namespace, {"metadata": {"name": role}, "roleRef": reference, "subjects": subjects})

    def _watch(self) -> None:
        """Hold every push and merge, at the moment at which it happens, against the books."""
        make, git = self.world.acts.do, self.world.git

        def watched(act: str, do: Any) -> Any:
            gates = {"push": "Publish", "merge": "Merge"}
            if act in gates:
                head = self.world.run.status.branch.head_sha if self.world.run.status.branch else None
                tree = git.trees.get(head or "", head or "")
                known = act == "push" and tree in self.books.pushed
                if not known and not self.books.approved(gates[act], tree, git.trees):
                    self.books.unseen.append(f"{act} of {tree}")
                self.books.pushed.add(tree)
                self.books.done.append(act)
            return make(act, do)

        self.world.acts.do = watched  # type: ignore[method-assign]


class AnySequence(RuleBasedStateMachine):
    """The machine; `joined` and `loop` are what all its runs share."""

    joined: Joined
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(self.joined, quorum=2)
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
    opened = Office(control_plane)
    try:
        opened.open()
        yield opened
    finally:
        opened.close()


@pytest.fixture
def joined(office: Office, tmp_path: Path) -> Iterator[tuple[Joined, asyncio.AbstractEventLoop]]:
    """Everybody's connections, and the loop that they live in."""
    loop = asyncio.new_event_loop()
    account = yaml.safe_load(office.cluster.kubeconfig.read_text())
    token = office.cluster.kubectl("create", "token", "orch", "-n", office.home).stdout.strip()
    account["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in account["users"]]
    kubeconfig = tmp_path / "operator.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(account))

    async def join() -> Joined:
        kube, admin = await connect(kubeconfig), await connect(office.cluster.kubeconfig)
        clients = {user: await _person(office.cluster, user, groups) for user, groups in PEOPLE.items()}
        return Joined(kube, admin, clients, office.team, Admission(kube, suffix=office.mark))

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
            max_examples=15,
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
