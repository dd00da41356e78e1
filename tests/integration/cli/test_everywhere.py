"""`-A`, `-l`, `-w` and `--context`: many namespaces at once, on a real API server that other tests use too, so each test has a
label of its own."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import Cluster
from tests.integration.api.documents import changed, sample
from tests.integration.cli.conftest import Terminal, issue_run, repo
from tests.integration.cli.test_decide import COMMAND, Court

from orch.cli.app import run

_PATIENCE = 60.0


@pytest.fixture
def neighbours(terminal: Terminal, control_plane: Cluster) -> Terminal:
    """A terminal in another namespace."""
    place = control_plane.make_namespace("test")
    return replace(terminal, namespace=place)


@pytest.fixture
def label() -> str:
    """A label that is no other test's."""
    return f"mark={secrets.token_hex(5)}"


def labelled(document: dict[str, Any], label: str) -> dict[str, Any]:
    key, _, value = label.partition("=")
    document["metadata"].setdefault("labels", {})[key] = value
    return document


def question(label: str, name: str = "payments-1-1-merge-1f2e3d4c5b") -> dict[str, Any]:
    policy = {"quorum": 1, "onExpiry": "Deny", "validFor": "72h"}
    own = {"metadata.name": name, "spec.expireTime": "2099-01-01T00:00:00Z", "spec.policy": policy}
    found = changed(sample("approval"), own)
    found["metadata"].pop("namespace", None)
    return labelled(found, label)


@pytest.fixture
def watch(terminal: Terminal) -> Iterator[Callable[..., Any]]:
    """`watch("status", …)`: a verb as a process; `until(text)` reads its stdout up to a line with the text."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> Any:
        command = [*COMMAND, *words, "-w", "--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def until(process: Any, text: str) -> list[str]:
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f"it ended after {lines}: {process.stderr.read()}"
        lines.append(" ".join(line.split()))
    return lines


def test_a_watch_tells_objects_of_one_name_apart(
    terminal: Terminal, neighbours: Terminal, label: str, watch: Callable[..., Any]
) -> None:
    for place in (terminal, neighbours):
        place.apply(labelled(repo(), label))
    process = watch("status", "-A", "-l", label)
    assert len([process.stdout.readline() for _ in range(3)]) == 3
    time.sleep(5)  # two looks at what has not changed
    neighbours.server.patch("orchestratedrepos", "web", neighbours.namespace, {"spec": {"suspend": True}})
    lines = until(process, "Suspended")
    assert [line.split()[0] for line in lines] == [neighbours.namespace]


def test_a_watch_tells_who_is_gone(terminal: Terminal, label: str, watch: Callable[..., Any]) -> None:
    terminal.apply(question(label))
    name = "payments-1-1-merge-1f2e3d4c5b"
    shown, read = watch("inbox", "-l", label), watch("approvals", "list", "-A", "-l", label, "-o", "name")
    assert until(shown, name)[0].startswith("NAME GATE RISK")
    until(read, name)
    Court(terminal).settle(name, "Superseded")
    gone = f"approval.orch.dev/{name} in {terminal.namespace} is not in this list any more"
    assert until(shown, "any more") == [gone]
    assert read.stderr.readline().strip() == gone
    read.terminate()  # a shell has what it runs in the background ignore an interrupt
    assert read.communicate()[0] == "", "what a program reads holds names alone"


def test_inbox_and_approvals_of_all_namespaces(terminal: Terminal, neighbours: Terminal, label: str) -> None:
    for place in (terminal, neighbours):
        place.apply(question(label))
    for verb in (["inbox"], ["approvals", "list"]):
        lines = terminal(*verb, "-A", "-l", label).out.splitlines()
        assert {line.split()[0] for line in lines} == {"NAMESPACE", terminal.namespace, neighbours.namespace}
        found = terminal(*verb, "-A", "-l", label, "-o", "json").json
        assert (found["apiVersion"], found["kind"]) == ("v1", "List")
        assert {item["metadata"]["namespace"] for item in found["items"]} == {terminal.namespace, neighbours.namespace}
        assert terminal(*verb, "-l", "mark=none").err.startswith(
            "nothing waits" if verb == ["inbox"] else "no question"
        )
    listed = terminal("approvals", "list", "-A", "-l", label, "-o", "yaml").out
    assert yaml.safe_load(terminal.kubectl("get", "-f", "-", "-o", "yaml", stdin=listed).stdout)["kind"] == "List"


def test_doctor_and_audit_say_of_which_namespace(terminal: Terminal, neighbours: Terminal, label: str) -> None:
    for place in (terminal, neighbours):
        place.apply(labelled(repo(), label), issue_run())
    both = {terminal.namespace, neighbours.namespace}
    looked = terminal("doctor", "-A", "-l", label)
    lines = [line.split() for line in looked.out.splitlines() if "OrchestratedRepo web" in line]
    assert (looked.out.split()[0], {line[0] for line in lines}) == ("NAMESPACE", both)
    found = terminal("doctor", "-A", "-l", label, "-o", "json").json["items"]
    assert {item["namespace"] for item in found if item["subject"].startswith("OrchestratedRepo")} == both
    told = terminal("audit", "-A", "-l", label).out.splitlines()
    assert {line.split()[0] for line in told} == {"NAMESPACE", *both}
    assert {act["namespace"] for act in terminal("audit", "-A", "-l", label, "-o", "json").json["items"]} == both
    assert terminal("audit", "-A", "-l", label, "-o", "name").out == "issuerun.orch.dev/web-7-1\n"
    assert not terminal("audit").out.startswith("NAMESPACE")


def test_another_context_is_another_namespace(terminal: Terminal, neighbours: Terminal, tmp_path: Path) -> None:
    neighbours.apply(repo())
    config = yaml.safe_load(terminal.kubeconfig.read_text())
    here = config["contexts"][0]
    there = {"name": "there", "context": {**here["context"], "namespace": neighbours.namespace}}
    config["contexts"].append(there)
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    assert run(["status", "-o", "name", "--kubeconfig", str(file), "--context", "there"]) == 0
    assert terminal.capsys.readouterr().out == "orchestratedrepo.orch.dev/web\n"
    assert run(["status", "--kubeconfig", str(file), "--context", "nowhere"]) == 2
    assert terminal.capsys.readouterr().err.count("\n") == 1
