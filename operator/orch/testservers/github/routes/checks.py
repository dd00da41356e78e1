"""Check runs, check suites, statuses, job logs. Source: GitHub REST "Checks", "Commit statuses".

Writing check runs is for Apps only; fine-grained tokens cannot even read them (no such permission exists).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import RedirectResponse, Response

from .. import checks
from ..errors import ApiError, forbidden, invalid, not_found
from ..gitrepo import SHA
from ..issues import notify
from ..records import CheckRun, CheckSuite, CommitStatus
from ..render import checks as render
from ..rest import Call, Endpoint, reply
from ..rules import latest_runs, latest_statuses

REPO = "/repos/{owner}/{repo}"
STATES = ("error", "failure", "pending", "success")
CONCLUSIONS = ("success", "failure", "neutral", "skipped", "timed_out", "cancelled", "action_required")
"""GitHub sets `stale` and `startup_failure` itself. Source: REST "Create a check run"."""
STATUSES = ("queued", "in_progress", "completed")


def _slug(call: Call) -> str:
    """The App behind the token. Raises GitHub's 403 for everybody else."""
    if call.caller is None or call.caller.kind != "app":
        raise forbidden("You must authenticate via a GitHub App.")
    return call.caller.account.login.removesuffix("[bot]")


async def create_run(call: Call) -> Response:
    app = _slug(call)
    name, sha = await call.text("name", required=True), await call.text("head_sha", required=True)
    assert name is not None, "required"
    assert sha is not None, "required"
    if not SHA.fullmatch(sha) or not await call.git.has_commit(sha):
        raise ApiError(422, f"No commit found for SHA: {sha}")
    suite = checks.ensure_suite(call.state, call.repo, sha, None, app)
    run = CheckRun(
        id=call.state.store.new_id(), repo_id=call.repo.id, suite_id=suite.id, name=name, head_sha=sha, app=app
    )
    run.started_at = call.state.clock()
    _apply(call, run, await call.json())
    call.state.store.save(run)
    checks.told(call.state, call.repo, run, "created")
    return reply(render.check_run(call.view, call.repo, run), 201)


async def update_run(call: Call) -> Response:
    app, run = _slug(call), call.owned(CheckRun, "check_run_id")
    if run.app != app:
        raise forbidden("Resource not accessible by integration")
    _apply(call, run, await call.json())
    call.state.store.save(run)
    checks.told(call.state, call.repo, run, "completed" if run.status == "completed" else "created")
    return reply(render.check_run(call.view, call.repo, run))


def _apply(call: Call, run: CheckRun, body: dict[str, Any]) -> None:
    """Take over the writable fields of a body."""
    status, conclusion = body.get("status", run.status), body.get("conclusion", run.conclusion)
    if conclusion is not None:
        status = "completed"
    if status not in STATUSES:
        raise invalid("CheckRun", "status", "invalid")
    if status == "completed" and conclusion not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion", "missing_field" if conclusion is None else "invalid")
    run.status, run.conclusion = status, conclusion
    for name in ("name", "external_id", "details_url"):
        if isinstance(body.get(name), str):
            setattr(run, name, body[name])
    for name in ("started_at", "completed_at"):
        if body.get(name) is not None:
            setattr(run, name, _time(body[name], name))
    if status == "completed" and run.completed_at is None:
        run.completed_at = call.state.clock()
    _apply_output(run, body.get("output"))


def _apply_output(run: CheckRun, output: Any) -> None:
    if output is None:
        return
    if not isinstance(output, dict) or not isinstance(output.get("summary"), str):
        raise invalid("CheckRun", "output", "missing_field")
    for name in ("title", "summary", "text"):
        value = output.get(name, getattr(run, name))
        if value is not None and (not isinstance(value, str) or len(value) > 65535):
            raise invalid("CheckRun", name, "custom", f"{name} exceeds the maximum of 65535 characters")
        setattr(run, name, value)
    run.annotations += [entry for entry in output.get("annotations") or [] if isinstance(entry, dict)][:50]


def _time(value: Any, name: str) -> datetime:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise invalid("CheckRun", name, "invalid") from None
    if time.tzinfo is None:
        raise invalid("CheckRun", name, "invalid")
    return time


async def get_run(call: Call) -> Response:
    return reply(render.check_run(call.view, call.repo, call.owned(CheckRun, "check_run_id")))


async def list_annotations(call: Call) -> Response:
    run = call.owned(CheckRun, "check_run_id")
    page, headers = call.page(run.annotations)
    href = call.view.html(f"/{call.repo.full_name}/blob/{run.head_sha}/")
    empty = dict.fromkeys(("start_column", "end_column", "annotation_level", "title", "message", "raw_details"))
    return reply([{**empty, "blob_href": href + str(a.get("path", "")), **a} for a in page], headers=headers)


async def rerequest_run(call: Call) -> Response:
    """Run a check of the stand-in's own once more, as the button "Re-run" does."""
    run = call.owned(CheckRun, "check_run_id")
    if run.spec is None:
        raise forbidden("This check run is not rerequestable")
    checks.queue(call.state, call.repo, run.head_sha, None, run.spec)
    return reply({}, 201)


async def list_runs_of_ref(call: Call) -> Response:
    sha = await call.commit()
    wanted = call.choice("filter", ("latest", "all"), "latest")
    rows = latest_runs(call.state, call.repo, sha)
    if wanted == "all":
        rows = [run for run in reversed(call.state.store.of(CheckRun, call.repo.id)) if run.head_sha == sha]
    return _runs(call, rows)


async def list_runs_of_suite(call: Call) -> Response:
    suite = call.owned(CheckSuite, "check_suite_id")
    return _runs(call, [run for run in call.state.store.of(CheckRun, call.repo.id) if run.suite_id == suite.id])


def _runs(call: Call, rows: list[CheckRun]) -> Response:
    name, status, app = call.query("check_name"), call.query("status"), call.query("app_id")
    rows = [run for run in rows if (not name or run.name == name) and (not status or run.status == status)]
    shown = [render.check_run(call.view, call.repo, run) for run in rows]
    if app:
        shown = [run for run in shown if str(run["app"]["id"]) == app]
    page, headers = call.page(shown)
    return reply({"total_count": len(shown), "check_runs": list(page)}, headers=headers)


async def list_suites(call: Call) -> Response:
    sha = await call.commit()
    commit = await call.git.commit(sha)
    rows = [suite for suite in call.state.store.of(CheckSuite, call.repo.id) if suite.head_sha == sha]
    page, headers = call.page(rows)
    suites = [render.check_suite(call.view, call.repo, suite, commit) for suite in page]
    return reply({"total_count": len(rows), "check_suites": suites}, headers=headers)


async def get_suite(call: Call) -> Response:
    suite = call.owned(CheckSuite, "check_suite_id")
    return reply(render.check_suite(call.view, call.repo, suite, await call.git.commit(suite.head_sha)))


async def job_logs(call: Call) -> Response:
    """302 to the plain text, valid for a moment on GitHub. A job's id is its check run's."""
    run = call.owned(CheckRun, "job_id")
    if not checks.log_path(call.state, run).exists():
        raise not_found()
    return RedirectResponse(call.view.html(f"/{call.repo.full_name}/runs/{run.id}/log?key={_log_key(call, run)}"), 302)


async def rerun_job(call: Call) -> Response:
    """A job once more, in a new attempt of its workflow run, under a new id. Source: REST "Re-run a job from a workflow run"."""
    run = call.owned(CheckRun, "job_id")
    if run.spec is None:
        raise not_found()  # another App's: no job of Actions has that id
    if checks.is_running(call.state, call.repo, run):
        raise forbidden("The workflow run containing this job is already running")
    checks.queue(call.state, call.repo, run.head_sha, None, run.spec)
    return reply({}, 201)


def _log_key(call: Call, run: CheckRun) -> str:
    """What lets the holder of the URL read the log without a token, as GitHub's signed URLs do."""
    return call.state.sign(f"log/{run.id}")


async def create_status(call: Call) -> Response:
    sha = call.path("sha")
    if not SHA.fullmatch(sha) or not await call.git.has_commit(sha):
        raise ApiError(422, f"No commit found for SHA: {sha}")
    status = await call.text("state", required=True)
    if status not in STATES:
        raise invalid("Status", "state", "custom", "state is not included in the list")
    description = await call.text("description")
    if description is not None and len(description) > 140:
        raise invalid("Status", "description", "custom", "description is too long (maximum is 140 characters)")
    now = call.state.clock()
    row = CommitStatus(
        id=call.state.store.new_id(),
        repo_id=call.repo.id,
        sha=sha,
        state=status,
        context=await call.text("context") or "default",
        description=description,
        target_url=await call.text("target_url"),
        creator=call.login,
        created_at=now,
        updated_at=now,
    )
    call.state.store.save(row)
    body = render.status(call.view, call.repo, row)
    told = row.model_dump(include={"id", "sha", "state", "context", "description", "target_url"})
    notify(call.state, "status", None, call.repo, call.login, **told)
    return reply(body, 201, {"location": body["url"]})


async def get_combined_status(call: Call) -> Response:
    sha = await call.commit()
    rows = latest_statuses(call.state, call.repo, sha)
    page, headers = call.page(rows)
    body = render.combined_status(call.view, call.repo, sha, rows)
    shown = [render.simple_status(call.view, call.repo, row) for row in page]
    return reply(body | {"statuses": shown}, headers=headers)


async def list_statuses(call: Call) -> Response:
    sha = await call.commit()
    rows = [row for row in reversed(call.state.store.of(CommitStatus, call.repo.id)) if row.sha == sha]
    page, headers = call.page(rows)
    return reply([render.status(call.view, call.repo, row) for row in page], headers=headers)


ENDPOINTS = [
    Endpoint("POST", f"{REPO}/check-runs", create_run, "checks:write", "write"),
    Endpoint("GET", f"{REPO}/check-runs/{{check_run_id}}", get_run, "checks:read"),
    Endpoint("PATCH", f"{REPO}/check-runs/{{check_run_id}}", update_run, "checks:write", "write"),
    Endpoint("GET", f"{REPO}/check-runs/{{check_run_id}}/annotations", list_annotations, "checks:read"),
    Endpoint("POST", f"{REPO}/check-runs/{{check_run_id}}/rerequest", rerequest_run, "checks:write", "write"),
    Endpoint("GET", f"{REPO}/check-suites/{{check_suite_id}}", get_suite, "checks:read"),
    Endpoint("GET", f"{REPO}/check-suites/{{check_suite_id}}/check-runs", list_runs_of_suite, "checks:read"),
    Endpoint("GET", f"{REPO}/commits/{{ref:path}}/check-runs", list_runs_of_ref, "checks:read"),
    Endpoint("GET", f"{REPO}/commits/{{ref:path}}/check-suites", list_suites, "checks:read"),
    Endpoint("GET", f"{REPO}/commits/{{ref:path}}/status", get_combined_status, "statuses:read"),
    Endpoint("GET", f"{REPO}/commits/{{ref:path}}/statuses", list_statuses, "statuses:read"),
    Endpoint("POST", f"{REPO}/statuses/{{sha}}", create_status, "statuses:write", "write"),
    Endpoint("GET", f"{REPO}/actions/jobs/{{job_id}}/logs", job_logs, "actions:read"),
    Endpoint("POST", f"{REPO}/actions/jobs/{{job_id}}/rerun", rerun_job, "actions:write", "write"),
]
