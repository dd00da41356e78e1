"""The rules of the house that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted(path for folder in ("operator", "hack", "tests") for path in (ROOT / folder).rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_LONGEST = 400
"""Lines of a file: one idea fits, two do not."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_operator_is_no_package() -> None:
    # `operator` is a module of the standard library, and a package of that name would hide it
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_every_room_of_the_package_is_a_package() -> None:
    rooms = {path.parent for path in (ROOT / "operator" / "orch").rglob("*.py")}
    assert [_name(room) for room in sorted(rooms) if not (room / "__init__.py").exists()] == []


def test_tests_are_no_packages() -> None:
    # pytest imports them by path (importlib mode), so that two files may have one name
    assert [_name(path) for path in OURS if path.name == "__init__.py" and path.is_relative_to(ROOT / "tests")] == []


def test_every_file_opens_by_saying_what_it_is_for() -> None:
    assert [_name(path) for path in OURS if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_every_file_holds_one_idea() -> None:
    assert [_name(path) for path in OURS if len(path.read_text().splitlines()) > _LONGEST] == []


def _dependencies() -> list[str]:
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    return [re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0] for requirement in asked]


def _explained() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)


def test_every_dependency_earns_its_place_and_nothing_else_is_listed() -> None:
    assert sorted(_explained()) == sorted(_dependencies())


@pytest.mark.parametrize("name", _dependencies())
def test_every_dependency_is_pinned(name: str) -> None:
    canonical = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
    assert re.search(rf"^{re.escape(canonical)}==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
