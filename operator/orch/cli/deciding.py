"""`approve`, `deny`, `ask-again`: a person's answer under their own name, bound to exactly what they were shown.

Called by `orch.cli.verbs.decide`. The key, the groups and the digest come from the API server's own answer to who they are.
What moved while they read is not decided: the patch names the object's uid, its version and the subject's digest. An answer
that would not count is not sent, and one that the operator does not count is not called given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orch.api.v1alpha1 import Approval, ApprovalOutcome, Verdict
from orch.cli.asking import confirm
from orch.cli.ballot import claims, objection
from orch.cli.changes import Report, change, shown
from orch.cli.connection import failure, on_cluster
from orch.cli.counted import tally
from orch.cli.lookup import get_approval, get_run
from orch.cli.options import ANSWER_IS_NO, Failure, Form, Place
from orch.cli.output import say, warn
from orch.cli.rights import Right, right_to
from orch.cli.whoami import Me, whoami
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
_NOUN: Final = {Verdict.APPROVE: "approval", Verdict.DENY: "denial"}
_GROUPS: Final = (
    "you are in groups that an answer cannot claim all, and the server does not say which of them lets you decide:"
    " have the verb approve bound to your user name"
)
_ASKABLE: Final = (ApprovalOutcome.PENDING, ApprovalOutcome.EXPIRED, ApprovalOutcome.SUPERSEDED)


@dataclass(frozen=True)
class Wish:
    """What is answered. `sure`: do not ask whether to go on."""

    verdict: Verdict
    comment: str | None = None
    sure: bool = False
    output: Form | None = None


def decide(place: Place, names: list[str], wish: Wish) -> int:
    """Show the questions, ask, send the answers; 1 if one of them was not taken. Raises Failure."""
    verdict, report = wish.verdict, Report(wish.output)

    async def session(kube: Kube, namespace: str) -> int:
        me = await whoami(kube)
        if me.username.startswith("system:"):
            raise Failure(f"{me.username} is a machine's account, and machines do not decide: log in as yourself")
        questions = [await get_approval(kube, namespace, name) for name in dict.fromkeys(names)]
        for question in questions:
            _check_open(question)
            for line in view(question):
                (say if wish.output is None else warn)(line)
        rights = [await _right(kube, question, me, verdict) for question in questions]
        asked = f"{verdict} {'this' if len(questions) == 1 else f'these {len(questions)}'} as {me.username}?"
        confirm(asked, sure=wish.sure, output=wish.output, declined="nothing was decided")
        given = zip(questions, rights, strict=True)
        answers = [(question, _Answer(me, right, verdict, wish.comment)) for question, right in given]
        return max([await _send(kube, question, answer, report) for question, answer in answers])

    return on_cluster(session, place)


def ask_again(place: Place, name: str, output: Form | None = None) -> int:
    """Delete the run's open or expired questions: the operator asks anew, with a new time. Raises Failure."""
    report = Report(output)

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
            report.tell(question, f"{shown(question)} deleted: gate {question.spec.gate} is asked anew")
        return 0

    return on_cluster(session, place)


def _check_open(question: Approval) -> None:
    outcome = outcome_of(question)
    if outcome is not ApprovalOutcome.PENDING:
        why = _OVER[outcome].format(run=question.spec.target.name)
        raise Failure(f"{question.metadata.name} is {outcome}: {why}")


async def _right(kube: Kube, question: Approval, me: Me, verdict: Verdict) -> Right:
    """By what the person may decide. Raises Failure where their answer would not count; the operator's count is the one that holds."""
    meta = question.metadata
    right = await right_to(kube, me, "approve", Resource.of(Approval), meta.namespace or "", meta.name)
    if why := objection(question, me, datetime.now(UTC), right, verdict):
        raise Failure(f"{meta.name}: your {_NOUN[verdict]} would not count: {why}")
    if not right.sure:
        warn(f"{meta.name}: whether your {_NOUN[verdict]} counts is not known beforehand: {_GROUPS}")
    return right


@dataclass(frozen=True)
class _Answer:
    """Who answers, by what right, and what."""

    me: Me
    right: Right
    verdict: Verdict
    comment: str | None

    def document(self, question: Approval) -> dict[str, Any]:
        """Every field is given, null too: a merge patch would keep what an earlier answer of theirs said."""
        groups = claims(question, self.me, self.right) or None
        digest = question.spec.subject.digest
        return {"verdict": self.verdict.value, "comment": self.comment, "digest": digest, "groups": groups}


async def _send(kube: Kube, read: Approval, answer: _Answer, report: Report) -> int:
    """0: the API server has taken it, and the operator does not say that it does not count; 1: the person was told why."""
    username, noun, name = answer.me.username, _NOUN[answer.verdict], read.metadata.name
    try:
        stands = await _put(kube, read, answer)
        found = await tally(kube, stands, username)
    except (OrchError, Failure) as error:
        warn(f"error: {error if isinstance(error, Failure) else failure(error)}")
        return ANSWER_IS_NO
    if found.counts is False:
        why = found.why if answer.right.sure else f"{found.why}; {_GROUPS}"
        warn(f"error: {name}: your {noun} is kept, but does not count: {why}")
        return ANSWER_IS_NO
    done = "approved" if answer.verdict is Verdict.APPROVE else "denied"
    report.tell(stands, f"{shown(stands)} {done} as {username}")
    if found.counts is None:
        warn(f"{name}: the operator has not counted it yet: kubectl orch approvals view {name}")
    return 0


async def _put(kube: Kube, read: Approval, answer: _Answer) -> Approval:
    """The question with the answer in it."""
    change_to = {"decisions": {answer.me.username: answer.document(read)}}
    for last in range(_TRIES, 0, -1):
        now = await get_approval(kube, read.metadata.namespace or "", read.metadata.name)
        if (now.metadata.uid, now.spec.subject) != (read.metadata.uid, read.spec.subject):
            raise Failure(f"{read.metadata.name} was asked anew while you read: look at it again")
        _check_open(now)
        try:
            return Approval.model_validate(await change(kube, now, change_to, as_read=True))
        except Conflict:
            if last == 1:
                raise
    raise AssertionError("the last try returns or raises")
