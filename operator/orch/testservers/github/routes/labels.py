"""Labels of a repository and of an issue. Source: GitHub REST "Labels"."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from .. import issues
from ..errors import ApiError, invalid, not_found
from ..records import Issue, Label
from ..render import repos as render
from ..render.issues import labels_of
from ..rest import Call, Endpoint, as_names, no_content, parse_object, reply

REPO = "/repos/{owner}/{repo}"
ISSUE = f"{REPO}/issues/{{issue_number}}"
COLOR = re.compile(r"[0-9a-fA-F]{6}")


def _label(call: Call, name: str) -> Label:
    found = issues.find_label(call.state, call.repo, name)
    if found is None:
        raise not_found()
    return found


async def list_labels(call: Call) -> Response:
    page, headers = call.page(call.state.store.of(Label, call.repo.id))
    return reply([render.label(call.view, call.repo, row) for row in page], headers=headers)


async def get_label(call: Call) -> Response:
    return reply(render.label(call.view, call.repo, _label(call, call.path("name"))))


async def _color(call: Call, default: str) -> str:
    color = await call.text("color") or default
    if not COLOR.fullmatch(color):
        raise invalid("Label", "color", "invalid")
    return color.lower()


async def create_label(call: Call) -> Response:
    name = await call.text("name", required=True, limit=50)
    if not name or issues.find_label(call.state, call.repo, name) is not None:
        raise invalid("Label", "name", "already_exists" if name else "missing_field")
    row = issues.ensure_label(call.state, call.repo, name, await _color(call, "ededed"), await call.text("description"))
    body = render.label(call.view, call.repo, row)
    return reply(body, 201, {"location": body["url"]})


async def update_label(call: Call) -> Response:
    row, old = _label(call, call.path("name")), call.path("name")
    new = await call.text("new_name", limit=50)
    if new:
        other = issues.find_label(call.state, call.repo, new)
        if other is not None and other.id != row.id:
            raise invalid("Label", "name", "already_exists")
        old, row.name = row.name, new
        for issue in call.state.store.of(Issue, call.repo.id):
            if old in issue.labels:
                issue.labels = [new if name == old else name for name in issue.labels]
                call.state.store.save(issue)
    row.color = await _color(call, row.color)
    if "description" in await call.json():
        row.description = await call.text("description")
    call.state.store.save(row)
    return reply(render.label(call.view, call.repo, row))


async def delete_label(call: Call) -> Response:
    row = _label(call, call.path("name"))
    for issue in call.state.store.of(Issue, call.repo.id):
        if row.name in issue.labels:
            issue.labels.remove(row.name)
            call.state.store.save(issue)
    call.state.store.delete(row)
    return no_content()


async def _asked(call: Call) -> list[str]:
    """Names in the body: `{"labels": […]}`, or a bare list, which this API takes as well."""
    raw = (await call.request.body()).strip()
    if raw.startswith(b"["):
        return as_names("labels", parse_object(b'{"labels":' + raw + b"}")["labels"])
    return await call.names("labels") or []


def _shown(call: Call, issue: Issue) -> Response:
    return reply(labels_of(call.view, call.repo, issue))


async def list_issue_labels(call: Call) -> Response:
    page, headers = call.page(labels_of(call.view, call.repo, call.issue()))
    return reply(list(page), headers=headers)


async def add_issue_labels(call: Call) -> Response:
    issue = call.issue()
    issues.add_labels(call.state, call.repo, issue, await _asked(call), call.login)
    return _shown(call, issue)


async def set_issue_labels(call: Call) -> Response:
    issue = call.issue()
    issues.set_labels(call.state, call.repo, issue, await _asked(call), call.login)
    return _shown(call, issue)


async def clear_issue_labels(call: Call) -> Response:
    issue = call.issue()
    issues.set_labels(call.state, call.repo, issue, [], call.login)
    return no_content()


async def remove_issue_label(call: Call) -> Response:
    issue, name = call.issue(), call.path("name")
    if name.lower() not in {label.lower() for label in issue.labels}:
        raise ApiError(404, "Label does not exist")
    issues.remove_labels(call.state, call.repo, issue, [name], call.login)
    return _shown(call, issue)


def _write(method: str, path: str, handler: Any, role: str = "triage") -> Endpoint:
    return Endpoint(method, path, handler, "issues|pull_requests:write", role)


READ = "issues|pull_requests:read"
ENDPOINTS = [
    Endpoint("GET", f"{REPO}/labels", list_labels, READ),
    _write("POST", f"{REPO}/labels", create_label, "write"),
    Endpoint("GET", f"{REPO}/labels/{{name:path}}", get_label, READ),
    _write("PATCH", f"{REPO}/labels/{{name:path}}", update_label, "write"),
    _write("DELETE", f"{REPO}/labels/{{name:path}}", delete_label, "write"),
    Endpoint("GET", f"{ISSUE}/labels", list_issue_labels, READ),
    _write("POST", f"{ISSUE}/labels", add_issue_labels),
    _write("PUT", f"{ISSUE}/labels", set_issue_labels),
    _write("DELETE", f"{ISSUE}/labels", clear_issue_labels),
    _write("DELETE", f"{ISSUE}/labels/{{name:path}}", remove_issue_label),
]
