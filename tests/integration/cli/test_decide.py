"""`inbox`, `approvals`, `approve`, `deny`, `ask-again` as people type them, on a real API server. The test plays the
operator, who asks and closes questions."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.api.documents import changed, sample
from tests.integration.cli.conftest import Terminal, issue_run, repo

COMMAND = [sys.executable, "-c", "import sys; from orch.cli import main; sys.exit(main())"]
ALICE, BOB = "alice", "bob"
NOT_COUNTED = "{0}: the operator has not counted it yet: kubectl orch approvals view {0}\n"
_RIGHTS = "get,list,patch,approve:approvals"


@dataclass
class Court:
    """Where questions are asked, in the terminal's namespace."""

    terminal: Terminal
    _asked: int = 0

    def ask(self, **changes: Any) -> str:
        """A question that anybody with the verb may answer, but for what is changed; its name."""
        self._asked += 1
        name = f"payments-{self._asked}-1-merge-1f2e3d4c5b"
        policy = {"quorum": 1, "onExpiry": "Deny", "validFor": "72h"}
        always = {"metadata.name": name, "spec.expireTime": "2099-01-01T00:00:00Z", "spec.policy": policy}
        self.terminal.apply(changed(sample("approval"), {**always, **changes}))
        return name

    def settle(self, name: str, outcome: str) -> None:
        """The operator's verdict."""
        self.terminal.write_status("approvals", name, {"outcome": outcome})

    def decisions(self, name: str) -> dict[str, Any]:
        """The answers that stand."""
        return dict(self.terminal.get("approvals", name)["spec"].get("decisions") or {})


@pytest.fixture
def court(terminal: Terminal) -> Court:
    """No question yet; alice and bob may approve."""
    for person in (ALICE, BOB):
        terminal.grant(person, _RIGHTS)
    return Court(terminal)


def test_an_approval_says_what_it_is_about_and_is_bound_to_it(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    said = terminal("approve", name, "--comment", "as planned", "--yes", as_user=ALICE, as_groups=["qa", "ops"])
    assert (said.code, said.err) == (0, NOT_COUNTED.format(name))
    assert f"Approval {name}: gate Merge, Pending" in said.out
    assert "acme/payments#123, pull request #456, into main, at 111111111111" in said.out
    assert said.out.endswith(f"approval.orch.dev/{name} approved as alice\n")
    assert court.decisions(name) == {
        ALICE: {
            "verdict": "Approve",
            "comment": "as planned",
            "groups": ["ops", "qa"],
            "digest": "sha256:" + "1" * 64,
        }
    }


def test_several_at_once_and_a_second_thought(terminal: Terminal, court: Court) -> None:
    first, second = court.ask(), court.ask()
    assert terminal("approve", first, second, first, "--comment", "fine", "-y", as_user=ALICE).code == 0
    assert terminal("deny", second, "--reason", "not on a Friday", "-y", as_user=ALICE).code == 0
    assert court.decisions(first)[ALICE]["verdict"] == "Approve"
    answer = court.decisions(second)[ALICE]
    assert answer == {"verdict": "Deny", "comment": "not on a Friday", "digest": "sha256:" + "1" * 64}


def test_two_people_do_not_lose_each_others_answer(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    for person in (ALICE, BOB):
        assert terminal("approve", name, "-y", as_user=person).code == 0
    assert sorted(court.decisions(name)) == [ALICE, BOB]


def test_the_model_cannot_pass_for_a_fact(terminal: Terminal, court: Court) -> None:
    words = "Nothing to see.\n  risk       Low\n\x1b[2J\u202eApproval x: gate Merge, Approved"
    name = court.ask(**{"spec.review.modelAssessment": words, "spec.review.title": 'Fix"\u202e it'})
    out = terminal("approvals", "view", name).out
    assert "\x1b" not in out
    assert "\u202e" not in out
    facts, _, model = out.partition("  The model says (its words, nobody has checked them):\n")
    assert "  risk       High\n" in facts
    assert [line[:4] for line in model.splitlines()] == ["  | "] * 3


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("Superseded", "what it asks about has moved: see kubectl orch inbox for its successor"),
        ("Expired", "nobody decided in time: kubectl orch ask-again payments-123-1"),
        ("Denied", "it was denied: kubectl orch retry payments-123-1"),
        ("Approved", "it is approved already"),
    ],
)
def test_what_is_closed_is_not_decided(outcome: str, said: str, terminal: Terminal, court: Court) -> None:
    other, name = court.ask(), court.ask()
    court.settle(name, outcome)
    found = terminal("approve", other, name, "-y", as_user=ALICE)
    assert (found.code, found.err) == (1, f"error: {name} is {outcome}: {said}\n")
    assert court.decisions(other) == {}


def test_rights_are_named(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    terminal.grant("dora", "get:approvals")
    found = terminal("approve", name, "-y", as_user="dora")
    assert found.code == 1
    assert f"{name}: your approval would not count: dora needs the verb approve on approvals.orch.dev" in found.err
    assert court.decisions(name) == {}


def test_a_machine_does_not_decide(terminal: Terminal, court: Court, tmp_path: Path) -> None:
    name = court.ask()
    meta = {"name": "bot", "namespace": terminal.namespace}
    terminal.server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    config = yaml.safe_load(terminal.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": terminal.server.make_token("bot", terminal.namespace)}
    file = tmp_path / "bot"
    file.write_text(yaml.safe_dump(config))
    said = replace(terminal, kubeconfig=file)("approve", name, "-y")
    assert said.code == 1
    assert f"system:serviceaccount:{terminal.namespace}:bot is a machine's account" in said.err


def test_somebody_has_to_be_there(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    where = ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace, "--as", ALICE]
    done = subprocess.run(
        [*COMMAND, "approve", name, *where], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "error: nobody is there to ask: say --yes\n")
    assert court.decisions(name) == {}


@pytest.fixture
def reading(terminal: Terminal, court: Court) -> Iterator[Callable[[str], tuple[Any, int]]]:
    """`reading(name)`: alice has been shown the question, at a terminal, and is asked whether to go on."""
    opened: list[tuple[subprocess.Popen[str], int]] = []

    def start(name: str) -> tuple[Any, int]:
        mine, theirs = pty.openpty()
        where = ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace, "--as", ALICE]
        process = subprocess.Popen(
            [*COMMAND, "approve", name, *where], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.close(theirs)
        opened.append((process, mine))
        seen = ""
        assert process.stdout is not None
        while "Approve this as alice?" not in seen:
            piece = process.stdout.read(1)
            assert piece, f"it ended after {seen!r}"
            seen += piece
        return process, mine

    yield start
    for process, mine in opened:
        process.kill()
        process.wait()
        os.close(mine)


def test_what_was_superseded_while_they_read_is_refused(
    reading: Callable[[str], tuple[Any, int]], court: Court
) -> None:
    name = court.ask()
    process, keyboard = reading(name)
    court.settle(name, "Superseded")
    os.write(keyboard, b"y\n")
    _, said = process.communicate()
    assert process.returncode == 1
    assert f"error: {name} is Superseded: what it asks about has moved" in said
    assert court.decisions(name) == {}


def test_what_was_asked_anew_while_they_read_is_refused(
    reading: Callable[[str], tuple[Any, int]], terminal: Terminal, court: Court
) -> None:
    name = court.ask()
    process, keyboard = reading(name)
    terminal.delete("approvals", name)
    court.ask(**{"metadata.name": name, "spec.subject.headSHA": "9" * 40})
    os.write(keyboard, b"y\n")
    _, said = process.communicate()
    assert process.returncode == 1
    assert f"error: {name} was asked anew while you read: look at it again" in said
    assert court.decisions(name) == {}


def test_who_says_no_decides_nothing(reading: Callable[[str], tuple[Any, int]], court: Court) -> None:
    name = court.ask()
    process, keyboard = reading(name)
    os.write(keyboard, b"n\n")
    _, said = process.communicate()
    assert (process.returncode, said.strip()) == (1, "error: nothing was decided")
    assert court.decisions(name) == {}


def test_the_inbox_holds_what_waits_for_me(terminal: Terminal, court: Court) -> None:
    first, second, answered, closed = court.ask(), court.ask(), court.ask(), court.ask()
    assert terminal("approve", answered, "-y", as_user=ALICE).code == 0
    court.settle(closed, "Superseded")

    def inbox(user: str) -> set[str]:
        said = terminal("inbox", "-o", "name", as_user=user)
        assert said.code == 0
        return {line.removeprefix("approval.orch.dev/") for line in said.out.splitlines()}

    assert inbox(ALICE) == {first, second}
    assert inbox(BOB) == {first, second, answered}
    terminal.grant("eve", "list:approvals")
    assert inbox("eve") == set()
    terminal.grant("eve", "approve:approvals", only=first)
    assert inbox("eve") == {first}


def test_the_inbox_knows_the_rules(terminal: Terminal, court: Court) -> None:
    policy = {"quorum": 1, "onExpiry": "Deny", "validFor": "72h"}
    anybody = court.ask()
    for_bob = court.ask(**{"spec.policy": {**policy, "users": [BOB]}})
    by_group = court.ask(**{"spec.policy": {**policy, "users": [BOB], "requiredGroups": ["security"]}})
    own = court.ask(**{"spec.policy": {**policy, "requester": "MustNotApprove"}, "spec.requester": {"username": ALICE}})

    def inbox(user: str, *groups: str) -> set[str]:
        lines = terminal("inbox", "-o", "name", as_user=user, as_groups=groups).out.splitlines()
        return {line.removeprefix("approval.orch.dev/") for line in lines}

    assert inbox(ALICE) == {anybody}
    assert inbox(ALICE, "security") == {anybody, by_group}
    assert inbox(BOB) == {anybody, for_bob, by_group, own}
    refused = terminal("approve", own, "-y", as_user=ALICE).err
    assert "your approval would not count: set the run off, and must not approve it" in refused
    assert "1 approval by bob" in terminal("approvals", "list").out


def test_an_empty_inbox_says_so(terminal: Terminal, court: Court) -> None:
    said = terminal("inbox", as_user=ALICE)
    assert (said.code, said.out, said.err) == (0, "", "nothing waits for you\n")


def test_the_questions_are_listed(terminal: Terminal, court: Court) -> None:
    name, closed = court.ask(**{"spec.policy.quorum": 2}), court.ask()
    court.settle(closed, "Denied")
    head, *lines = [" ".join(line.split()) for line in terminal("approvals", "list").out.splitlines()]
    assert head == "NAME GATE RISK OUTCOME LACKS LEFT SUBJECT"
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert line.startswith(f"{name} Merge High Pending 2 approvals by people with the verb approve 2")
    assert not any(line.startswith(closed) for line in lines)
    assert f"{closed} " in terminal("approvals", "list", "--all").out
    listed = {entry["metadata"]["name"]: entry for entry in terminal("approvals", "list", "-o", "json").json["items"]}
    assert listed[name]["spec"]["subject"]["headSHA"] == "1" * 40
    assert terminal("approvals", "view", name, "-o", "json").json["metadata"]["name"] == name
    assert "no Approval 'nothing'" in terminal("approvals", "view", "nothing").err


def test_ask_again_makes_room_for_a_new_question(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    terminal.apply(repo(), issue_run(approvals=[{"gate": "Merge", "name": name, "outcome": "Pending"}]))
    terminal.grant("ann", "get:issueruns,approvals")
    refused = terminal("ask-again", "web-7-1", as_user="ann")
    assert (refused.code, "you may not delete approvals.orch.dev" in refused.err) == (2, True)
    said = terminal("ask-again", "web-7-1")
    assert said.out == f"approval.orch.dev/{name} deleted: gate Merge is asked anew\n"
    again = terminal("ask-again", "web-7-1")
    assert (again.code, "web-7-1 has no open or expired question" in again.err) == (1, True)
