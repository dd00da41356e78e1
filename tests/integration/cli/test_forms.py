"""`-o` of the verbs that change an object, as `kubectl patch -o` has it, and of those that show one."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.integration.cli.conftest import Terminal, issue_run, repo
from tests.integration.cli.test_decide import ALICE, Court, court

__all__ = ["court"]


@pytest.mark.parametrize(
    ("words", "plural", "changed"),
    [
        (["mode", "web", "Manual"], "orchestratedrepos", {"mode": "Manual"}),
        (["mode", "web"], "orchestratedrepos", {"mode": "Supervised"}),
        (["pause", "web"], "orchestratedrepos", {"suspend": True}),
        (["pause", "--all"], "orchestratedrepos", {"suspend": True}),
        (["pause", "web-7-1"], "issueruns", {"suspend": True}),
        (
            ["cancel", "web-7-1", "--reason", "enough"],
            "issueruns",
            {"cancel": {"username": "admin", "reason": "enough"}},
        ),
    ],
    ids=" ".join,
)
def test_what_was_changed_is_printed(
    words: list[str], plural: str, changed: dict[str, object], terminal: Terminal
) -> None:
    terminal.apply(repo(), issue_run())
    said = terminal(*words, "-o", "json")
    assert said.code == 0
    name = "web" if plural == "orchestratedrepos" else "web-7-1"
    assert said.json["metadata"]["name"] == name
    assert "managedFields" not in said.json["metadata"]
    assert {key: said.json["spec"][key] for key in changed} == changed
    assert said.json["spec"] == terminal.get(plural, name)["spec"]


def test_names_and_yaml_of_several(terminal: Terminal) -> None:
    terminal.apply(repo(), repo("api", "acme/api"), issue_run())
    names = terminal("pause", "web", "web-7-1", "-o", "name").out
    assert names == "orchestratedrepo.orch.dev/web\nissuerun.orch.dev/web-7-1\n"
    documents = list(yaml.safe_load_all(terminal("resume", "--all", "-o", "yaml").out))
    assert [document["metadata"]["name"] for document in documents] == ["api", "web"]
    assert all(document["kind"] == "OrchestratedRepo" for document in documents)
    assert terminal("mode", "web", "-o", "wide").code == 2, "there is no table of one object"


def test_answers(terminal: Terminal, court: Court) -> None:
    first, second = court.ask(), court.ask()
    said = terminal("approve", first, "-y", "-o", "json", as_user=ALICE)
    assert said.json["spec"]["decisions"][ALICE]["verdict"] == "Approve"
    assert f"Approval {first}: gate Merge" in said.err, "what is answered is shown all the same"
    said = terminal("deny", second, "--reason", "no", "-y", "-o", "name", as_user=ALICE)
    assert said.out == f"approval.orch.dev/{second}\n"
    terminal.apply(repo(), issue_run(approvals=[{"gate": "Merge", "name": second, "outcome": "Pending"}]))
    assert terminal("ask-again", "web-7-1", "-o", "name").out == f"approval.orch.dev/{second}\n"


def test_a_name_can_be_given_to_kubectl(terminal: Terminal, court: Court) -> None:
    name = court.ask()
    terminal.apply(repo(), issue_run())
    for words in (["approvals", "view", name], ["explain", "web-7-1"], ["explain", "web#9"], ["audit", "web"]):
        printed = terminal(*words, "-o", "name").out.split()
        assert len(printed) == 1
        got = terminal.kubectl("get", printed[0], "-n", terminal.namespace, "-o", "json").stdout
        assert json.loads(got)["metadata"]["name"] == printed[0].partition("/")[2]


@pytest.mark.parametrize("words", [["doctor"], ["explain", "web-7-1", "-w"]])
def test_where_there_is_no_name_it_is_refused(words: list[str], terminal: Terminal) -> None:
    said = terminal(*words, "-o", "name")
    assert (said.code, said.out) == (2, "")
    assert "-o name" in said.err
    assert said.err.count("\n") == 1
