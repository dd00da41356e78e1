"""Reads a GraphQL document into a small tree. Source: the GraphQL specification, section 2 "Language".

Who calls it: `endpoint`. It covers operations, fragments, variables, arguments and directives, and knows no type.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r'[\s,\ufeff]*(?:#[^\n]*[\s,]*)*(?:(\.\.\.|[{}()\[\]:!$=@|&])|([A-Za-z_]\w*)|("(?:[^"\\\n]|\\.)*")|(-?\d+(?:\.\d+)?))'
)
MAX_DEPTH = 60


class DocumentError(Exception):
    """The document cannot be read; the text says where."""


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass
class Field:
    name: str
    alias: str
    arguments: dict[str, Any]
    directives: list[tuple[str, dict[str, Any]]]
    selections: list[Selection] | None


@dataclass
class Fragment:
    """An inline fragment, or (with `name`) a spread of a named one. `on` is its type condition."""

    name: str | None
    on: str | None
    directives: list[tuple[str, dict[str, Any]]]
    selections: list[Selection]


Selection = Field | Fragment


@dataclass
class Document:
    """The operation that runs, and the named fragments. GitHub's clients send one operation per document."""

    operation: str = "query"
    defaults: dict[str, Any] = field(default_factory=dict)
    selections: list[Selection] = field(default_factory=list)
    fragments: dict[str, Fragment] = field(default_factory=dict)


def parse(text: str) -> Document:
    """Raises DocumentError."""
    return _Parser(text).document()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at, end = 0, len(text.rstrip(" \t\r\n,"))
        while at < end:
            match = TOKEN.match(text, at)
            if match is None:
                if not re.sub(r"#[^\n]*", "", text[at:]).strip(" \t\r\n,"):
                    break
                raise DocumentError(f"unexpected text at {at}: {text[at : at + 20]!r}")
            self._tokens.append(next(group for group in match.groups() if group is not None))
            at = match.end()
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._next
        if not token or (expected is not None and token != expected):
            raise DocumentError(f"expected {expected or 'more'}, found {token or 'the end'}")
        self._at += 1
        return token

    def _skip(self, token: str) -> bool:
        found = self._next == token
        self._at += found
        return found

    def document(self) -> Document:
        made = Document()
        while self._next:
            if self._skip("fragment"):
                name = self._take()
                self._take("on")
                made.fragments[name] = Fragment(name, self._take(), self._directives(), self._selections())
                continue
            if self._next != "{":
                made.operation = self._take()
                if self._next not in ("(", "{", "@"):
                    self._take()
                made.defaults = self._variables()
                self._directives()
            made.selections = self._selections()
        return made

    def _variables(self) -> dict[str, Any]:
        """Default values; the types are not checked."""
        defaults: dict[str, Any] = {}
        if not self._skip("("):
            return defaults
        while not self._skip(")"):
            self._take("$")
            name = self._take()
            self._take(":")
            while self._next in ("[", "]", "!") or self._next.isidentifier():
                self._take()
            if self._skip("="):
                defaults[name] = self._value()
        return defaults

    def _selections(self) -> list[Selection]:
        self._take("{")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DocumentError("the query is nested too deeply")
        found: list[Selection] = []
        while not self._skip("}"):
            found.append(self._fragment() if self._skip("...") else self._field())
        self._depth -= 1
        return found

    def _fragment(self) -> Fragment:
        on = None
        if self._skip("on"):
            on = self._take()
        elif self._next not in ("{", "@"):
            return Fragment(self._take(), None, self._directives(), [])
        return Fragment(None, on, self._directives(), self._selections())

    def _field(self) -> Field:
        name = alias = self._take()
        if self._skip(":"):
            name = self._take()
        arguments, directives = self._arguments(), self._directives()
        return Field(name, alias, arguments, directives, self._selections() if self._next == "{" else None)

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._skip("("):
            while not self._skip(")"):
                name = self._take()
                self._take(":")
                found[name] = self._value()
        return found

    def _directives(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        while self._skip("@"):
            found.append((self._take(), self._arguments()))
        return found

    def _value(self) -> Any:
        token = self._take()
        if token == "$":
            return Variable(self._take())
        if token == "[":
            items = []
            while not self._skip("]"):
                items.append(self._value())
            return items
        if token == "{":
            self._at -= 1
            return self._object()
        if token[0] == '"' or token[0] in "-0123456789":
            return json.loads(token)
        return {"true": True, "false": False, "null": None}.get(token, token)

    def _object(self) -> dict[str, Any]:
        self._take("{")
        found: dict[str, Any] = {}
        while not self._skip("}"):
            name = self._take()
            self._take(":")
            found[name] = self._value()
        return found
