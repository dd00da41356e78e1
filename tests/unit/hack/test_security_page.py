"""docs/security.md names the test behind each promise: each of them is there."""

import ast
import functools
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_NAMED = sorted(set(re.findall(r"`(test_\w+)`", (_ROOT / "docs" / "security.md").read_text())))


@functools.cache
def _tests() -> set[str]:
    files = (path for part in ("unit", "integration", "e2e") for path in (_ROOT / "tests" / part).rglob("test_*.py"))
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_names_tests() -> None:
    assert len(_NAMED) > 40


@pytest.mark.parametrize("name", _NAMED)
def test_a_named_test_is_there(name: str) -> None:
    assert name in _tests()
