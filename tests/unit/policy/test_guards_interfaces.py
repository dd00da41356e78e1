"""What breaks others, and whether the version that the change gives the project says so."""

from __future__ import annotations

import pytest

from orch.api.v1alpha1 import Guard, GuardAction, GuardsSpec
from orch.policy.guards import evaluate

from .conftest import change, diff


def test_a_module_that_became_a_package_is_not_gone() -> None:
    sources = {"pkg/io.py": ("def f(): ...\n", None), "pkg/io/__init__.py": "def f(): ...\n"}
    moved = diff(change("pkg/io.py", "D"), change("pkg/io/__init__.py", "A"), sources=sources)
    assert [f.guard for f in evaluate(moved, GuardsSpec())] == [Guard.DELETION]
    gone = diff(change("pkg/io.py", "D"), sources=sources)
    assert {f.guard for f in evaluate(gone, GuardsSpec())} == {Guard.BREAKING_CHANGE, Guard.DELETION}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("1.4.2", "1.4.3", "VersionTooLow"),
        ("1.4.2", "1.5.0", "VersionTooLow"),
        ("1.4.2", "1.4.1", "VersionTooLow"),
        ("1.4.2", "2.0.0", None),
        ("1.4.2", "2.0.0rc1", None),
        ("1.4.2", "2.0.0-rc.1", None),
        ("0.4.2", "0.4.3", "VersionTooLow"),
        ("0.4.2", "0.5.0", None),
        ("0.4.2", "1.0.0", None),
        ("2024.1", "2024.2", "VersionTooLow"),
        ("next", "later", None),
        ("1.4.2", "1.4.2", "VersionNotRaised"),
    ],
)
def test_what_breaks_is_held_against_the_version(old: str, new: str, rule: str | None) -> None:
    sources = {
        "pkg/io.py": ("def f(): ...\n", "def g(): ...\n"),
        "pkg/__init__.py": (f"__version__ = {old!r}\n", f"__version__ = {new!r}\n"),
    }
    breaking = diff(change("pkg/io.py"), change("pkg/__init__.py"), sources=sources)
    found = [f for f in evaluate(breaking, GuardsSpec()) if f.rule.startswith("Version")]
    assert [(f.guard, f.rule, f.action) for f in found] == (
        [(Guard.BREAKING_CHANGE, rule, GuardAction.APPROVE)] if rule else []
    )


def test_a_version_that_is_too_low_is_told_with_the_right_one() -> None:
    sources = {
        "pkg/io.py": ("def f(): ...\n", None),
        "pyproject.toml": ("[project]\nversion = '0.9.1'\n", "[project]\n\nversion = '0.9.2'\n"),
    }
    breaking = diff(change("pkg/io.py", "D"), change("pyproject.toml"), sources=sources)
    (found,) = (f for f in evaluate(breaking, GuardsSpec()) if f.rule == "VersionTooLow")
    assert (found.path, found.line) == ("pyproject.toml", 3)
    assert found.message == "the version goes from 0.9.1 to 0.9.2, which promises that nothing breaks: make it 0.10.0"


def test_a_version_is_free_where_nothing_breaks() -> None:
    sources = {"pkg/__init__.py": ("__version__ = '1.4.2'\n", "__version__ = '1.4.3'\n")}
    assert evaluate(diff(change("pkg/__init__.py"), sources=sources), GuardsSpec()) == []


def test_of_a_version_that_could_not_be_read_nothing_is_said() -> None:
    sources = {
        "pkg/io.py": ("def f(): ...\n", "def g(): ...\n"),
        "package.json": ('{"version": "1.4.2"}', "{"),
    }
    breaking = diff(change("pkg/io.py"), change("package.json"), sources=sources)
    assert [f.rule for f in evaluate(breaking, GuardsSpec()) if f.rule.startswith("Version")] == []


def test_breaking_changes_are_told_one_by_one_up_to_three() -> None:
    old = "".join(f"def f{n}(): ...\n" for n in range(6))
    found = evaluate(diff(change("pkg/io.py"), sources={"pkg/io.py": (old, "x = 1\n")}), GuardsSpec())
    assert [f.rule for f in found if not f.path] == ["VersionNotRaised"]
    assert [f.line for f in found if f.path] == [1, 2, 3, 4]
    assert found[-1].message == "breaks pkg.io.f3, pkg.io.f4, pkg.io.f5 besides"
