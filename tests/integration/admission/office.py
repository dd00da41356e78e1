"""An installation of its own on the shared API server: policies, roles, the operator's account, a team and its people.

Holds no test. Everything is rendered as for users, with a suffix and for two namespaces, so that offices do not disturb each
other.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from hack.world.leftovers import outside_namespaces
from hack.world.server import Server
from tests.cluster import RBAC, Cluster, rights
from tests.integration.admission.people import Answer, Person
from tests.integration.api.documents import changed, sample

from orch.api.manifests import Installation, admission_policies, manifests
from orch.api.manifests.policies import APPROVALS

ALICE, BOB, CAROL = "alice", "bob", "carol"
_PATIENCE: Final = 60.0


@dataclass
class Office:
    """Where people and machines try what they may not."""

    cluster: Cluster
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    _people: list[Person] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def team(self) -> str:
        return f"team-{self.mark}"

    @property
    def neighbours(self) -> str:
        return f"neighbours-{self.mark}"

    @property
    def home(self) -> str:
        return f"orch-{self.mark}"

    @property
    def installation(self) -> Installation:
        return Installation(namespace=self.home, suffix=self.mark, namespaces=(self.team, self.neighbours))

    def open(self) -> None:
        """Apply everything and wait until the policies hold."""
        spaces = (self.team, self.neighbours)
        self.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in spaces))
        self.apply(*self._everything())
        for name in (ALICE, BOB, CAROL):
            self.bind(name, "orch-approver")
        self.wait(enforced=True)
        self._wait_for_the_last()

    def close(self) -> None:
        for person in self._people:
            person.close()
        self.cluster.server.take_back(*outside_namespaces(self._everything(), self.mark))

    def _everything(self) -> list[dict[str, Any]]:
        return [document for documents in manifests(self.installation).values() for document in documents]

    def apply(self, *documents: dict[str, Any]) -> None:
        self.cluster.server.apply(*documents)

    def bind(self, user: str, role: str, *, kind: str = "User", namespace: str = "") -> None:
        """Give somebody a role in the team's namespace, or in another; a service account is `namespace/name`."""
        subject = {"apiGroup": RBAC, "kind": kind, "name": user}
        if kind == "ServiceAccount":
            subject = {"kind": kind, "namespace": user.partition("/")[0], "name": user.partition("/")[2]}
        self.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{role}-{secrets.token_hex(4)}", "namespace": namespace or self.team},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
                "subjects": [subject],
            }
        )

    def allow(self, user: str, resource: str, *verbs: str, namespace: str = "", only: str = "") -> None:
        """Give somebody single verbs, by a role that is nobody else's; on one object alone if it is named."""
        place, role = namespace or self.team, f"some-{secrets.token_hex(4)}"
        subject = {"apiGroup": RBAC, "kind": "User", "name": user}
        self.apply(*rights(role, place, subject, f"{','.join(verbs)}:{resource}", only=only))
        self._await_right(user, resource, verbs[0], place, only)

    def _await_right(self, user: str, resource: str, verb: str, namespace: str, only: str) -> None:
        """The server hears of a role a moment after it is stored."""
        deadline = time.monotonic() + _PATIENCE
        with Server(self.cluster.kubeconfig, user=user) as server:
            while not server.may(verb, resource, namespace, name=only):
                assert time.monotonic() < deadline, f"the API server has not heard that {user} may {verb} {resource}"
                time.sleep(0.02)

    def person(self, user: str, *groups: str, namespace: str = "") -> Person:
        """A person, by impersonation: RBAC and admission see them as if they had logged in."""
        token = yaml.safe_load(self.cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
        headers = [("Authorization", f"Bearer {token}"), ("Impersonate-User", user)]
        headers += [("Impersonate-Group", group) for group in groups]
        return self._known(Person(self.cluster.kubeconfig, namespace or self.team, headers=headers))

    def holder(self, token: str, *, as_user: str = "") -> Person:
        """Whoever has this token, with the groups that the API server knows; `as_user`: who tries to be somebody else."""
        headers = [("Authorization", f"Bearer {token}"), *([("Impersonate-User", as_user)] if as_user else [])]
        return self._known(Person(self.cluster.kubeconfig, self.team, headers=headers))

    def machine(self, account: str, *, namespace: str = "") -> Person:
        """A service account with a token of its own from the TokenRequest API."""
        home = namespace or self.team
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": home}})
        return self._holder(account, home)

    def operator(self) -> Person:
        """The operator's own account, with its real token and no more than its role."""
        return self._holder("orch", self.home)

    def administrator(self) -> Person:
        """Whoever set the cluster up: RBAC does not hold for them, admission does."""
        return self.person("root", "system:masters")

    def _holder(self, account: str, namespace: str) -> Person:
        token = self.cluster.server.make_token(account, namespace)
        return self._known(Person(self.cluster.kubeconfig, self.team, headers=[("Authorization", f"Bearer {token}")]))

    def _known(self, person: Person) -> Person:
        self._people.append(person)
        return person

    def question(self, **changes: Any) -> str:
        """An Approval that the operator has just asked; its name."""
        name = f"payments-{next(self._numbers)}-1-merge-1f2e3d4c5b"
        document = changed(sample("approval"), {"metadata.name": name, **changes})
        place = document["metadata"].get("namespace", "")
        operator = self.operator()
        answer = operator.ask("POST", operator.path("approvals", namespace=place), document)
        assert answer.accepted, answer.message
        return name

    def object(self, plural: str, **changes: Any) -> str:
        """An IssueRun or an OrchestratedRepo, made by the administrator; its name."""
        number = next(self._numbers)
        document = sample("issuerun" if plural == "issueruns" else "minimal")
        own = {
            "metadata.name": f"payments-{number}-1" if plural == "issueruns" else f"repo-{number}",
            "metadata.namespace": self.team,
        }
        if plural == "issueruns":
            labels = {"orch.dev/repo": "payments", "orch.dev/issue": str(number)}
            own |= {"spec.issueNumber": number, "metadata.labels": labels, "spec.trigger.username": "root"}
        answer = self.administrator().create(plural, changed(document, {**own, **changes}))
        assert answer.accepted, answer.message
        return str(answer.document["metadata"]["name"])

    def point(self) -> str:
        """A RollbackPoint, made by the operator; its name."""
        name = f"payments-{next(self._numbers)}"
        document = changed(sample("rollbackpoint"), {"metadata.name": name, "metadata.namespace": self.team})
        answer = self.operator().create("rollbackpoints", document)
        assert answer.accepted, answer.message
        return name

    def settle(self, name: str, outcome: str) -> None:
        """The operator's verdict on a question."""
        condition = {
            "type": "Decided",
            "status": "True",
            "reason": outcome,
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        status = {"status": {"outcome": outcome, "conditions": [condition]}}
        answer = self.operator().patch("approvals", name, status, sub="status")
        assert answer.accepted, answer.message

    def decisions(self, name: str) -> dict[str, Any]:
        """The answers that stand."""
        return dict(self.administrator().get("approvals", name)["spec"].get("decisions") or {})

    def wait(self, *, enforced: bool) -> None:
        """Until a change of the policies has reached the API server, which takes it up a moment after it is stored."""
        operator, deadline = self.operator(), time.monotonic() + _PATIENCE
        while self.forgery(operator).accepted is enforced:
            assert time.monotonic() < deadline, "the API server has not taken the policies up"
            time.sleep(0.1)

    def _wait_for_the_last(self) -> None:
        """The server may take policies up while some are not stored yet. That of status is stored last: who finds it finds all."""
        name, administrator, deadline = (
            self.object("orchestratedrepos"),
            self.administrator(),
            time.monotonic() + _PATIENCE,
        )
        while administrator.patch(
            "orchestratedrepos", name, {"status": {"observedGeneration": 1}}, sub="status"
        ).accepted:
            assert time.monotonic() < deadline, "the API server has not taken the last policy up"
            time.sleep(0.1)

    def forgery(self, operator: Person) -> Answer:
        """The operator answers in a person's name, as a dry run."""
        document = changed(sample("approval"), {"spec.decisions": {ALICE: {"verdict": "Approve"}}})
        return operator.create("approvals", document, dryRun="All")

    def bindings(self) -> list[dict[str, Any]]:
        """The policy bindings, as rendered."""
        found = admission_policies(self.installation)
        return [document for document in found if document["kind"] == "ValidatingAdmissionPolicyBinding"]

    def named(self, policy: str = APPROVALS) -> str:
        """A policy's name in this office."""
        return self.installation.name(policy)


@contextmanager
def opened(cluster: Cluster) -> Iterator[Office]:
    """An installation of one's own, taken away afterwards, also when opening it failed half-way."""
    office = Office(cluster)
    try:
        office.open()
        yield office
    finally:
        office.close()
