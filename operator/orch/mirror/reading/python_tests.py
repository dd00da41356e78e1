"""Python's tests, from the syntax tree of both sides: which there are, how much each checks, which are skipped.

A test's strength is how many checks it makes: asserts that can fail, calls named `assert…`, `raises`, `warns` and `fail`,
times the cases of its `parametrize`. What stands after a `return`, or under `if False`, is not run and counts nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source
from orch.policy.files import is_test

_SKIPS: Final = frozenset(
    {"skip", "skipIf", "skipUnless", "skipif", "xfail", "expectedFailure", "skipTest", "SkipTest", "importorskip"}
)
_CHECKS: Final = frozenset({"raises", "warns", "fail", "deprecated_call", "check"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Test:
    """One test function. `name` is `Class.test_x` or `test_x`."""

    name: str
    line: int
    strength: int
    skips: int
    body: str
    """Digest of its body: a test that only moved has the same."""


@dataclass
class Suite:
    """All tests of a module, by name, and the skips that stand for all of them."""

    tests: dict[str, Test] = field(default_factory=dict)
    skips: int = 0


def read(source: Source) -> Iterator[SourceFact]:
    """Facts about the tests of one module. Raises SyntaxError for a new side of a test file that is no Python."""
    old, new = _suite_before(source), _suite(source.new) if source.new is not None and is_test(source.path) else Suite()
    for name, test in old.tests.items():
        if name not in new.tests:
            gone = FactKind.TEST_REMOVED
            yield source.fact(gone, line=test.line, subject=name, detail=test.body, before=test.strength)
        else:
            yield from _compared(source, test, new.tests[name])
    for name, test in new.tests.items():
        if name not in old.tests:
            new_one = FactKind.TEST_ADDED
            yield source.fact(new_one, line=test.line, subject=name, detail=test.body, after=test.strength)
    if new.skips > old.skips and old.tests:
        yield source.fact(FactKind.TEST_SKIPPED, before=old.skips, after=new.skips)


def _compared(source: Source, old: Test, new: Test) -> Iterator[SourceFact]:
    if new.skips > old.skips:
        yield source.fact(FactKind.TEST_SKIPPED, line=new.line, subject=new.name, before=old.skips, after=new.skips)
    if new.strength < old.strength:
        yield source.fact(
            FactKind.TEST_WEAKENED, line=new.line, subject=new.name, before=old.strength, after=new.strength
        )


def _suite_before(source: Source) -> Suite:
    if source.old is None or not is_test(source.path):
        return Suite()
    try:
        return _suite(source.old)
    except SyntaxError:
        return Suite()  # it could not run before: nothing is lost


def _suite(text: str) -> Suite:
    suite, tree = Suite(), ast.parse(text)
    for node in tree.body:
        if (
            isinstance(node, ast.Assign) and any(_name(target) == "pytestmark" for target in node.targets)
        ) or isinstance(node, ast.Expr):
            suite.skips += _count_skips(node.value)
        elif isinstance(node, ast.ClassDef):
            _of_class(suite, node)
        elif isinstance(node, _Function) and node.name.startswith("test"):
            _add(suite, node, node.name, 0)
    return suite


def _of_class(suite: Suite, node: ast.ClassDef) -> None:
    skips = sum(_count_skips(decorator) for decorator in node.decorator_list)
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            names = {_name(target) for target in statement.targets}
            if "pytestmark" in names:
                skips += _count_skips(statement.value)
            if "__test__" in names and isinstance(statement.value, ast.Constant) and not statement.value.value:
                skips += 1
    for statement in node.body:
        if isinstance(statement, _Function) and statement.name.startswith("test"):
            _add(suite, statement, f"{node.name}.{statement.name}", skips)


def _add(suite: Suite, node: _Function, name: str, skips: int) -> None:
    """The last of one name is the one that runs."""
    body = list(_run(node.body))
    checks = sum(_is_check(inner) for inner in body)
    cases = 1
    for decorator in node.decorator_list:
        cases *= _cases(decorator)
    skips += sum(_count_skips(decorator) for decorator in node.decorator_list)
    skips += sum(_is_skip_call(inner) for inner in body)
    digest = hashlib.sha256(
        "".join(ast.dump(statement) for statement in node.body).encode(errors="replace")
    ).hexdigest()
    suite.tests[name] = Test(name, node.lineno, checks * cases, skips, digest[:32])


def _run(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes that can be reached: not what follows a return, not what stands under a false constant."""
    for statement in body:
        if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
            yield from _run(statement.body if statement.test.value else statement.orelse)
            continue
        yield from ast.walk(statement)
        if isinstance(statement, ast.Return | ast.Raise):
            return


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_true(node.test)
    return isinstance(node, ast.Call) and (_name(node.func).startswith("assert") or _name(node.func) in _CHECKS)


def _always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_always_true(value) for value in test.values)
    return (isinstance(test, ast.Constant) and bool(test.value)) or (isinstance(test, ast.Tuple) and bool(test.elts))


def _is_skip_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in _SKIPS


def _count_skips(node: ast.expr) -> int:
    """`@pytest.mark.skip` and `@unittest.skip("…")` alike; also within a list of marks."""
    return any(_name(inner) in _SKIPS for inner in ast.walk(node) if isinstance(inner, ast.Name | ast.Attribute))


def _cases(decorator: ast.expr) -> int:
    """How many cases a `parametrize` lists; 1 when that cannot be told."""
    if isinstance(decorator, ast.Call) and _name(decorator.func) == "parametrize" and len(decorator.args) > 1:
        values = decorator.args[1]
        if isinstance(values, ast.List | ast.Tuple | ast.Set):
            return max(len(values.elts), 1)
    return 1


def _name(node: ast.expr) -> str:
    """The last word of a name or attribute."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
