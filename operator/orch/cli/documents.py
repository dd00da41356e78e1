"""YAML documents with the line of every field, read as the API server's decoder reads them: a key twice is refused,
and a time is a string. Called by `validate`; knows no kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from orch.api.validate import Problem

_MOST_NODES: Final = 200_000
"""Values in one document with its aliases unfolded: an alias bomb ends here."""


class _Loader(yaml.SafeLoader):
    """Without YAML 1.1's dates, which Kubernetes does not read as dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass
class Document:
    """A document: its value, the line of each path, and what the reading itself found wrong."""

    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: str) -> int:
        """The line of the field, or of the nearest field around it that is written down."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)


def documents(text: str) -> list[Document]:
    """All documents that are not empty. Raises yaml.YAMLError when the text is no YAML."""
    loader = _Loader(text)
    try:
        found = []
        while loader.check_node():
            node = loader.get_node()
            if node is not None and node.tag != "tag:yaml.org,2002:null":
                found.append(_Reading(loader).read(node))
        return found
    finally:
        loader.dispose()


class _Reading:
    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._document = Document()
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: yaml.Node) -> Document:
        self._document.lines[""] = node.start_mark.line + 1
        self._document.value = self._value(node, "")
        return self._document

    def _value(self, node: yaml.Node, path: str) -> Any:
        self._count += 1
        if id(node) in self._open or self._count > _MOST_NODES:
            raise yaml.MarkedYAMLError(problem="aliases that never end", problem_mark=node.start_mark)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self._item(child, f"{path}[{index}]") for index, child in enumerate(node.value)]
            try:
                return self._loader.construct_object(node)
            except ValueError:
                raise yaml.MarkedYAMLError(problem=f"not a {node.tag}", problem_mark=node.start_mark) from None
        finally:
            self._open.discard(id(node))

    def _item(self, node: yaml.Node, path: str) -> Any:
        self._document.lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        self._refuse_twice(node, path)
        self._loader.flatten_mapping(node)
        result = {}
        for key, child in node.value:
            name = str(getattr(key, "value", ""))
            here = f"{path}.{name}" if path else name
            self._document.lines[here] = key.start_mark.line + 1
            result[name] = self._value(child, here)
        return result

    def _refuse_twice(self, node: yaml.MappingNode, path: str) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a string", problem_mark=key.start_mark)
            if key.value in seen and key.value != "<<":
                here = f"{path}.{key.value}" if path else key.value
                self._document.problems.append(Problem(here, "is written twice"))
            seen.add(key.value)
