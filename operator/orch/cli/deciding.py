"""`approve`, `deny`, `ask-again`: a person's answer under their own name, bound to exactly what they were shown.

Called by `orch.cli.verbs.decide`. The key, the groups and the digest come from the API server's own answer to who they are.
What moved while they read is not decided: the patch names the object's uid, its version and the subject's digest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import typer

from orch.api.v1alpha1 import Approval, ApprovalOutcome, Verdict
from orch.cli.ballot import claims, objection
from orch.cli.changes import change, shown
from orch.cli.connection import failure, on_cluster
from orch.cli.lookup import get_approval, get_run
from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure, Place
from orch.cli.output import say, warn
from orch.cli.whoami import Me, may, whoami
from orch.cli.wording import outcome_of, view
from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.errors import Conflict
from orch.kube.resource import Resource
from orch.kube.store import Store

_TRIES: Final = 5
"""How often a decision is sent again because other people decided at the same moment."""
_OVER: Final = {
    ApprovalOutcome.SUPERSEDED: "what it asks about has moved: see kubectl orch inbox for its successor",
    ApprovalOutcome.EXPIRED: "nobody decided in time: kubectl orch ask-again {run}",
    ApprovalOutcome.APPROVED: "it is approved already",
    ApprovalOutcome.DENIED: "it was denied: kubectl orch retry {run}",
    ApprovalOutcome.NOT_REQUIRED: "policy no longer asks",
}
_ASKABLE: Final = (ApprovalOutcome.PENDING, ApprovalOutcome.EXPIRED, ApprovalOutcome.SUPERSEDED)


def decide(place: Place, names: list[str], verdict: Verdict, comment: str | None, *, sure: bool) -> int:
    """Show the questions, ask, send the answers; 1 if one of them was not taken. Raises Failure."""

    async def session(kube: Kube, namespace: str) -> int:
        me = await whoami(kube)
        if me.username.startswith("system:"):
            raise Failure(f"{me.username} is a machine's account, and machines do not decide: log in as yourself")
        questions = [await get_approval(kube, namespace, name) for name in dict.fromkeys(names)]
        for question in questions:
            _check_open(question)
            for line in view(question):
                say(line)
            await _remark(kube, question, me, verdict)
        _ask(f"{verdict} {'this' if len(questions) == 1 else f'these {len(questions)}'} as {me.username}?", sure)
        return max([await _send(kube, question, me, verdict, comment) for question in questions])

    return on_cluster(session, place)


def ask_again(place: Place, name: str) -> int:
    """Delete the run's open or expired questions: the operator asks anew, with a new time. Raises Failure."""

    async def session(kube: Kube, namespace: str) -> int:
        run = await get_run(kube, namespace, name)
        if run.status.completion_time is not None:
            raise Failure(f"{name} has ended: kubectl orch retry {name}")
        store = Store(kube, Approval)
        found = [await store.find(namespace, entry.name) for entry in run.status.approvals if entry.name]
        again = [question for question in found if question is not None and outcome_of(question) in _ASKABLE]
        if not again:
            raise Failure(f"{name} has no open or expired question: kubectl orch explain {name}")
        for question in again:
            await store.delete(question)
            say(f"{shown(question)} deleted: gate {question.spec.gate} is asked anew")
        return 0

    return on_cluster(session, place)


def _ask(question: str, sure: bool) -> None:
    if sure:
        return
    if not typer.get_text_stream("stdin").isatty():
        raise Failure("nobody is there to ask: say --yes", code=WRONG_USE)
    if not typer.confirm(question):
        raise Failure("nothing was decided")


def _check_open(question: Approval) -> None:
    outcome = outcome_of(question)
    if outcome is not ApprovalOutcome.PENDING:
        why = _OVER[outcome].format(run=question.spec.target.name)
        raise Failure(f"{question.metadata.name} is {outcome}: {why}")


async def _remark(kube: Kube, question: Approval, me: Me, verdict: Verdict) -> None:
    """Say beforehand that an approval would not count; the operator's count is the one that holds."""
    if verdict is Verdict.DENY:
        return
    name, namespace = question.metadata.name, question.metadata.namespace
    allowed = await may(kube, "approve", Resource.of(Approval), namespace, name)
    if why := objection(question, me, datetime.now(UTC), allowed=allowed):
        warn(f"{name}: your approval would not count: {why}")


async def _send(kube: Kube, read: Approval, me: Me, verdict: Verdict, comment: str | None) -> int:
    """0: the API server has taken it; 1: it has not, and the person was told why."""
    try:
        await _put(kube, read, me, verdict, comment)
    except (OrchError, Failure) as error:
        warn(f"error: {error if isinstance(error, Failure) else failure(error)}")
        return ANSWER_IS_NO
    say(f"{shown(read)} {'approved' if verdict is Verdict.APPROVE else 'denied'} as {me.username}")
    return 0


async def _put(kube: Kube, read: Approval, me: Me, verdict: Verdict, comment: str | None) -> None:
    # every field is given, null too: a merge patch would keep what an earlier answer of mine said
    answer: dict[str, Any] = {"verdict": verdict.value, "comment": comment, "digest": read.spec.subject.digest}
    answer["groups"] = claims(read, me) or None
    for last in range(_TRIES, 0, -1):
        now = await get_approval(kube, read.metadata.namespace or "", read.metadata.name)
        if (now.metadata.uid, now.spec.subject) != (read.metadata.uid, read.spec.subject):
            raise Failure(f"{read.metadata.name} was asked anew while you read: look at it again")
        _check_open(now)
        try:
            await change(kube, now, {"decisions": {me.username: answer}}, as_read=True)
        except Conflict:
            if last == 1:
                raise
            continue
        return
