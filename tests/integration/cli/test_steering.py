"""`mode`, `pause`, `resume`, `cancel`, `drain`, `retry`, `plan`, `diff`: what they change on a real API server, and say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.integration.cli.conftest import Terminal, conditions, issue_run, repo

ENDED = {
    "completionTime": "2026-01-01T00:00:00Z",
    "conditions": conditions(Succeeded=("False", "TestsRed", "2 tests stayed red")),
    "failure": {"class": "Terminal", "reason": "TestsRed", "message": "2 tests stayed red"},
}
STEP = {"name": "web-7-1-implement-1", "state": "Running", "stage": "Implement", "attempt": 1}

THEIRS = "b" * 40


def _taken() -> dict[str, Any]:
    """The status of a run whose branch somebody else has pushed to."""
    commit = {"sha": THEIRS, "author": "Bob", "subject": "Mend it\x1b[2J"}
    theirs = {"headSHA": THEIRS, "commits": [commit], "commitsOmitted": 2, "files": 2, "additions": 10, "deletions": 3}
    branch = {"name": "orch/issue-7-1a2b3c4d", "headSHA": "a" * 40, "takenOver": True, "theirs": theirs}
    return {"branch": branch, "pullRequest": {"number": 5, "url": "https://github.com/acme/web/pull/5"}}


def test_a_mode_is_said_and_set(terminal: Terminal) -> None:
    terminal.apply(repo())
    assert terminal("mode", "web").out == "orchestratedrepo.orch.dev/web is in mode Supervised\n"
    said = terminal("mode", "acme/web", "Manual")
    assert said.out == "orchestratedrepo.orch.dev/web is now in mode Manual, it was Supervised\n"
    assert terminal.get("orchestratedrepos", "web")["spec"]["mode"] == "Manual"


@pytest.mark.parametrize(
    ("metadata", "manager"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "apps:orch.dev/OrchestratedRepo:x/web"}}, "Argo CD"),
        ({"labels": {"argocd.argoproj.io/instance": "apps"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "orch"}}, "Flux"),
    ],
)
def test_a_mode_that_comes_from_git_is_changed_there(
    metadata: dict[str, Any], manager: str, terminal: Terminal
) -> None:
    managed = repo()
    managed["metadata"] |= metadata
    terminal.apply(managed)
    said = terminal("mode", "web", "Manual")
    assert said.code == 2
    assert (
        f"web is managed by {manager}: change spec.mode in Git; kubectl orch pause web stops it meanwhile" in said.err
    )
    assert terminal.get("orchestratedrepos", "web")["spec"]["mode"] == "Supervised"


def test_a_word_that_is_no_mode(terminal: Terminal) -> None:
    assert terminal("mode", "web", "Yolo").code == 2


def test_repositories_and_runs_are_paused_and_resumed(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run())
    said = terminal("pause", "acme/web", "web-7-1")
    assert said.out == (
        "orchestratedrepo.orch.dev/web paused: what is running finishes its step, then waits\n"
        "issuerun.orch.dev/web-7-1 paused: what is running finishes its step, then waits\n"
    )
    assert terminal.get("orchestratedrepos", "web")["spec"]["suspend"] is True
    assert terminal.get("issueruns", "web-7-1")["spec"]["suspend"] is True
    assert terminal("resume", "web", "web-7-1").code == 0
    assert "suspend" not in terminal.get("orchestratedrepos", "web")["spec"]
    assert "suspend" not in terminal.get("issueruns", "web-7-1")["spec"]


def test_resuming_closes_an_open_circuit_breaker_and_says_so(terminal: Terminal) -> None:
    open_circuit = repo()
    open_circuit["status"]["circuit"] = {"state": "Open", "consecutiveFailures": 5}
    terminal.apply(open_circuit)
    said = terminal("resume", "web")
    assert said.out == "orchestratedrepo.orch.dev/web resumed; its circuit breaker closes, and counts anew\n"
    asked = terminal.get("orchestratedrepos", "web")["metadata"]["annotations"]["orch.dev/resetAt"]
    terminal.write_status("orchestratedrepos", "web", {"circuit": {"state": "Closed"}})
    assert terminal("resume", "web").out == "orchestratedrepo.orch.dev/web resumed\n"
    assert terminal.get("orchestratedrepos", "web")["metadata"]["annotations"]["orch.dev/resetAt"] == asked


def test_somebody_elses_commits_are_shown_and_exactly_that_head_is_adopted(terminal: Terminal) -> None:
    paused = issue_run(**_taken())
    paused["spec"]["suspend"] = True
    terminal.apply(repo(), paused)
    terminal.grant("ann", "get,list,patch:issueruns")
    unsure = terminal("resume", "web-7-1", "--adopt", as_user="ann")
    assert (unsure.code, unsure.err) == (2, "error: nobody is there to ask: say --yes\n")
    assert "adopt" not in terminal.get("issueruns", "web-7-1")["spec"]
    said = terminal("resume", "web-7-1", "--adopt", "--yes", as_user="ann")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"branch orch/issue-7-1a2b3c4d is at {THEIRS} (https://github.com/acme/web/pull/5)",
        f"  {THEIRS[:12]} Mend it[2J (Bob)",
        "  and 2 more commits",
        "against what orch had put there: 2 files, +10 -3",
        f"issuerun.orch.dev/web-7-1 goes on with {THEIRS[:12]}, once the guards have judged it, "
        "and people are asked anew where policy asks them",
    ]
    spec = terminal.get("issueruns", "web-7-1")["spec"]
    assert (spec["adopt"]["username"], spec["adopt"]["headSHA"]) == ("ann", THEIRS)
    assert spec["adopt"]["time"]
    assert "suspend" not in spec


def test_what_orch_could_not_read_is_said_before_it_is_adopted(terminal: Terminal) -> None:
    taken = _taken()
    taken["branch"]["theirs"] = {"headSHA": THEIRS}
    terminal.apply(repo(), issue_run(**taken))
    said = terminal("resume", "web-7-1", "--adopt", "--yes", "-o", "name")
    assert said.out == "issuerun.orch.dev/web-7-1\n"
    assert "orch could not read what they change" in said.err
    assert terminal.get("issueruns", "web-7-1")["spec"]["adopt"]["headSHA"] == THEIRS


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "nobody but orch has pushed to the branch of web-7-1"),
        ({"branch": {"headSHA": "a" * 40, "takenOver": True}}, "orch has not looked yet at what is on the branch"),
        (ENDED, "web-7-1 has ended: there is nothing to resume"),
    ],
    ids=["not taken over", "not seen yet", "ended"],
)
def test_where_there_is_nothing_to_adopt(status: dict[str, Any], why: str, terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**status))
    said = terminal("resume", "web-7-1", "--adopt", "--yes")
    assert said.code == 1
    assert why in said.err
    assert "adopt" not in terminal.get("issueruns", "web-7-1")["spec"]


@pytest.mark.parametrize("words", [(), ("--all",), ("web-7-1", "web-8-1"), ("web-7-1", "-l", "a=b")])
def test_one_run_at_a_time_is_adopted(words: tuple[str, ...], terminal: Terminal) -> None:
    said = terminal("resume", "--adopt", "--yes", *words)
    assert said.code == 2
    assert "--adopt is for one run" in said.err


def test_an_unknown_name_pauses_nothing(terminal: Terminal) -> None:
    terminal.apply(repo())
    said = terminal("pause", "web", "wbe")
    assert said.code == 1
    assert "no OrchestratedRepo or IssueRun 'wbe'" in said.err
    assert "suspend" not in terminal.get("orchestratedrepos", "web")["spec"]


def test_pausing_needs_a_right_that_is_named(terminal: Terminal) -> None:
    terminal.apply(repo())
    terminal.grant("ann", "get,list:orchestratedrepos")
    said = terminal("pause", "web", as_user="ann")
    assert said.code == 2
    assert "you may not patch orchestratedrepos.orch.dev" in said.err


def test_all_repositories_are_paused_and_resumed_and_each_is_told(terminal: Terminal) -> None:
    terminal.apply(repo(), repo("api", "acme/api", suspend=True), issue_run())
    said = terminal("pause", "--all")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "orchestratedrepo.orch.dev/api is paused already\n"
        "orchestratedrepo.orch.dev/web paused: what is running finishes its step, then waits\n"
    )
    assert [terminal.get("orchestratedrepos", name)["spec"].get("suspend") for name in ("api", "web")] == [True, True]
    assert "suspend" not in terminal.get("issueruns", "web-7-1")["spec"], "its repository holds it"
    assert terminal("resume", "--all").code == 0
    assert terminal("resume", "--all").out == (
        "orchestratedrepo.orch.dev/api is not paused\norchestratedrepo.orch.dev/web is not paused\n"
    )


def test_repositories_are_paused_by_their_labels(terminal: Terminal) -> None:
    labelled = repo()
    labelled["metadata"]["labels"] = {"team": "web"}
    terminal.apply(labelled, repo("api", "acme/api"))
    said = terminal("pause", "-l", "team=web")
    assert said.out.startswith("orchestratedrepo.orch.dev/web paused")
    assert "suspend" not in terminal.get("orchestratedrepos", "api")["spec"]
    none = terminal("pause", "-l", "team=nobody")
    assert (none.code, none.out) == (0, "")
    assert "no such OrchestratedRepo" in none.err


def test_one_that_may_not_be_paused_does_not_keep_the_others_going(terminal: Terminal) -> None:
    terminal.apply(repo(), repo("api", "acme/api"))
    terminal.grant("ann", "get,list:orchestratedrepos")
    terminal.grant("ann", "patch:orchestratedrepos", only="web")
    said = terminal("pause", "--all", as_user="ann")
    assert said.code == 1
    assert said.out.startswith("orchestratedrepo.orch.dev/web paused")
    assert "error: orchestratedrepo.orch.dev/api: you may not patch orchestratedrepos.orch.dev" in said.err


def test_everywhere_is_each_with_its_namespace(terminal: Terminal) -> None:
    labelled = repo()
    labelled["metadata"]["labels"] = {"of": terminal.namespace}
    terminal.apply(labelled)
    said = terminal("pause", "-A", "-l", f"of={terminal.namespace}")
    assert said.out.startswith(f"orchestratedrepo.orch.dev/web in {terminal.namespace} paused")
    assert terminal.get("orchestratedrepos", "web")["spec"]["suspend"] is True


@pytest.mark.parametrize("words", [(), ("web", "--all"), ("-A",), ("web", "-l", "a=b"), ("web", "-A")])
def test_what_to_pause_is_said_in_one_way(words: tuple[str, ...], terminal: Terminal) -> None:
    said = terminal("pause", *words)
    assert (said.code, said.out) == (2, "")
    assert "name repositories or runs, or say --all or -l" in said.err


def test_a_run_is_cancelled_in_ones_own_name(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run())
    terminal.grant("ann", "get,list,patch:issueruns")
    assert terminal("cancel", "web-7-1", "--reason", "not now", as_user="ann").code == 0
    assert terminal.get("issueruns", "web-7-1")["spec"]["cancel"] == {"username": "ann", "reason": "not now"}
    again = terminal("cancel", "web-7-1", "--reason", "really")
    assert (again.code, again.err) == (1, "error: ann has cancelled web-7-1 already: not now\n")


def test_what_has_ended_is_neither_cancelled_nor_paused(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**ENDED))
    assert "web-7-1 has ended already" in terminal("cancel", "web-7-1", "--reason", "x").err
    assert "web-7-1 has ended: there is nothing to pause" in terminal("pause", "web-7-1").err


def test_drain_waits_for_steps_and_effects(terminal: Terminal) -> None:
    terminal.apply(repo(suspend=True), issue_run(steps=[STEP]))
    said = terminal("drain", "web", "--timeout", "0s")
    assert (said.code, said.out, said.err) == (1, "in flight: web-7-1-implement-1\n", "")
    effect = {"key": "push/abc", "state": "Unknown", "time": "2026-01-01T00:00:00Z"}
    terminal.write_status("issueruns", "web-7-1", {"steps": [STEP | {"state": "Succeeded"}], "effects": [effect]})
    assert terminal("drain", "--timeout", "0s").out == "in flight: web-7-1 push/abc\n"
    terminal.write_status("issueruns", "web-7-1", {"effects": [effect | {"state": "Done"}]})
    assert terminal("drain").code == 0
    labels = {"metadata": {"labels": {"of": terminal.namespace}}}  # others share the server
    terminal.server.patch("orchestratedrepos", "web", terminal.namespace, labels)
    assert terminal("drain", "-A", "-l", f"of={terminal.namespace}", "--timeout", "5m").code == 0


def test_drain_looks_at_those_with_the_labels(terminal: Terminal) -> None:
    terminal.apply(repo(suspend=True), repo("api", "acme/api", suspend=True), issue_run(steps=[STEP]))
    terminal.server.patch("orchestratedrepos", "api", terminal.namespace, {"metadata": {"labels": {"team": "green"}}})
    assert terminal("drain", "-l", "team=green").out == "nothing is in flight\n"
    assert terminal("drain", "-l", "team!=green", "--timeout", "0s").code == 1


def test_drain_says_when_nobody_has_paused(terminal: Terminal) -> None:
    terminal.apply(repo())
    said = terminal("drain", "web")
    assert said.out == "nothing is in flight\n"
    assert "kubectl orch pause web" in said.err
    assert terminal("drain", "--timeout", "soon").code == 2


def test_a_retry_is_the_next_attempt_of_the_same_issue(terminal: Terminal) -> None:
    before = issue_run(**ENDED)
    before["spec"]["overrides"] = {"budgetUSD": "2"}
    terminal.apply(repo(), before)
    terminal.grant("ann", "get,list,create:issueruns", "get:orchestratedrepos")
    said = terminal("retry", "web-7-1", as_user="ann")
    assert said.out == "issuerun.orch.dev/web-7-2 created\n"
    spec = terminal.get("issueruns", "web-7-2")["spec"]
    assert (spec["trigger"], spec["retryOf"]) == ({"type": "Retry", "username": "ann"}, {"name": "web-7-1"})
    assert (spec["attempt"], spec["overrides"]) == (2, {"budgetUSD": "2"})


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "web-7-1 is still at work on this issue"),
        (ENDED | {"conditions": conditions(Succeeded=("True", "Merged", "#5"))}, "web-7-1 was merged"),
    ],
)
def test_what_cannot_be_tried_again(status: dict[str, Any], said: str, terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run(**status))
    found = terminal("retry", "web-7-1")
    assert found.code == 1
    assert said in found.err


def _keep(terminal: Terminal, name: str, key: str, text: str) -> dict[str, Any]:
    """A document as the operator keeps it, and its entry in the run's status."""
    data = {key: base64.b64encode(text.encode()).decode()}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"web-7-1-{name}"}, "binaryData": data}
    terminal.apply(document)
    return {"name": name, "ref": {"kind": "ConfigMap", "name": f"web-7-1-{name}", "key": key}}


def test_the_newest_diff_is_printed_and_hides_nothing(terminal: Terminal) -> None:
    old = _keep(terminal, "diff-implement-1", "change.diff", "-old\n")
    new = _keep(terminal, "diff-checks-1", "change.diff", "-a\n+b\x1b[2J\u202e\n")
    terminal.apply(repo(), issue_run(artifacts=[old, new]))
    assert terminal("diff", "web-7-1").out == "-a\n+b\\x1b[2J\\u202e\n"


def test_the_plan_is_printed_for_people_and_for_programs(terminal: Terminal) -> None:
    plan = {"issue": "sha256:1", "summary": "Fix it\x1b[2J", "files": ["a.py", "b.py"], "steps": []}
    terminal.apply(repo(), issue_run(artifacts=[_keep(terminal, "plan-1", "plan.json", json.dumps(plan))]))
    assert terminal("plan", "web-7-1").out == "Summary\n  Fix it\\x1b[2J\nFiles\n  - a.py\n  - b.py\n"
    assert json.loads(terminal("plan", "web-7-1", "--json").out)["files"] == ["a.py", "b.py"]


def test_a_document_that_is_not_there_yet(terminal: Terminal) -> None:
    terminal.apply(repo(), issue_run())
    said = terminal("diff", "web-7-1")
    assert (said.code, said.err) == (1, "error: web-7-1 has no diff yet: kubectl orch explain web-7-1\n")
