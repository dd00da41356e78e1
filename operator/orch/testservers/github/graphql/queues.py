"""The merge queue as GraphQL shows it: a pull request's entry, and the events of its timeline.

Who calls it: `nodes`, `mutations`. Source: GitHub GraphQL `MergeQueueEntry`, `RemovedFromMergeQueueEvent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import merge_queue
from ..records import Event, Issue, QueueEntry, Repo
from ..render.view import node_id, stamp
from ..store import Store
from .execute import Node

if TYPE_CHECKING:
    from .nodes import Graph

Args = dict[str, Any]
_EVENTS = {"added_to_merge_queue": "AddedToMergeQueueEvent", "removed_from_merge_queue": "RemovedFromMergeQueueEvent"}
"""Types of timeline items with fields of their own, by REST's name of the event."""


def fields(graph: Graph, repo: Repo, row: Issue) -> Args:
    """Those of a pull request."""
    found = merge_queue.find_entry(graph.state, repo, row.number)
    return {"isInMergeQueue": found is not None, "mergeQueueEntry": entry(graph, repo, found) if found else None}


def entry(graph: Graph, repo: Repo, row: QueueEntry) -> Node:
    """A place in a merge queue, as it is now."""
    shown = {
        "id": node_id("MergeQueueEntry", row.id),
        "position": merge_queue.position_of(graph.state, repo, row),
        "state": merge_queue.state_of(row),
        "enqueuedAt": stamp(row.enqueued_at),
        "enqueuer": graph.user(row.enqueuer),
        "headCommit": Node("Commit", {"oid": row.group_sha}) if row.group_sha else None,
        "baseCommit": Node("Commit", {"oid": row.group_base}) if row.group_base else None,
        "jump": False,
    }
    return Node("MergeQueueEntry", shown)


def events(store: Store, repo: Repo, row: Issue, args: Args) -> list[Event]:
    """Those of a timeline that `itemTypes` asks for: names of events in upper case, with `_EVENT` behind."""
    kinds = args.get("itemTypes")
    found = store.on(Event, repo.id, row.number)
    return [event for event in found if kinds is None or f"{event.event.upper()}_EVENT" in kinds]


def event(row: Event) -> Node:
    """An entry of a timeline."""
    shown: Args = {"id": node_id("Event", row.id), "createdAt": stamp(row.created_at)}
    if row.event == "removed_from_merge_queue":
        commit = Node("Commit", {"oid": row.commit_id}) if row.commit_id else None
        shown |= {"reason": row.extra["reason"], "beforeCommit": commit}
    return Node(_EVENTS.get(row.event, "TimelineItem"), shown)
