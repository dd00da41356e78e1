"""A run just before its first push, real Approvals and real people around it, and books of what people said. Holds no test.

Approvals, people's patches, their rights and every count are the real API server's. The run, the code host and git are in
memory, so that a sequence takes a second; what is pushed and merged there is held against the books.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kubernetes.aio.client import ApiClient, ApiException, CustomObjectsApi
from tests.builders import a_repo, a_run, sha
from tests.fakes.acts import Crash
from tests.integration.admission.office import RBAC, Office
from tests.unit.stages.world import World

from orch.api.v1alpha1 import Approval, CancelRequest, IssueRun, OrchestratedRepo
from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.errors import Conflict
from orch.kube.objects import Objects
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.policy.approvals import is_decided
from orch.reconcilers.admission import Admission
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.counting import Counting
from orch.reconcilers.records import ClusterRecords
from orch.reconcilers.trail import Trail
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
SILENT = Trail(lambda _event, _fields: None)
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
    is_over: bool = False
    """A person has cancelled the run: from then on it does nothing."""
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


def _another(repo: OrchestratedRepo) -> World:
    """A world with the next run of the repository."""
    attempt = next(_NUMBERS)
    return World(repo, a_run(f"web-7-{attempt}", spec={"attempt": attempt}))


@dataclass
class Joined:
    """Connections that all scenes share."""

    kube: Kube
    admin: Kube
    clients: Mapping[str, ApiClient]
    office: Office
    admission: Admission


class Scene:
    """A run just before its first push. `kube` is the operator's own account, `admin` the administrator's."""

    def __init__(self, joined: Joined, quorum: int) -> None:
        self.kube, self.admin, self.office, clients = joined.kube, joined.admin, joined.office, joined.clients
        self.namespace = joined.office.team
        self._people = {user: CustomObjectsApi(client) for user, client in clients.items()}
        self.world = _another(a_repo(mode="Supervised", approvals={**POLICY, "quorum": quorum}))
        self._runs: list[str] = []
        self.books, self.admission = Books(quorum), joined.admission
        self.approvals = Store(self.kube, Approval)

    async def open(self) -> None:
        await self._allow("patches", ["get", "patch", "delete"])
        await self._allow("approves", ["approve"])
        await self._bind("patches", list(PEOPLE))
        await self.let_approve("anna", "boris", "clara")
        await self._begin()

    async def _begin(self) -> None:
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
        self._runs.append(made.metadata.name)

    async def close(self) -> None:
        """The runs go, and with them what they asked: nobody may delete an Approval that was answered."""
        runs = Store(self.admin, IssueRun)
        for name in self._runs:
            await runs.delete(await runs.get(self.namespace, name))
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
        self.world.records = ClusterRecords(self.kube, self.namespace, counting, SILENT)  # type: ignore[assignment]
        self._reconciler = ApprovalReconciler(
            approvals=self.approvals, runs=runs, counting=counting, clock=self.world.clock, trail=SILENT
        )

    async def reconcile_run(self) -> None:
        with suppress(OrchError, Crash):  # the loop tries again; a failure that ends a run ends its acts as well
            await self.world.reconcile()
        for approval in await self.questions():
            commit = approval.spec.subject.head_sha or ""
            self.books.seen[approval.metadata.name] = (approval.spec.gate.value, commit)

    async def questions(self) -> list[Approval]:
        """All that the run has asked."""
        return await self.approvals.list(self.namespace, labels=f"orch.dev/run={self.world.run.metadata.name}")

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

    async def answer_at_once(self, name: str, *users: str) -> None:
        """Several people's patches and the operator's count, all on their way at the same time."""
        yes = {user: {"verdict": "Approve", "groups": list(PEOPLE[user]) or None, "digest": None} for user in users}
        await asyncio.gather(*(self.answer(user, name, yes[user]) for user in users), self.reconcile_questions())

    async def ask_again(self, user: str, name: str) -> None:
        """What `kubectl orch ask-again` does: delete the question, so that the operator asks anew."""
        api, asked = self._people[user], await self.approvals.find(self.namespace, name)
        is_open = asked is not None and not is_decided(asked.status)
        try:
            await api.delete_namespaced_custom_object("orch.dev", "v1alpha1", self.namespace, "approvals", name)
        except ApiException:
            return
        others = self.books.answers.pop(name, {}).keys() - {user}
        if is_open and others:
            self.books.unseen.append(f"{user} deleted {name} with the answers of {sorted(others)}")

    def cancel(self, user: str) -> None:
        """For good: a cancellation stands in the spec, which a crash of the operator does not take back."""
        self.world.order(cancel=CancelRequest(username=user, reason="not now"))
        self.books.is_over = True

    async def retry(self) -> None:
        """Another attempt, as a person asks for: no answer that the earlier one was given is one to this."""
        self.world = _another(self.world.repo)
        books = Books(self.books.quorum, verbs=self.books.verbs, unseen=self.books.unseen)
        self.books = books
        await self._begin()

    async def lose_and_restore_the_binding(self) -> None:
        """While the policy on answers is bound nowhere, mallory answers for whoever has not, and the operator looks."""
        name = self.office.named()
        await self.reconcile_run()
        self.office.cluster.kubectl("delete", "validatingadmissionpolicybinding", name)
        self.office.wait(enforced=False)
        self._start_with_a_fresh_memory()
        for question in sorted(self.books.seen):
            for user in set(VOTERS) - self.books.answers.get(question, {}).keys():
                await self._forge(question, user)
        await self.reconcile_questions()
        await self.reconcile_run()
        self.office.apply(*self.office.bindings())
        self.office.wait(enforced=True)
        self._start_with_a_fresh_memory()

    async def _forge(self, question: str, user: str) -> None:
        decision = {"verdict": "Approve", "groups": list(PEOPLE[user]) or None, "comment": "by mallory"}
        with suppress(ApiException):
            await self._people["mallory"].patch_namespaced_custom_object(
                "orch.dev", "v1alpha1", self.namespace, "approvals", question,
                {"spec": {"decisions": {user: decision}}}, _content_type="application/merge-patch+json",
            )  # fmt: skip

    def _start_with_a_fresh_memory(self) -> None:
        """What the operator knew of the policies is a matter of seconds, which would have to be waited for here."""
        self.admission = Admission(self.kube, suffix=self.office.mark)
        self.start_operator()

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
                if self.books.is_over:
                    self.books.unseen.append(f"{act} after the run was cancelled")
                if not known and not self.books.approved(gates[act], tree, git.trees):
                    self.books.unseen.append(f"{act} of {tree}")
                self.books.pushed.add(tree)
                self.books.done.append(act)
            return make(act, do)

        self.world.acts.do = watched  # type: ignore[method-assign]
