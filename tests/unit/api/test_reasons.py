"""A reason that no page explains helps nobody: each one that the code gives is in `reasons.py`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from orch import errors
from orch.api.v1alpha1 import reasons

PACKAGE = Path(errors.__file__).parent
ERRORS = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.OrchError)
}
OF_THE_PROCESS = {"AddressInUse", "NoCluster", "VerbUnknown"}
"""Given before there is an object that could show them: they are printed."""


def given(source: str) -> Iterator[str]:
    """First arguments of errors of ours, where they are plain words."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(reason)), *_]) if name in ERRORS:
                if reason.isidentifier():
                    yield reason


def test_each_reason_is_explained() -> None:
    groups = [
        value for value in vars(reasons).values() if isinstance(value, type) and issubclass(value, reasons.Documented)
    ]
    explained = {member.value for group in groups for member in group}
    files = [path for path in PACKAGE.rglob("*.py") if "testservers" not in path.parts]
    found = {reason for path in files for reason in given(path.read_text("utf-8"))}
    assert len(found) > 20
    assert sorted(found - explained - OF_THE_PROCESS) == [], "explain them in orch/api/v1alpha1/reasons.py"
