"""`audit`: who asked for what, who decided, and what orch did in the outside world. Called by `orch.cli.verbs.look`.

It tells what the objects hold, newest last; objects that were deleted tell nothing, so the operator's audit log is the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import GROUP, Approval, IssueRun, RollbackPoint
from orch.api.v1alpha1.types import format_time, parse_duration
from orch.cli.connection import on_cluster
from orch.cli.lookup import Owned, get_repos, is_of
from orch.cli.options import WRONG_USE, Failure, Format, Place, Which
from orch.cli.output import Listing, Row, show, warn
from orch.kube.client import Kube
from orch.kube.errors import Forbidden
from orch.kube.objects import Objects
from orch.kube.resource import EVENTS
from orch.kube.store import Store

_COLUMNS: Final = ("TIME", "WHO", "WHAT", "OBJECT", "DETAIL")
_OURS: Final = "orch.dev/"


@dataclass(frozen=True)
class Act:
    """One line of the record."""

    time: datetime
    who: str
    what: str
    about: str
    detail: str = ""
    namespace: str = ""

    @property
    def name(self) -> str:
        """Of the object, as kubectl takes it."""
        kind, _, name = self.about.partition("/")
        return f"{kind}.{GROUP}/{name}"

    def dump(self) -> dict[str, str]:
        """For `-o json`."""
        return {
            "time": format_time(self.time),
            "who": self.who,
            "what": self.what,
            "namespace": self.namespace,
            "object": self.about,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Wish:
    """Which part of the record."""

    which: Which
    since: str = "24h"
    output: Format | None = None


def audit(place: Place, wish: Wish) -> int:
    """Print the record. Raises Failure."""
    try:
        span = parse_duration(wish.since)
    except ValueError as error:
        raise Failure(f"--since {wish.since}: {error}", code=WRONG_USE) from None

    async def session(kube: Kube, namespace: str) -> list[Act]:
        where = wish.which.where(namespace)
        runs, questions = await Store(kube, IssueRun).list(where), await Store(kube, Approval).list(where)
        points, events = await Store(kube, RollbackPoint).list(where), await _events(kube, where)
        if wish.which.are_chosen:
            repos = await get_repos(kube, namespace, wish.which)
            runs = [run for run in runs if is_of(run, repos)]
            questions = [question for question in questions if is_of(question, repos)]
            points = [point for point in points if is_of(point, repos)]
            names = {(one.metadata.namespace, one.metadata.name) for one in (*repos, *runs, *questions, *points)}
            events = [event for event in events if _about(event) in names]
        return [*recorded(runs, questions, points), *map(_of_event, events)]

    acts = _newest(on_cluster(session, place), datetime.now(UTC) - span)
    everywhere = wish.which.everywhere
    rows = [Row(_cells(act, everywhere), act.dump(), act.name, act.namespace) for act in acts]
    columns = ("NAMESPACE", *_COLUMNS) if everywhere else _COLUMNS
    show(Listing(columns, rows, empty=f"nothing was recorded in the last {wish.since}"), wish.output)
    return 0


def _cells(act: Act, with_namespace: bool) -> tuple[str, ...]:
    namespace = (act.namespace,) if with_namespace else ()
    return *namespace, format_time(act.time), act.who, act.what, act.about, act.detail


def recorded(runs: Sequence[IssueRun], questions: Sequence[Approval], points: Sequence[RollbackPoint]) -> Iterator[Act]:
    """What the objects hold, in no order."""
    for run in runs:
        yield from _placed(run, _of_run(run))
    for question in questions:
        yield from _placed(question, _of_question(question))
    for point in points:
        yield from _placed(point, _of_point(point))


def _placed(thing: Owned, acts: Iterator[Act]) -> Iterator[Act]:
    return (replace(act, namespace=thing.metadata.namespace or "") for act in acts)


def _of_point(point: RollbackPoint) -> Iterator[Act]:
    if made := point.spec.merge.time or point.metadata.creation_timestamp:
        sha = point.spec.merge.sha[:8]
        yield Act(made, "orch", "merge recorded", f"rollbackpoint/{point.metadata.name}", f"{sha} can be undone")


def _newest(acts: Sequence[Act], since: datetime) -> list[Act]:
    return sorted((act for act in acts if act.time >= since), key=lambda act: (act.time, act.about, act.what))


def _of_run(run: IssueRun) -> Iterator[Act]:
    about, trigger = f"issuerun/{run.metadata.name}", run.spec.trigger
    if asked := trigger.time or run.metadata.creation_timestamp:
        yield Act(asked, trigger.username or trigger.github_login or "", f"run asked for ({trigger.type})", about)
    for effect in run.status.effects:
        yield Act(effect.time, "orch", f"effect {effect.key} {effect.state}", about, effect.observed or "")
    ended, outcome = run.status.completion_time, find_condition(run, "Succeeded")
    if ended and run.spec.cancel:
        yield Act(ended, run.spec.cancel.username, "cancelled", about, run.spec.cancel.reason)
    if ended and outcome:
        yield Act(ended, "orch", f"run ended ({outcome.reason})", about, outcome.message)


def _of_question(question: Approval) -> Iterator[Act]:
    about, status = f"approval/{question.metadata.name}", question.status
    if asked := question.metadata.creation_timestamp:
        yield Act(asked, "orch", f"approval asked for ({question.spec.gate})", about, question.spec.review.title or "")
    for one in status.decisions:
        given = question.spec.decisions.get(one.username)
        why = (given.comment if given else None) or ""
        if one.observed_time:
            detail = why if one.counted else f"does not count: {one.reason}"
            yield Act(one.observed_time, one.username, f"decided {one.verdict}", about, detail)
    if status.decide_time and status.outcome:
        yield Act(status.decide_time, "orch", f"approval is {status.outcome}", about)
    if status.consumed_time:
        yield Act(status.consumed_time, "orch", "approval used", about)


async def _events(kube: Kube, namespace: str | None) -> list[dict[str, Any]]:
    """The Events of our objects; the API server keeps them for an hour."""
    try:
        found = (await Objects(kube, EVENTS).list(namespace)).items
    except Forbidden:
        warn("Events are left out: you may not list events.events.k8s.io")
        return []
    return [event for event in found if str((event.get("regarding") or {}).get("apiVersion", "")).startswith(_OURS)]


def _about(event: dict[str, Any]) -> tuple[str | None, str | None]:
    """Namespace and name of the object that it tells of; names of our kinds do not collide but by a person's choice."""
    return event["regarding"].get("namespace"), event["regarding"].get("name")


def _of_event(event: dict[str, Any]) -> Act:
    about = event["regarding"]
    time = event.get("eventTime") or event["metadata"]["creationTimestamp"]
    moment = datetime.fromisoformat(str(time).replace("Z", "+00:00"))
    where = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    note, namespace = str(event.get("note") or ""), str(about.get("namespace") or "")
    return Act(moment, "orch", f"event {event.get('reason', '')}", where, note, namespace)
