"""`inbox`, `approvals list`, `approvals view`: the questions that are open, and those that wait for me.

Called by `orch.cli.verbs.decide`; it only reads. What waits for me: open, not answered by me yet, and my answer would count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orch.api.v1alpha1 import Approval, ApprovalOutcome
from orch.cli.ballot import objection
from orch.cli.changes import shown
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_approval
from orch.cli.options import Format, Place
from orch.cli.output import LIST, Listing, Row, age, say, show_document
from orch.cli.rights import Right, right_to
from orch.cli.watching import show_once_or_on
from orch.cli.whoami import Me, whoami
from orch.cli.wording import lacking, outcome_of, subject_of, view
from orch.kube.client import Kube
from orch.kube.resource import Resource
from orch.kube.store import Store

_COLUMNS: Final = ("NAME", "GATE", "RISK", "OUTCOME", "LACKS", "LEFT", "SUBJECT", "TITLE")
_WIDE: Final = 1
_APPROVALS: Final = Resource.of(Approval)


@dataclass(frozen=True)
class Wish:
    """Which questions, and how they are printed. `mine`: only those that wait for me; `closed`: decided ones too."""

    mine: bool = False
    closed: bool = False
    labels: str | None = None
    everywhere: bool = False
    output: Format | None = None
    watch: bool = False


def approvals(place: Place, wish: Wish) -> int:
    """Print the questions. Raises Failure."""

    async def session(kube: Kube, namespace: str) -> int:
        me = await whoami(kube) if wish.mine else None
        where = None if wish.everywhere else namespace

        async def look() -> Listing:
            now = datetime.now(UTC)
            found = await Store(kube, Approval).list(where, labels=wish.labels or "")
            if not wish.closed:
                found = [question for question in found if outcome_of(question) is ApprovalOutcome.PENDING]
            if me is not None:
                found = await waiting_for(kube, me, found, now)
            return _table(found, now, everywhere=wish.everywhere, mine=wish.mine)

        return await show_once_or_on(look, wish.output, watch=wish.watch)

    return on_cluster(session, place)


def show_one(place: Place, name: str, output: Format | None) -> int:
    """Print all that a person needs to decide. Raises Failure."""
    question = on_cluster(lambda kube, namespace: get_approval(kube, namespace, name), place)
    if output in (Format.JSON, Format.YAML):
        show_document(question.dump(), output)
        return 0
    if output is Format.NAME:
        say(shown(question))
        return 0
    for line in view(question):
        say(line)
    return 0


async def waiting_for(kube: Kube, me: Me, questions: list[Approval], now: datetime) -> list[Approval]:
    """Those of the open questions that this person may answer and has not answered."""
    everywhere: dict[str, Right] = {}
    mine = []
    for question in questions:
        if me.username in question.spec.decisions:
            continue
        namespace = question.metadata.namespace or ""
        if namespace not in everywhere:
            everywhere[namespace] = await right_to(kube, me, "approve", _APPROVALS, namespace)
        right = everywhere[namespace]
        if not right.allowed:
            right = await right_to(kube, me, "approve", _APPROVALS, namespace, question.metadata.name)
        if objection(question, me, now, right) is None:
            mine.append(question)
    return mine


def _table(questions: list[Approval], now: datetime, *, everywhere: bool, mine: bool) -> Listing:
    rows = [_row(question, now, with_namespace=everywhere) for question in questions]
    columns = ("NAMESPACE", *_COLUMNS) if everywhere else _COLUMNS
    empty = "nothing waits for you" if mine else "no question is open"
    return Listing(columns, rows, wide=_WIDE, empty=empty, head=LIST)


def _row(question: Approval, now: datetime, *, with_namespace: bool) -> Row:
    spec, outcome = question.spec, outcome_of(question)
    is_open = outcome is ApprovalOutcome.PENDING
    cells = (
        *((question.metadata.namespace or "",) if with_namespace else ()),
        question.metadata.name,
        spec.gate.value,
        spec.risk.value,
        outcome.value,
        lacking(question) if is_open else "",
        age(now, spec.expire_time) if is_open else "",
        subject_of(spec.subject),
        spec.review.title or "",
    )
    return Row(cells, question.dump(), shown(question), question.metadata.namespace or "")
