"""What the admission policies add to a write: the same request in a namespace that they select and in one that they do not,
one after the other, so that whatever else the machine does falls on both alike."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hack.binaries import ensure
from hack.servers import ControlPlane
from tests.bench.figure import Figure
from tests.cluster import CRDS, Cluster, Kubectl
from tests.integration.admission.office import ALICE, Office
from tests.integration.admission.people import Answer
from tests.integration.api.documents import changed, sample

_ROUNDS = 300
_WARM_UP = 30
_FREE = "free"
"""A namespace that no binding selects."""


def measure() -> Iterator[Figure]:
    """Each kind of write that a policy judges: a person's decision, a person's run, the operator's status."""
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as name:
        programs = ensure(lambda _text: None)
        with ControlPlane(Path(name) / "controlplane", programs, controllers=False) as plane:
            kubectl = Kubectl(programs["kubectl"], plane.kubeconfig)
            kubectl("apply", "--server-side", "-f", str(CRDS))
            kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
            office = Office(Cluster(plane.kubeconfig, kubectl, programs))
            office.open()
            kubectl("create", "namespace", _FREE)
            for role in ("orch-approver", "orch-operator"):
                office.bind(ALICE, role)
                office.bind(ALICE, role, namespace=_FREE)
            writes = {"decide": _decide(office), "run": _run(office), "status": _status(office)}
            for what, write in writes.items():
                yield from _figures(what, *_interleaved(write, office.team))


def _interleaved(write: Callable[[str, int], Answer], bound: str) -> tuple[list[float], list[float]]:
    """Milliseconds of each write with the policies, and without."""
    taken: dict[str, list[float]] = {bound: [], _FREE: []}
    for number in range(_WARM_UP + _ROUNDS):
        for namespace in taken if number % 2 else reversed(taken):
            began = time.perf_counter()
            answer = write(namespace, number)
            seconds = time.perf_counter() - began
            if not answer.accepted:
                raise RuntimeError(f"what was measured was refused: {answer.message}")
            if number >= _WARM_UP:
                taken[namespace].append(seconds * 1000)
    return taken[bound], taken[_FREE]


def _figures(what: str, bound: list[float], free: list[float]) -> Iterator[Figure]:
    for part, goal in ((50, "<= 5"), (95, "<= 15")):
        with_, without = _percentile(bound, part), _percentile(free, part)
        yield Figure(f"admission-{what}-with-p{part}-ms", round(with_, 2), "ms")
        yield Figure(f"admission-{what}-without-p{part}-ms", round(without, 2), "ms")
        yield Figure(f"admission-{what}-added-p{part}-ms", round(with_ - without, 2), "ms", goal)


def _percentile(values: list[float], part: int) -> float:
    return statistics.quantiles(values, n=100)[part - 1]


def _decide(office: Office) -> Callable[[str, int], Answer]:
    """One person answers one question again and again, in both namespaces."""
    alice, name = office.person(ALICE), "payments-1-1-merge-1f2e3d4c5b"
    admin = office.person(office.installation.operator, "system:masters")
    for namespace in (office.team, _FREE):
        document = changed(sample("approval"), {"metadata.name": name})
        admin.ask("POST", admin.path("approvals", namespace=namespace), document)

    def write(namespace: str, number: int) -> Answer:
        decision = {"verdict": "Approve", "comment": f"look {number}"}
        return _patch(
            alice, alice.path("approvals", name, namespace=namespace), {"spec": {"decisions": {ALICE: decision}}}
        )

    return write


def _run(office: Office) -> Callable[[str, int], Answer]:
    alice = office.person(ALICE)

    def write(namespace: str, number: int) -> Answer:
        own = {"metadata": {"name": f"payments-{number + 1}-1"}, "spec.issueNumber": number + 1}
        document = changed(sample("issuerun"), {**own, "spec.trigger.username": ALICE})
        return alice.ask("POST", alice.path("issueruns", namespace=namespace), document)

    return write


def _status(office: Office) -> Callable[[str, int], Answer]:
    """The operator writes the status of the first run of both namespaces."""
    operator = office.person(office.installation.operator, "system:masters")

    def write(namespace: str, number: int) -> Answer:
        path = operator.path("issueruns", "payments-1-1", "status", namespace=namespace)
        return _patch(operator, path, {"status": {"observedGeneration": number}})

    return write


def _patch(person: Any, path: str, body: dict[str, Any]) -> Answer:
    answer: Answer = person.ask("PATCH", path, body, kind="application/merge-patch+json")
    return answer
