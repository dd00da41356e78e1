"""Answers by people whose groups give them the verb, as the CLI sends them and as the operator counts them, on a real API
server with the admission policies and roles that users install."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.cluster import Cluster
from tests.fakes.cluster import Enforced
from tests.integration.admission.office import Office, opened
from tests.integration.cli.conftest import Terminal

from orch.api.v1alpha1 import Approval, CountedDecision, OrchestratedRepo
from orch.kube.client import ActAs, connect
from orch.kube.store import Store
from orch.policy.approvals import record
from orch.reconcilers.counting import Counting

MANY = [f"a{number:02}" for number in range(20)]
OPEN = {"spec.expireTime": "2099-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    """An installation of this module's own; group `zz-approvers` may approve."""
    with opened(control_plane) as office:
        office.bind("zz-approvers", "orch-approver", kind="Group")
        yield office


@pytest.fixture
def desk(office: Office, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal in the team's namespace."""
    return Terminal(office.cluster.kubeconfig, office.team, office.cluster, capsys)


def ask(office: Office, **policy: Any) -> str:
    """A question that anybody with the verb may answer, but for what the policy says."""
    return office.question(**OPEN, **{"spec.policy": {"quorum": 1, "onExpiry": "Deny", "validFor": "72h", **policy}})


def count(office: Office, name: str, *, write: bool = False) -> CountedDecision:
    """The only answer, as the operator counts it."""

    async def counted() -> CountedDecision:
        operator = ActAs(office.installation.operator)
        async with await connect(office.cluster.kubeconfig, act_as=operator) as kube:
            store = Store(kube, Approval)
            question = await store.get(office.team, name)
            counting = Counting(
                kube,
                Store(kube, OrchestratedRepo),
                enforcement=Enforced(),
                operator_namespace=office.home,
                clock=lambda: datetime.now(UTC),
            )
            tally = await counting.count(question)
            if write:
                read = question.deep_copy()
                record(question, tally, datetime.now(UTC))
                await store.write_status(question, read)
            return tally.decisions[0]

    return asyncio.run(counted())


@pytest.mark.parametrize(
    ("user", "groups", "claimed"),
    [
        pytest.param("root", ["system:masters"], ["system:masters"], id="an administrator by kubeconfig"),
        pytest.param("mia", [*MANY, "zz-approvers"], ["zz-approvers", *MANY[:15]], id="of more groups than fit"),
        pytest.param("alice", [*MANY, "system:masters"], MANY[:16], id="by name, whatever their groups are"),
    ],
)
def test_the_group_that_grants_the_verb_is_claimed_and_counts(
    user: str, groups: list[str], claimed: list[str], desk: Terminal, office: Office
) -> None:
    name = ask(office)
    said = desk("approve", name, "-y", as_user=user, as_groups=groups)
    assert (said.code, said.out.splitlines()[-1]) == (0, f"approval.orch.dev/{name} approved as {user}")
    assert office.decisions(name)[user]["groups"] == claimed
    assert count(office, name).counted


def test_required_groups_are_claimed_before_others(desk: Terminal, office: Office) -> None:
    name = ask(office, groups=[*MANY, "yy"], requiredGroups=["xx"])
    groups = [*MANY, "xx", "yy", "zz-approvers"]
    assert desk("approve", name, "-y", as_user="mia", as_groups=groups).code == 0
    assert office.decisions(name)["mia"]["groups"][:3] == ["zz-approvers", "xx", "a00"]
    assert count(office, name).counted


@pytest.mark.parametrize("verb", [["approve"], ["deny", "--reason", "no"]], ids=["approval", "denial"])
def test_what_would_not_count_is_not_sent(verb: list[str], desk: Terminal, office: Office) -> None:
    name = ask(office)
    office.bind("dora", "orch-viewer")
    office.allow("dora", "approvals", "patch")
    said = desk(verb[0], name, "-y", *verb[1:], as_user="dora", as_groups=MANY)
    assert said.code == 1
    assert "would not count: dora needs the verb approve on approvals.orch.dev in namespace" in said.err
    assert said.err.count("\n") == 1
    assert office.decisions(name) == {}


def test_the_inbox_of_an_administrator_is_theirs_to_decide(desk: Terminal, office: Office) -> None:
    name = ask(office)
    listed = desk("inbox", "-o", "name", as_user="root", as_groups=["system:masters"]).out.split()
    assert f"approval.orch.dev/{name}" in listed
    listed = desk("inbox", "-o", "name", as_user="mia", as_groups=[*MANY, "zz-approvers"]).out.split()
    assert f"approval.orch.dev/{name}" in listed


@pytest.fixture
def operator(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An operator that counts the answers to the questions that are put into the list."""
    monkeypatch.setattr("orch.cli.counted.PATIENCE", 60.0)
    names: list[str] = []
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.2):
            for name in names:
                if office.decisions(name):
                    count(office, name, write=True)

    thread = threading.Thread(target=work)
    thread.start()
    yield names
    ended.set()
    thread.join()


def test_what_the_operator_does_not_count_is_not_called_approved(
    desk: Terminal, office: Office, operator: list[str]
) -> None:
    """Who is who on the code host is the operator's to know: the plugin takes nobody for the requester."""
    name = ask(office, requester="MustNotApprove")
    operator.append(name)
    said = desk("approve", name, "-y", as_user="alice")
    assert (said.code, "approved as" in said.out) == (1, False)
    assert f"error: {name}: your approval is kept, but does not count: no login on the code host is known" in said.err
    assert said.err.count("\n") == 1


def test_what_the_operator_counts_is_approved_without_a_word_more(
    desk: Terminal, office: Office, operator: list[str]
) -> None:
    name = ask(office)
    operator.append(name)
    said = desk("approve", name, "-y", as_user="root", as_groups=["system:masters"])
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(f"{name} approved as root\n")
