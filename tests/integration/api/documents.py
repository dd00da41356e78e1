"""Objects for the tests of the API: the samples of the docs, changed at one place. Holds no test."""

import copy
from pathlib import Path
from typing import Any

import yaml

SAMPLES = Path(__file__).resolve().parents[3] / "docs" / "samples"


class _Absent:
    """Stands for a field that is taken away."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()

Change = dict[str, Any]


def sample(name: str) -> dict[str, Any]:
    """The document in docs/samples/`name`.yaml."""
    document: dict[str, Any] = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text("utf-8"))
    return document


def changed(document: dict[str, Any], changes: Change) -> dict[str, Any]:
    """A copy with other values at dotted paths; ABSENT takes a field away."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
        if value is ABSENT:
            node.pop(last, None)
        else:
            node[last] = value
    return result
