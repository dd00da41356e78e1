"""`doctor` and `audit` on a real API server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.cluster import Cluster
from tests.integration.admission.office import Office, opened
from tests.integration.cli.conftest import Said, Terminal, conditions, issue_run, repo


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def a_lease(namespace: str, renewed: str) -> dict[str, Any]:
    """The operator's Lease, kept in the test's namespace."""
    spec = {"holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": renewed}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "orch-operator"},
        "spec": spec,
    }


def seen(document: dict[str, Any]) -> dict[str, Any]:
    """As the operator leaves it once it has looked at generation 1."""
    document["status"] |= {"observedGeneration": 1}
    return document


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    """An installation of this module's own: its admission policies are looked at."""
    with opened(control_plane) as office:
        yield office


@pytest.fixture
def examine(terminal: Terminal, office: Office) -> Any:
    """Run `doctor` with the operator in the test's namespace; the findings by subject."""

    def run(*words: str, **person: Any) -> tuple[Said, dict[str, dict[str, str]]]:
        where = ["--operator-namespace", terminal.namespace, "--suffix", office.mark]
        said = terminal("doctor", *where, "-o", "json", *words, **person)
        return said, {entry["subject"]: entry for entry in said.json["items"]}

    return run


def test_all_is_well(examine: Any, terminal: Terminal, office: Office) -> None:
    terminal.apply(a_lease(terminal.namespace, ago(seconds=1)), seen(repo()))
    said, found = examine()
    assert said.code == 0
    skipped = {subject for subject, entry in found.items() if entry["state"] != "ok"}
    assert skipped == {"Gateway", "Operator's watches"}
    assert {found[subject]["state"] for subject in skipped} == {"skipped"}, "not looked at is not well"
    assert found["Operator"]["message"] == "pod-1 is active"
    assert f"they take system:serviceaccount:{office.home}:orch for" in found["Admission policies"]["message"]
    none = examine("-l", "team=green")[1]["Repositories"]["message"]
    assert none == f"no OrchestratedRepo with the labels team=green in namespace {terminal.namespace!r}"


@pytest.mark.parametrize(
    ("renewed", "message"),
    [(None, "no operator holds Lease"), (3600, "pod-1 has been silent for 36")],
)
def test_no_operator(renewed: int | None, message: str, examine: Any, terminal: Terminal) -> None:
    if renewed is not None:
        terminal.apply(a_lease(terminal.namespace, ago(seconds=renewed)))
    said, found = examine()
    assert said.code == 1
    assert message in found["Operator"]["message"]
    assert "start the operator" in found["Operator"]["fix"]


def test_a_bad_credential_names_its_cure(examine: Any, terminal: Terminal) -> None:
    broken = seen(repo())
    broken["status"]["conditions"] = conditions(
        Ready=("False", "BadCredentials", "401"), CredentialsReady=("False", "BadCredentials", "401")
    )
    terminal.apply(a_lease(terminal.namespace, ago(seconds=1)), broken)
    said, found = examine("web")
    assert said.code == 1
    assert found["OrchestratedRepo web CredentialsReady"]["message"] == "BadCredentials: 401"
    assert found["OrchestratedRepo web CredentialsReady"]["fix"] == (
        "The host refuses the token (401). Put a valid one into the Secret."
    )


def test_rules_of_the_host_are_told_and_those_that_do_not_fit_are_wrong(examine: Any, terminal: Terminal) -> None:
    lease, known, ready = a_lease(terminal.namespace, ago(seconds=1)), seen(repo()), ("True", "Available", "")
    waits = "the rules of main let orch merge, after 1 approving review"
    known["status"]["conditions"] = conditions(Ready=ready, RulesFit=("True", "Fits", waits))
    terminal.apply(lease, known)
    said, found = examine("web")
    assert said.code == 0
    assert found["OrchestratedRepo web"]["message"] == f"ready; the host accepts its credential; {waits}"
    known["status"]["conditions"] = conditions(
        Ready=ready, RulesFit=("False", "MergeQueueRequired", "main asks for it")
    )
    terminal.apply(known)
    said, found = examine("web")
    assert said.code == 1
    assert "a merge queue" in found["OrchestratedRepo web RulesFit"]["fix"]


def test_a_change_that_nobody_has_seen(examine: Any, terminal: Terminal) -> None:
    terminal.apply(a_lease(terminal.namespace, ago(seconds=1)), seen(repo()))
    assert terminal("mode", "web", "Manual").code == 0
    _, found = examine()
    assert found["OrchestratedRepo web"]["message"] == "the operator has not seen its change 2 yet"


def test_what_may_not_be_looked_at_is_unseen(examine: Any, terminal: Terminal) -> None:
    terminal.grant("ann", "get,list:orchestratedrepos")
    said, found = examine(as_user="ann")
    assert said.code == 2
    assert (found["CRDs"]["state"], found["Operator"]["state"]) == ("unseen", "unseen")
    assert "you may not get leases.coordination.k8s.io" in found["Operator"]["message"]
    assert "you may not get validatingadmissionpolicies" in found["Admission policies"]["message"]
    assert all(entry["fix"] for entry in found.values() if entry["state"] != "ok")


def test_policies_that_lack_are_noticed_without_a_repository(examine: Any, terminal: Terminal, office: Office) -> None:
    terminal.apply(a_lease(terminal.namespace, ago(seconds=1)))
    assert examine()[0].code == 0
    said, found = examine("--suffix", "nobody-s")
    assert said.code == 1
    entry = found["Admission policies"]
    assert entry["message"] == (
        "ValidatingAdmissionPolicy approvals.orch.dev-nobody-s is missing, so no approval counts"
    )
    assert "apply manifests/admission.yaml of this release" in entry["fix"]


def test_a_policy_that_was_changed_is_noticed(examine: Any, terminal: Terminal, office: Office) -> None:
    binding = office.bindings()[-1]["metadata"]["name"]
    kind = "validatingadmissionpolicybinding"
    change = ["patch", kind, binding, "--type=merge", "-p"]
    terminal.kubectl(*change, '{"spec":{"validationActions":["Audit"]}}')
    try:
        entry = examine()[1]["Admission policies"]
    finally:
        terminal.kubectl(*change, '{"spec":{"validationActions":["Deny","Audit"]}}')
    assert (entry["state"], "does not deny" in entry["message"]) == ("wrong", True)


@pytest.fixture
def program() -> Iterator[str]:
    """A program whose `/readyz` says what is wrong."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well/readyz" else 503)
            self.end_headers()
            self.wfile.write(b"there is no model key: check the file\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            return

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_programs_are_asked_where_they_are_named(program: str, examine: Any, terminal: Terminal) -> None:
    terminal.apply(a_lease(terminal.namespace, ago(seconds=1)))
    said, found = examine("--gateway", program, "--operator", f"{program}/well")
    assert said.code == 1
    assert found["Gateway"]["message"].startswith("there is no model key: check the file")
    assert found["Operator's watches"]["message"] == "ready"
    assert examine("--gateway", "http://127.0.0.1:1")[1]["Gateway"]["message"] == "no answer (ConnectError)"


def test_the_record_of_who_did_what(terminal: Terminal) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    effect = {"key": "push/abc", "state": "Done", "observed": "abc", "time": now}
    failed = {"conditions": conditions(Succeeded=("False", "CancelledByUser", "bob: enough")), "completionTime": now}
    run = issue_run(effects=[effect | {"time": "2026-01-01T00:00:00Z", "key": "long ago"}, effect], **failed)
    run["spec"]["cancel"] = {"username": "bob", "reason": "enough\x1b[2J"}
    terminal.apply(repo(), repo("api", "acme/api"), run, issue_run(8, repo="api"))
    acts = terminal("audit", "web", "-o", "json").json["items"]
    assert sorted((act["who"], act["what"], act["object"]) for act in acts) == [
        ("ann", "run asked for (Label)", "issuerun/web-7-1"),
        ("bob", "cancelled", "issuerun/web-7-1"),
        ("orch", "effect push/abc Done", "issuerun/web-7-1"),
        ("orch", "run ended (CancelledByUser)", "issuerun/web-7-1"),
    ]
    assert "\x1b" not in terminal("audit").out
    assert "issuerun/api-8-1" in terminal("audit", "--since", "90m").out
    terminal.server.patch("orchestratedrepos", "api", terminal.namespace, {"metadata": {"labels": {"team": "green"}}})
    green = terminal("audit", "-l", "team=green", "-o", "json").json["items"]
    assert {act["object"] for act in green} == {"issuerun/api-8-1"}
    assert terminal("audit", "web", "-l", "team=green").err == "error: name web or say -l team=green, not both\n"
    assert terminal("audit", "--since", "yesterday").code == 2


def test_events_are_part_of_the_record_where_they_may_be_read(terminal: Terminal) -> None:
    terminal.apply(repo())
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "eventTime": ago(seconds=5),
        "reportingController": "orch.dev/orch",
        "reportingInstance": "pod-1",
        "action": "Reconcile",
        "reason": "Stalled",
        "type": "Warning",
        "note": "five runs failed",
        "regarding": {
            "apiVersion": "orch.dev/v1alpha1",
            "kind": "OrchestratedRepo",
            "name": "web",
            "namespace": terminal.namespace,
        },
    }
    terminal.server.apply(event, namespace=terminal.namespace)
    assert "event Stalled" in terminal("audit").out
    assert "event Stalled" in terminal("audit", "web").out
    assert "event Stalled" not in terminal("audit", "-l", "team=green").out
    terminal.grant("ann", "list:issueruns,approvals,rollbackpoints")
    assert "you may not list events.events.k8s.io" in terminal("audit", as_user="ann").err
