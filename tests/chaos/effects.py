"""What GitHub's journal must show after crashes: each effect once for each intention, and none without one. Used by the crash tests.

The journal is the stand-in's own: an entry's `acted_status` is what its work ended with, whether or not the answer found anybody.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.e2e.desk import BOT, Desk, Run

Entry = dict[str, Any]
_OURS = "orch/"
"""What labels that orch says something with begin with. Others are put on for people, as often as it takes."""


def each_once(desk: Desk, runs: list[Run]) -> None:
    """All that orch wrote to these runs' repositories was written once."""
    done = [
        entry for repository in sorted({run.repository for run in runs}) for entry in _carried_out(desk, repository)
    ]
    _no_two_alike(done, "POST", r"/issues/\d+/comments$", lambda entry: entry["path"])
    _no_two_alike(done, "POST", r"/pulls$", lambda entry: (entry["path"], entry["request_body"]["head"]))
    _no_two_alike(done, "POST", r"/actions/jobs/\d+/rerun$", lambda entry: entry["path"])
    _no_two_alike(done, "PUT", r"/pulls/\d+/merge$", lambda entry: entry["path"])
    _no_two_alike(done, "DELETE", r"/git/refs/", lambda entry: entry["path"])
    _statuses_change(done)
    _labels_change(done)
    _edits_last(desk, done)


def pushes(run: Run) -> int:
    """How often orch moved the run's branch."""
    branch = f"refs/heads/{run.status.get('branch', {}).get('name')}"
    return sum(ref == branch for entry in run.pushes() for ref in entry["moved"])


def told_once(desk: Desk, runs: list[Run]) -> None:
    """No two Events of a run say the same. One may lack: they are told after the status is written (see `orch.kube.events`)."""
    names = {run.name for run in runs}
    told = Counter[tuple[str, ...]]()
    for event in desk.world.server.events(desk.namespace):
        if event["regarding"]["name"] in names:
            told[event["regarding"]["name"], event["reason"], event["note"]] += 1
    assert told, "nothing is told at all"
    assert [event for event, count in told.items() if count > 1] == []


def _carried_out(desk: Desk, repository: str) -> Iterator[Entry]:
    """What orch wrote through the API, oldest first."""
    for entry in desk.journal(account=BOT, path=f"^/repos/{re.escape(repository)}/"):
        if entry["method"] != "GET" and 200 <= (entry["acted_status"] or 0) < 300:
            yield entry


def _no_two_alike(done: list[Entry], method: str, path: str, intention: Callable[[Entry], object]) -> None:
    found = [intention(entry) for entry in _select(done, method, path)]
    assert [what for what, count in Counter(found).items() if count > 1] == [], (method, path)


def _select(done: list[Entry], method: str, path: str) -> list[Entry]:
    return [entry for entry in done if entry["method"] == method and re.search(path, entry["path"])]


def _statuses_change(done: list[Entry]) -> None:
    """Each status of a commit says something else than the one before it."""
    said = dict[tuple[str, str], tuple[str, str]]()
    for entry in _select(done, "POST", r"/statuses/\w+$"):
        body: Mapping[str, str] = entry["request_body"]
        where, what = (entry["path"], body["context"]), (body["state"], body["description"])
        assert said.get(where) != what, (where, what)
        said[where] = what


def _labels_change(done: list[Entry]) -> None:
    """Each request about a label of ours changed something: it was not on, or not off already."""
    on = defaultdict[str, set[str]](set)
    for entry in done:
        if found := re.search(r"^(.*/issues/\d+)/labels(?:/(.+))?$", entry["path"]):
            issue, gone = found.groups()
            names = {gone} if gone else set(entry["request_body"]["labels"])
            ours = {name for name in names if name.startswith(_OURS)}
            assert (ours <= on[issue]) if gone else not (ours & on[issue]), (entry["method"], entry["path"], on[issue])
            on[issue] = on[issue] - names if gone else on[issue] | names


def _edits_last(desk: Desk, done: list[Entry]) -> None:
    """A comment is what its last edit says. To say the same again changes nothing, so an edit may be repeated."""
    edits = {entry["path"]: entry["request_body"]["body"] for entry in _select(done, "PATCH", r"/issues/comments/\d+$")}
    for path, body in edits.items():
        assert desk.maintainer.ask("GET", path)["body"] == body
