"""Runs a read document against nodes: picks the asked fields, asynchronously, and refuses unknown ones by name.

Who calls it: `endpoint`. Source: the GraphQL specification, section 6 "Execution".
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .language import Document, Field, Fragment, Selection, Variable

T = TypeVar("T")


class GraphError(Exception):
    """An entry of `errors`. `kind` is GitHub's `type`: NOT_FOUND, FORBIDDEN, UNPROCESSABLE, undefinedField."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class Node:
    """An object: its type's name and its fields, each a value or a function of the arguments (may be a coroutine)."""

    typename: str
    fields: dict[str, Any]


class Execution:
    def __init__(self, document: Document, variables: dict[str, Any]) -> None:
        self._document = document
        self._variables = {**document.defaults, **variables}

    async def run(self, root: Node) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """`data` and `errors`."""
        errors: list[dict[str, Any]] = []
        data: dict[str, Any] = {}
        for field in self._fields(root, self._document.selections):
            try:
                data[field.alias] = await self._resolve(root, field)
            except GraphError as failure:
                data[field.alias] = None
                errors.append({"type": failure.kind, "path": [field.alias], "message": str(failure)})
        return data, errors

    def _fields(self, node: Node, selections: Sequence[Selection]) -> list[Field]:
        found: list[Field] = []
        for selection in selections:
            if not self._is_included(selection):
                continue
            if isinstance(selection, Field):
                found.append(selection)
                continue
            fragment = self._fragment(selection)
            if fragment.on in (None, node.typename, "Node", "Actor", "Assignable", "Labelable", "Comment", "Query"):
                found += self._fields(node, fragment.selections)
        return found

    def _fragment(self, selection: Fragment) -> Fragment:
        if selection.name is None:
            return selection
        found = self._document.fragments.get(selection.name)
        if found is None:
            raise GraphError("undefinedFragment", f"Fragment {selection.name} was used, but not defined")
        return found

    def _is_included(self, selection: Selection) -> bool:
        for name, arguments in selection.directives:
            condition = bool(self._value(arguments.get("if")))
            if (name, condition) in (("include", False), ("skip", True)):
                return False
        return True

    async def _resolve(self, node: Node, field: Field) -> Any:
        if field.name == "__typename":
            return node.typename
        if field.name not in node.fields:
            raise GraphError("undefinedField", f"Field '{field.name}' doesn't exist on type '{node.typename}'")
        value = node.fields[field.name]
        if callable(value):
            value = value({name: self._value(argument) for name, argument in field.arguments.items()})
        if inspect.isawaitable(value):
            value = await value
        return await self._shape(value, field)

    async def _shape(self, value: Any, field: Field) -> Any:
        if isinstance(value, list | tuple):
            return [await self._shape(item, field) for item in value]
        if not isinstance(value, Node):
            return value
        chosen = self._fields(value, field.selections or [])
        return {entry.alias: await self._resolve(value, entry) for entry in chosen}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Variable):
            return self._variables.get(value.name)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, dict):
            return {name: self._value(item) for name, item in value.items()}
        return value


def connection(items: Sequence[T], make: Callable[[T], Any], arguments: dict[str, Any]) -> Node:
    """A page of `items` by `first`/`after` or `last`/`before`, as GitHub's connections."""
    start = _offset(arguments.get("after"), -1) + 1
    end = _offset(arguments.get("before"), len(items))
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None:
        end = min(end, start + int(first))
    elif last is not None:
        start = max(start, end - int(last))
    chosen = list(range(max(start, 0), min(end, len(items))))
    info = {
        "hasNextPage": bool(chosen) and chosen[-1] + 1 < len(items),
        "hasPreviousPage": bool(chosen) and chosen[0] > 0,
        "startCursor": _cursor(chosen[0]) if chosen else None,
        "endCursor": _cursor(chosen[-1]) if chosen else None,
    }
    fields = {
        "totalCount": len(items),
        "nodes": lambda _: [make(items[index]) for index in chosen],
        "edges": lambda _: [Node("Edge", {"node": make(items[i]), "cursor": _cursor(i)}) for i in chosen],
        "pageInfo": Node("PageInfo", info),
    }
    return Node("Connection", fields)


def _cursor(index: int) -> str:
    return base64.b64encode(f"cursor:{index}".encode()).decode()


def _offset(cursor: Any, default: int) -> int:
    if not isinstance(cursor, str) or not cursor:
        return default
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("cursor:"))
    except ValueError:
        raise GraphError("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from None
