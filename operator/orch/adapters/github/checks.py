"""The checks of a commit: check runs and commit statuses, which GitHub keeps apart, and what they printed. Called by `forge`.

Check runs are made by Apps; a fine-grained personal token cannot even read them, and then the statuses are all there is.
"""

from __future__ import annotations

from typing import Final

from orch.adapters.github import facts, translate
from orch.adapters.github.line import TAIL
from orch.adapters.github.rest import Answer, Rest
from orch.errors import CredentialsRefused, OrchError, RateLimited
from orch.ports import Check, Checks, CheckState, CommitStatus

_RUNS: Final = "check runs "


async def read_checks(rest: Rest, repository: str, sha: str) -> Checks:
    """All checks of one commit by name. Raises Transient while GitHub does not see the commit."""
    try:
        statuses = await _read_statuses(rest, repository, sha)
        runs = await _read_runs(rest, repository, sha)
    except translate.Refused as err:
        raise translate.of_commit(err) from None
    items = statuses.read(lambda entries: [facts.status(entry) for entry in entries])
    items += runs.read(lambda entries: [facts.check_run(entry) for entry in facts.newest_runs(entries)]) if runs else []
    items.sort(key=lambda check: (check.name, check.id or 0))
    return Checks(sha, tuple(items), readable=runs is not None)


async def read_status(rest: Rest, repository: str, sha: str, context: str) -> CommitStatus | None:
    """What stands under a context of a commit. Contexts ignore case (REST "Create a commit status")."""
    wanted = context.casefold()
    statuses = await _read_statuses(rest, repository, sha)
    return statuses.read(
        lambda entries: next((facts.told(entry) for entry in entries if entry["context"].casefold() == wanted), None)
    )


async def _read_statuses(rest: Rest, repository: str, sha: str) -> Answer:
    """The newest status of each context."""
    return await rest.pages(f"{repository}/commits/{sha}/status", within="statuses")


async def may_read(rest: Rest, repository: str, branch: str, *, again: bool) -> bool:
    """Whether check runs may be read, by the last answer. `branch` as it stands in a path."""
    known = rest.readable.get(repository)
    if known is None or (again and not known):
        rest.doubt(_RUNS + repository)
        known = await _read_runs(rest, repository, branch) is not None
    return known


async def _read_runs(rest: Rest, repository: str, ref: str) -> Answer | None:
    """The check runs of a commit; None when the token may not read them."""
    runs = await rest.unless_refused(
        _RUNS + repository,
        lambda: rest.pages(f"{repository}/commits/{ref}/check-runs", within="check_runs"),
        kinds=(CredentialsRefused,),
    )
    rest.readable[repository] = runs is not None
    return runs


async def read_log(rest: Rest, repository: str, check: Check) -> str:
    """The end of an Actions job's log; what the check itself said where there is none: other Apps keep their own."""
    text = ""
    if check.id is not None and check.state is not CheckState.PENDING:
        try:
            text = await rest.log(f"{repository}/actions/jobs/{check.id}/logs")
        except RateLimited:
            raise
        except OrchError:
            text = ""
    return tail(text or check.summary)


def tail(text: str) -> str:
    """The last 64 kB."""
    return text.encode(errors="replace")[-TAIL:].decode(errors="replace")
