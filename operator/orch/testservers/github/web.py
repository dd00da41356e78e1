"""A plain web page over the same data: repositories, issues, pull requests with diffs, checks with their logs.

Who calls it: people with a browser, who look around after a demo. It only reads. Private repositories are shown to
callers with a token (Basic, token as password). All text is escaped and no script runs.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import checks, merge_queue, pulls, rules
from .access import role_of_caller
from .gitrepo import FileDiff, GitError
from .records import CheckRun, Comment, Event, Issue, Pull, Repo, Review
from .render.view import stamp
from .rest import not_served
from .routes.commits import EMPTY_TREE
from .state import State
from .wire import is_api

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1f2328}
a{color:#0969da;text-decoration:none}pre{background:#f6f8fa;padding:.8rem;overflow:auto;border-radius:6px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d1d9e0}
.label{background:#ddf4ff;border-radius:1em;padding:0 .6em;font-size:.85em}
.add{background:#dafbe1}.del{background:#ffebe9}
.open,.success{color:#1a7f37}.closed,.failure,.timed_out{color:#cf222e}.merged{color:#8250df}
.box{border:1px solid #d1d9e0;border-radius:6px;padding:.6rem 1rem;margin:.8rem 0}.muted{color:#59636e}
"""
SECURITY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'", "x-frame-options": "DENY"}
Page = Callable[["Site"], Awaitable[Response]]


class Site:
    """One page view: the request's state, repository and helpers."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state: State = request.app.state.standin
        self._repo = self._find_repo()

    def _find_repo(self) -> Repo | None:
        parameters = self.request.path_params
        if "owner" not in parameters:
            return None
        repo = self.state.store.find_repo(parameters["owner"], parameters["repo"].removesuffix(".git"))
        visible = repo is not None and role_of_caller(repo, self.request.scope.get("orch.token")) is not None
        return repo if visible or (repo is not None and self._has_key()) else None

    def _has_key(self) -> bool:
        """A signed log URL needs no account, as on GitHub."""
        run, key = self.request.path_params.get("run_id"), self.request.query_params.get("key", "")
        return run is not None and hmac.compare_digest(key.encode(), self.state.sign(f"log/{run}").encode())

    @property
    def repo(self) -> Repo:
        if self._repo is None:
            raise LookupError("no such repository")
        return self._repo

    def number(self, name: str) -> int:
        text = str(self.request.path_params[name])
        if not text.isascii() or not text.isdigit():
            raise LookupError("no number")
        return int(text)

    def path(self, tail: str = "") -> str:
        return escape(f"/{self.repo.full_name}{tail}")


def page(title: str, *parts: str) -> HTMLResponse:
    body = "\n".join(parts)
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
    text += f"<style>{STYLE}</style>{body}</html>"
    return HTMLResponse(text, headers=SECURITY)


def link(href: str, text: object) -> str:
    return f'<a href="{escape(href)}">{escape(str(text))}</a>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """`rows` hold HTML."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"


def _header(site: Site) -> str:
    tabs = (("", "Code"), ("/issues", "Issues"), ("/pulls", "Pull requests"))
    links = " · ".join(f'<a href="{site.path(tail)}">{name}</a>' for tail, name in tabs)
    return f"<p>{link('/', 'all repositories')}</p><h1>{escape(site.repo.full_name)}</h1><p>{links}</p>"


async def home(site: Site) -> Response:
    caller = site.request.scope.get("orch.token")
    seen = [repo for repo in site.state.store.repos() if role_of_caller(repo, caller) is not None]
    rows = [[link(f"/{repo.full_name}", repo.full_name), escape(repo.description or "")] for repo in seen]
    return page("Repositories", "<h1>Repositories</h1>", table(("repository", "about"), rows))


async def show_repo(site: Site) -> Response:
    git, repo = site.state.git(site.repo), site.repo
    tip = await git.find_ref(f"refs/heads/{repo.default_branch}")
    commits = await git.log(tip, limit=20) if tip else []
    rows = [
        [link(f"/{repo.full_name}/commit/{c.sha}", c.sha[:8]), escape(c.message.splitlines()[0] if c.message else ""),
         escape(c.author.name), _marks(site, c.sha)]
        for c in commits
    ]  # fmt: skip
    branches = ", ".join(escape(ref.removeprefix("refs/heads/")) for ref in await git.refs("refs/heads"))
    clone = f"<pre>git clone {escape(site.state.url)}{site.path()}.git</pre>"
    listed = table(("commit", "message", "author", "checks"), rows)
    return page(
        repo.full_name,
        _header(site),
        clone,
        f"<p>Branches: {branches}</p>",
        f"<h2>{escape(repo.default_branch)}</h2>",
        listed,
    )


def _marks(site: Site, sha: str) -> str:
    states = rules.check_states(site.state, site.repo, sha)
    signs = {"passed": "✓", "failed": "✗", "pending": "…"}
    return " ".join(f"{signs[value]} {escape(name)}" for name, value in states.items())


def _state(site: Site, issue: Issue) -> str:
    pull = site.state.store.find_pull(site.repo.id, issue.number)
    word = "merged" if pull is not None and pull.merged_at else issue.state
    entry = merge_queue.find_entry(site.state, site.repo, issue.number)
    place = f", {merge_queue.position_of(site.state, site.repo, entry)}. in the merge queue" if entry else ""
    return f'<span class="{word}">{word}{place}</span>'


def _rows(site: Site, issues: Iterable[Issue], kind: str) -> str:
    rows = [
        [f'<a href="{site.path(f"/{kind}/{row.number}")}">#{row.number} {escape(row.title)}</a>', _state(site, row),
         _labels(row), escape(row.user)]
        for row in issues
    ]  # fmt: skip
    return table(("title", "state", "labels", "by"), rows)


def _labels(issue: Issue) -> str:
    return " ".join(f'<span class="label">{escape(name)}</span>' for name in issue.labels)


def _listed(site: Site, *, is_pull: bool) -> list[Issue]:
    rows = site.state.store.of(Issue, site.repo.id)
    return [row for row in reversed(rows) if row.is_pull is is_pull and row.gone is None]


async def list_issues(site: Site) -> Response:
    return page("Issues", _header(site), "<h2>Issues</h2>", _rows(site, _listed(site, is_pull=False), "issues"))


async def list_pulls(site: Site) -> Response:
    return page(
        "Pull requests", _header(site), "<h2>Pull requests</h2>", _rows(site, _listed(site, is_pull=True), "pull")
    )


def _issue(site: Site) -> Issue:
    issue = site.state.store.find_issue(site.repo.id, site.number("number"))
    if issue is None or issue.gone is not None:
        raise LookupError("no such issue")
    return issue


def _conversation(site: Site, issue: Issue) -> str:
    store, repo = site.state.store, site.repo
    entries: list[tuple[Any, str]] = []
    for event in store.on(Event, repo.id, issue.number):
        detail = escape(str(event.extra.get("label", {}).get("name", "")))
        text = f'<p class="muted">{escape(event.actor)} {escape(event.event)} {detail} · {stamp(event.created_at)}</p>'
        entries.append(((event.created_at, event.id), text))
    entries += [
        ((comment.created_at, comment.id), _box(comment.user, comment.body, stamp(comment.created_at)))
        for comment in store.on(Comment, repo.id, issue.number)
    ]
    for review in store.on(Review, repo.id, issue.number):
        if review.submitted_at is not None:
            who = f"{review.user} reviewed: {review.state.lower()}"
            entries.append(((review.submitted_at, review.id), _box(who, review.body, stamp(review.submitted_at))))
    return "".join(text for _, text in sorted(entries))


def _box(who: str, text: str | None, when: str | None) -> str:
    return f'<div class="box"><p class="muted">{escape(who)} · {when}</p><pre>{escape(text or "")}</pre></div>'


def _title(site: Site, issue: Issue) -> str:
    facts = f"{_state(site, issue)} {_labels(issue)} by {escape(issue.user)}"
    return f"<h2>{escape(issue.title)} #{issue.number}</h2><p>{facts}</p>"


async def show_issue(site: Site) -> Response:
    issue = _issue(site)
    body = _box(issue.user, issue.body, stamp(issue.created_at))
    return page(issue.title, _header(site), _title(site, issue), body, _conversation(site, issue))


async def show_pull(site: Site) -> Response:
    issue, pull = _pull(site)
    names = f"<p>{escape(pull.head_label)} → {escape(pull.base_ref)} · {pull.head_sha[:8]}</p>"
    diff = _diff_html(await pulls.files_of(site.state, site.repo, pull))
    parts = [_box(issue.user, issue.body, stamp(issue.created_at)), "<h3>Checks</h3>", _checks(site, pull.head_sha)]
    parts += ["<h3>Conversation</h3>", _conversation(site, issue), "<h3>Files changed</h3>", diff]
    return page(issue.title, _header(site), _title(site, issue), names, *parts)


def _pull(site: Site) -> tuple[Issue, Pull]:
    issue = _issue(site)
    pull = site.state.store.find_pull(site.repo.id, issue.number)
    if pull is None:
        raise LookupError("no such pull request")
    return issue, pull


async def pull_diff(site: Site) -> Response:
    _, pull = _pull(site)
    start = await pulls.start_of_changes(site.state, site.repo, pull)
    text = await site.state.git(site.repo).patch_text(start, pull.head_sha)
    return Response(text, media_type="text/plain; charset=utf-8")


def _checks(site: Site, sha: str) -> str:
    rows = [
        [
            link(f"/{site.repo.full_name}/runs/{run.id}", run.name),
            f'<span class="{run.conclusion}">{run.conclusion or run.status}</span>',
            escape(run.app),
        ]
        for run in rules.latest_runs(site.state, site.repo, sha)
    ]
    rows += [
        [escape(row.context), f'<span class="{row.state}">{row.state}</span>', escape(row.creator)]
        for row in rules.latest_statuses(site.state, site.repo, sha)
    ]
    return table(("check", "result", "from"), rows)


def _diff_html(files: list[FileDiff]) -> str:
    return "".join(
        f'<div class="box"><p><b>{escape(row.path)}</b> {row.status} +{row.additions} −{row.deletions}</p>'
        f"<pre>{_colored(row.patch or '')}</pre></div>"
        for row in files
    )


def _colored(patch: str) -> str:
    classes = {"+": "add", "-": "del"}
    lines = (f'<span class="{classes.get(line[:1], "")}">{escape(line)}</span>' for line in patch.splitlines())
    return "\n".join(lines)


async def show_commit(site: Site) -> Response:
    git = site.state.git(site.repo)
    sha = await git.find_commit_sha(site.request.path_params["sha"])
    if sha is None:
        raise LookupError("no such commit")
    commit = await git.commit(sha)
    files = await git.diff(commit.parents[0] if commit.parents else EMPTY_TREE, sha)
    text = f"<h2>{sha[:8]}</h2><pre>{escape(commit.message)}</pre><p>{escape(commit.author.name)}</p>"
    return page(sha[:8], _header(site), text, _checks(site, sha), _diff_html(files))


def _run(site: Site) -> CheckRun:
    run = site.state.store.find(CheckRun, site.number("run_id"))
    if run is None or run.repo_id != site.repo.id:
        raise LookupError("no such check")
    return run


async def show_run(site: Site) -> Response:
    run = _run(site)
    text = f"<h2>{escape(run.name)}</h2><p>{run.status} {run.conclusion or ''} on {run.head_sha[:8]}</p>"
    command = f"<pre>$ {escape(run.spec.command)}</pre>" if run.spec else ""
    return page(
        run.name, _header(site), text, command, f"<p>{escape(run.summary or '')}</p><pre>{escape(run.text or '')}</pre>"
    )


async def show_log(site: Site) -> Response:
    path = checks.log_path(site.state, _run(site))
    if not path.exists():
        raise LookupError("no output yet")
    return FileResponse(path, media_type="text/plain; charset=utf-8")


async def raw_file(site: Site) -> Response:
    """`/raw/REF/PATH`. A ref may hold slashes, so the longest ref that exists is taken."""
    git, words = site.state.git(site.repo), site.request.path_params["rest"].split("/")
    for cut in range(1, len(words)):
        sha = await git.find_commit_sha("/".join(words[:cut]))
        path = "/".join(words[cut:])
        found = [e for e in await git.ls_tree(sha, path) if e.path == path and e.type == "blob"] if sha and path else []
        if found:
            return Response(await git.blob(found[0].sha), media_type="text/plain; charset=utf-8")
    raise LookupError("no such file")


def _guard(view: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await view(Site(request))
        except (LookupError, GitError):
            return PlainTextResponse("Not Found\n", 404)

    return endpoint


async def root(request: Request) -> Response:
    """The list of repositories for browsers; for programs the API's root, which is not served."""
    if "text/html" in request.headers.get("accept", "") and not request.scope.get("orch.prefix"):
        return await _guard(home)(request)
    return not_served(request.method, "/")


def routes() -> list[Route]:
    base = "/{owner}/{repo}"
    views: list[tuple[str, Page]] = [
        (base, show_repo),
        (f"{base}/issues", list_issues),
        (f"{base}/issues/{{number}}", show_issue),
        (f"{base}/pulls", list_pulls),
        (f"{base}/pull/{{number:int}}.diff", pull_diff),
        (f"{base}/pull/{{number:int}}.patch", pull_diff),
        (f"{base}/pull/{{number:int}}", show_pull),
        (f"{base}/commit/{{sha}}", show_commit),
        (f"{base}/runs/{{run_id}}", show_run),
        (f"{base}/runs/{{run_id}}/log", show_log),
        (f"{base}/raw/{{rest:path}}", raw_file),
    ]
    pages = [Route(path, _outside_api(_guard(view)), methods=["GET"]) for path, view in views]
    return [Route("/", root, methods=["GET"]), *pages]


def _outside_api(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """`/users/x` or `/orgs/x` would look like a repository: paths of the API that are not served say so."""

    async def checked(request: Request) -> Response:
        if is_api(request.scope):
            return not_served(request.method, request.url.path)
        return await endpoint(request)

    return checked
