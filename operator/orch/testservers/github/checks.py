"""Real checks: each repository's own commands, run on a pushed commit, told as check runs of GitHub Actions.

Who calls it: `pushes` and the pull routes start them, the server starts and stops the workers, routes read the logs. A
command is a stranger's code: it gets no token, a clean environment, and under bubblewrap no network and no sight of
the data directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from .gitrepo import GitError, end
from .issues import notify
from .records import CheckRun, CheckSpec, CheckSuite, Conclusion, Interruption, Repo
from .render import checks as render
from .render.users import ACTIONS_APP
from .render.view import View
from .state import State

QUEUE_BRANCHES = "gh-readonly-queue/"
"""Begin of the names of the branches that merge queues make. Source: GitHub Docs, "Managing a merge queue"."""
TAIL = 60_000
"""Characters of the log's end that go into `output.text`. Source: the API's limit is 65535."""


def start(state: State, repo: Repo, sha: str, branch: str | None) -> None:
    """Queue the repository's checks for a commit, once per check and commit."""
    known = {run.name for run in _jobs(state, repo, sha)}
    for spec in repo.checks:
        if spec.name not in known:
            queue(state, repo, sha, branch, spec)


def queue(state: State, repo: Repo, sha: str, branch: str | None, spec: CheckSpec) -> CheckRun:
    suite = ensure_suite(state, repo, sha, branch, ACTIONS_APP)
    run = CheckRun(
        id=state.store.new_id(),
        repo_id=repo.id,
        suite_id=suite.id,
        name=spec.name,
        head_sha=sha,
        app=ACTIONS_APP,
        spec=spec,
    )
    state.store.save(run)
    told(state, repo, run, "created")
    state.check_queue.put_nowait(run.id)
    return run


def ensure_suite(state: State, repo: Repo, sha: str, branch: str | None, app: str) -> CheckSuite:
    """One suite per commit and App."""
    for suite in state.store.of(CheckSuite, repo.id):
        if (suite.head_sha, suite.app) == (sha, app):
            return suite
    now = state.clock()
    return state.store.save(
        CheckSuite(
            id=state.store.new_id(),
            repo_id=repo.id,
            head_sha=sha,
            head_branch=branch,
            app=app,
            created_at=now,
            updated_at=now,
        )
    )


def told(state: State, repo: Repo, run: CheckRun, action: str) -> None:
    """Move the suite's time and emit `check_run`."""
    suite = state.store.find(CheckSuite, run.suite_id)
    if suite is not None:
        suite.updated_at = state.clock()
        state.store.save(suite)
    if state.subscribers:
        body = render.check_run(View(state, state.url), repo, run)
        notify(state, "check_run", action, repo, f"{run.app}[bot]", check_run=body)


def requeue_unfinished(state: State) -> None:
    """After a restart: what was queued or cut off runs again."""
    for repo in tuple(state.store.repos()):
        for run in state.store.of(CheckRun, repo.id):
            if run.spec is not None and run.status != "completed":
                run.status = "queued"
                state.check_queue.put_nowait(run.id)


def log_path(state: State, run: CheckRun) -> Path:
    return state.data_dir / "logs" / f"{run.id}.log"


async def work(state: State) -> None:
    """One worker: runs queued checks until it is cancelled; then the running command is killed."""
    while True:
        run_id = await state.check_queue.get()
        run = state.store.find(CheckRun, run_id)
        try:
            if run is not None and run.spec is not None:
                await _run_one(state, state.repo(run.repo_id), run, run.spec)
        except (GitError, OSError, LookupError) as error:
            if run is not None:
                _finish(state, run, "failure", f"The check could not start: {error}")
        finally:
            state.check_queue.task_done()


def is_running(state: State, repo: Repo, run: CheckRun) -> bool:
    """Whether jobs of its workflow run are not over. One workflow run per commit: its suite."""
    return any(
        other.suite_id == run.suite_id and other.status != "completed" for other in _jobs(state, repo, run.head_sha)
    )


def _jobs(state: State, repo: Repo, sha: str) -> list[CheckRun]:
    return [run for run in state.store.of(CheckRun, repo.id) if run.head_sha == sha and run.app == ACTIONS_APP]


def _interruption(state: State, repo: Repo, run: CheckRun, spec: CheckSpec) -> Interruption | None:
    """What comes between this run and its command."""
    earlier = sum(other.name == run.name and other.id < run.id for other in _jobs(state, repo, run.head_sha))
    return spec.interruptions[earlier] if earlier < len(spec.interruptions) else None


async def _run_one(state: State, repo: Repo, run: CheckRun, spec: CheckSpec) -> None:
    run.status, run.started_at = "in_progress", state.clock()
    state.store.save(run)
    told(state, repo, run, "in_progress")
    if interruption := _interruption(state, repo, run, spec):
        _finish(state, run, interruption, "The command was not run to its end.")
        return
    room = state.data_dir / "work" / str(run.id)
    shutil.rmtree(room, ignore_errors=True)
    for name in ("tmp", "tree"):
        (room / name).mkdir(parents=True)
    try:
        await state.git(repo).export(run.head_sha, room / "tree")
        code = await _execute(state, run, spec, room)
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
    conclusion: Conclusion = "timed_out" if code is None else "success" if code == 0 else "failure"
    summaries = {"success": "The command succeeded.", "timed_out": f"No end after {spec.timeout:g} s."}
    _finish(state, run, conclusion, summaries.get(conclusion, f"The command ended with exit code {code}."))


def _finish(state: State, run: CheckRun, conclusion: Conclusion, summary: str) -> None:
    path = log_path(state, run)
    text = path.read_bytes()[-4 * TAIL :].decode(errors="replace") if path.exists() else ""
    run.status, run.conclusion, run.completed_at = "completed", conclusion, state.clock()
    run.title, run.summary, run.text = f"{run.name}: {conclusion}", summary, text[-TAIL:]
    state.store.save(run)
    told(state, state.repo(run.repo_id), run, "completed")


async def _execute(state: State, run: CheckRun, spec: CheckSpec, room: Path) -> int | None:
    """Exit code of the command, None after its time. Its output goes to the log as it comes."""
    suite = state.store.find(CheckSuite, run.suite_id)
    env = {
        **_event_of(suite.head_branch if suite else None),
        "PATH": state.settings.checks.path,
        "HOME": str(room / "tmp"),
        "TMPDIR": str(room / "tmp"),
        "LANG": "C.UTF-8",
        "CI": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        **spec.env,
    }
    command = [*await sandbox(state, room), "sh", "-c", spec.command]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=room / "tree",
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(spec.timeout):
            await _drain(process, log_path(state, run), state.settings.checks.log_limit)
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        kill_group(process)
        await end(process)


def _event_of(branch: str | None) -> dict[str, str]:
    """What Actions tells a job of what started it. Source: GitHub Docs, "Variables reference"."""
    if branch is None:
        return {"GITHUB_EVENT_NAME": "pull_request"}
    name = "merge_group" if branch.startswith(QUEUE_BRANCHES) else "push"
    return {"GITHUB_EVENT_NAME": name, "GITHUB_REF": f"refs/heads/{branch}"}


async def _drain(process: asyncio.subprocess.Process, path: Path, limit: int) -> None:
    """Copy output to the log up to `limit` bytes; what is more is read, counted and dropped."""
    assert process.stdout is not None, "opened with a pipe"
    kept = dropped = 0
    with path.open("wb") as log:
        while chunk := await process.stdout.read(65536):
            part = chunk[: max(limit - kept, 0)]
            log.write(part)
            log.flush()
            kept, dropped = kept + len(part), dropped + len(chunk) - len(part)
        if dropped:
            log.write(f"\n[{dropped} more bytes were not kept]\n".encode())


def kill_group(process: asyncio.subprocess.Process) -> None:
    """Nothing that the command started outlives it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def sandbox(state: State, room: Path) -> Sequence[str]:
    """The bubblewrap command line, or nothing. Raises OSError when it is demanded and does not work."""
    mode = state.settings.checks.sandbox
    if mode == "none":
        return ()
    if state.can_sandbox is None:
        state.can_sandbox = await _try_bwrap()
    if not state.can_sandbox:
        if mode == "bwrap":
            raise OSError(
                "bubblewrap does not work here: install it, allow user namespaces, or set checks.sandbox: none"
            )
        return ()
    data, place = str(state.data_dir), str(room)
    return (
        "bwrap", "--die-with-parent", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", data, "--bind", place, place, "--chdir", f"{place}/tree", "--",
    )  # fmt: skip


async def _try_bwrap() -> bool:
    if shutil.which("bwrap") is None:
        return False
    process = await asyncio.create_subprocess_exec(
        "bwrap", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait() == 0
