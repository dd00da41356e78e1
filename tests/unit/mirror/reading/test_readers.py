"""The readers as tables: what both sides of a file show."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.api.facts import LONGEST, FactKind, SourceFact
from orch.mirror.reading import complexity, credentials, dependencies, hazards, interface, licences, release, tests
from orch.mirror.reading.__main__ import facts_of
from orch.mirror.reading.source import Reader, Source

AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"


def seen(reader: Reader, path: str, old: str | None, new: str | None, **facts: str) -> list[SourceFact]:
    both = (None if text is None else dedent(text) for text in (old, new))
    return list(reader(Source(path, *both, **facts)))


def kinds(found: list[SourceFact]) -> list[str]:
    return [fact.kind for fact in found if fact.kind is not FactKind.TEST_ADDED]


def test_a_credential_is_new_only_once() -> None:
    (fact,) = seen(credentials.read, "a.py", "x = 1\n", f"x = 1\nkey = '{AWS_KEY}'\nagain = '{AWS_KEY}'\n")
    assert (fact.kind, fact.line, fact.subject) == (FactKind.CREDENTIAL, 2, "AWS Access Key")
    assert AWS_KEY not in str(fact)
    assert seen(credentials.read, "a.py", f"key = '{AWS_KEY}'\n", f"moved = 1\nkey = '{AWS_KEY}'\n") == []
    assert seen(credentials.read, "a.py", f"key = '{AWS_KEY}'\n", None) == []


REMOVED, SKIPPED, WEAKENED = FactKind.TEST_REMOVED, FactKind.TEST_SKIPPED, FactKind.TEST_WEAKENED
CHECKS = """\
    import pytest

    @pytest.mark.parametrize("n", [1, 2])
    def test_a(n):
        assert n
        assert n > 0

    class TestB:
        def test_b(self):
            self.assertEqual(1, 1)
"""


@pytest.mark.parametrize(
    ("change", "kind", "subject", "counts"),
    [
        pytest.param(("        assert n > 0\n", ""), WEAKENED, "test_a", (4, 2), id="an assert gone"),
        pytest.param(("assert n > 0", "assert True"), WEAKENED, "test_a", (4, 2), id="asserts nothing"),
        pytest.param(("n > 0", "n > 0 or True"), WEAKENED, "test_a", (4, 2), id="or True"),
        pytest.param(("assert n > 0", "assert (n > 0, 'x')"), WEAKENED, "test_a", (4, 2), id="a tuple"),
        pytest.param(("assert n\n", "return\n"), WEAKENED, "test_a", (4, 0), id="returns first"),
        pytest.param(("assert n\n", "if 0: assert n\n"), WEAKENED, "test_a", (4, 2), id="under if 0"),
        pytest.param(("[1, 2]", "[1]"), WEAKENED, "test_a", (4, 2), id="a case gone"),
        pytest.param(("def test_a", "def check_a"), REMOVED, "test_a", (4, 0), id="no longer collected"),
        pytest.param(("class TestB:", "class B:"), REMOVED, "TestB.test_b", (1, 0), id="a class renamed"),
        pytest.param(("    @pytest.mark.par", "    @pytest.mark.skip\n    @pytest.mark.par"), SKIPPED, "test_a", (0, 1), id="a mark"),
        pytest.param(("assert n\n", "pytest.skip('x')\n"), SKIPPED, "test_a", (0, 1), id="a call"),
        pytest.param(("    class TestB", "    @pytest.mark.xfail\n    class TestB"), SKIPPED, "TestB.test_b", (0, 1), id="its class"),
        pytest.param(("    class TestB:\n", "    class TestB:\n        __test__ = False\n"), SKIPPED, "TestB.test_b", (0, 1), id="no test"),
        pytest.param(("import pytest\n", "import pytest\n    pytestmark = pytest.mark.skip\n"), SKIPPED, "", (0, 1), id="the module"),
    ],
)  # fmt: skip
def test_python_tests_that_say_less(
    change: tuple[str, str], kind: FactKind, subject: str, counts: tuple[int, int]
) -> None:
    assert change[0] in CHECKS
    found = seen(tests.read, "tests/test_x.py", CHECKS, CHECKS.replace(*change, 1))
    told = [f for f in found if f.kind is kind]
    assert [(f.subject, f.before, f.after) for f in told] == [(subject, *counts)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("assert n\n", "assert n, 'why'\n"), id="a message"),
        pytest.param(("assert n > 0", "assert n > 0\n        assert n < 9"), id="more"),
        pytest.param(("[1, 2]", "[1, 2, 3]"), id="a case more"),
        pytest.param(("import pytest\n", "import pytest\n\n    @pytest.mark.skip\n    def test_new(): ...\n"), id="a new one, skipped"),
    ],
)  # fmt: skip
def test_python_tests_that_say_as_much(change: tuple[str, str]) -> None:
    assert kinds(seen(tests.read, "tests/test_x.py", CHECKS, CHECKS.replace(*change, 1))) == []


def test_a_deleted_module_of_tests_has_lost_them_all_and_a_helper_none() -> None:
    assert kinds(seen(tests.read, "tests/test_x.py", CHECKS, None)) == [FactKind.TEST_REMOVED] * 2
    assert kinds(seen(tests.read, "src/x.py", CHECKS, None)) == []
    assert kinds(seen(tests.read, "tests/test_x.py", "def test_(: no python", CHECKS)) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "kind"),
    [
        ("a.test.ts", "it('a', () => { expect(1) })", "it.skip('a', () => { expect(1) })", FactKind.TEST_SKIPPED),
        ("a.test.ts", "it('a', f); it('b', f)", "it('a', f) // it('b', f)", FactKind.TESTS_FEWER),
        ("a.spec.js", "test('a', () => { expect(a).toBe(1) })", "test('a', () => {})", FactKind.TEST_WEAKENED),
        ("a_test.go", "func TestA(t *testing.T) { t.Fatal() }", "func testA(t *testing.T) { t.Fatal() }", FactKind.TESTS_FEWER),
        ("a_test.go", "func TestA(t *testing.T) {}", "func TestA(t *testing.T) { t.Skip() }", FactKind.TEST_SKIPPED),
        ("src/test/java/ATest.java", "@Test void a() {}", "@Disabled @Test void a() {}", FactKind.TEST_SKIPPED),
        ("tests/a.rs", "#[test]\nfn a() { assert_eq!(1, 1); }", "#[test]\nfn a() {}", FactKind.TEST_WEAKENED),
        ("spec/a_spec.rb", "it 'a' do\n  expect(1)\nend", "xit 'a' do\n  expect(1)\nend", FactKind.TEST_SKIPPED),
        ("tests/ATest.php", "function testA() { $this->assertTrue(1); }", "function testA() {}", FactKind.TEST_WEAKENED),
        ("tests/a_test.cc", "TEST(A, B) {}", "TEST(A, DISABLED_B) {}", FactKind.TEST_SKIPPED),
        ("Tests/ATests.swift", "func testA() { XCTAssert(x) }", "func testA() { }", FactKind.TEST_WEAKENED),
    ],
)  # fmt: skip
def test_tests_of_other_languages(path: str, old: str, new: str, kind: FactKind) -> None:
    assert kinds(seen(tests.read, path, old, new)) == [kind]
    assert kinds(seen(tests.read, path, old, old)) == []
    assert kinds(seen(tests.read, path, None, new)) == []


BRANCHES = "def f(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(20))


def test_complexity_counts_growth_only() -> None:
    (fact,) = seen(complexity.read, "a.py", "def f(x):\n    return x\n", "\n" + BRANCHES)
    assert (fact.subject, fact.line, fact.before, fact.after) == ("f", 2, 1, 21)
    assert seen(complexity.read, "a.py", BRANCHES, BRANCHES + "x = 1\n") == []
    assert seen(complexity.read, "a.py", None, "def f(): pass\n") == []
    assert seen(complexity.read, "a.txt", None, BRANCHES) == []
    script = "function f(x) {" + "if (x) { y() }" * 9 + "}"
    assert [f.after for f in seen(complexity.read, "a.ts", None, script)] == [10]


INTERFACE = """\
    LIMIT = 1

    def open_it(path, mode="r"):
        return path

    class Reader:
        def read(self, size): ...

    def _inner(a): ...
"""


@pytest.mark.parametrize(
    ("change", "subject", "detail"),
    [
        (("def open_it", "def open_file"), "pkg.io.open_it", "public object was removed"),
        (('mode="r"', "mode"), "pkg.io.open_it", "parameter is now required"),
        (("path, mode", "path, strict, mode"), "pkg.io.open_it", "parameter was added as required"),
        (("(self, size)", "(self)"), "pkg.io.Reader.read", "parameter was removed"),
        (("class Reader", "class _Reader"), "pkg.io.Reader", "public object was removed"),
    ],
)
def test_a_breaking_change_of_python(change: tuple[str, str], subject: str, detail: str) -> None:
    found = seen(interface.read, "src/pkg/io.py", INTERFACE, INTERFACE.replace(*change, 1))
    assert (subject, detail) in {(f.subject, f.detail) for f in found}
    assert all(f.line > 0 for f in found)


@pytest.mark.parametrize(
    "change",
    [
        ("LIMIT = 1", "LIMIT = 2"),
        ("def _inner(a)", "def _inner()"),
        ('mode="r"', 'mode="r", more=None'),
        ("return path", "return 1"),
    ],
)
def test_what_breaks_nobody(change: tuple[str, str]) -> None:
    assert seen(interface.read, "src/pkg/io.py", INTERFACE, INTERFACE.replace(*change, 1)) == []


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("pyproject.toml", '[project]\nname = "a"\nversion = "@"\n', 3),
        ("libs/a/pyproject.toml", '[tool.poetry]\nversion = "@"\n', 2),
        ("setup.cfg", "[metadata]\nversion = @\n", 2),
        ("package.json", '{"name": "a", "version": "@"}', 1),
        ("Cargo.toml", '[package]\nversion = "@"\n', 2),
        ("src/a/__init__.py", 'import os\n\n__version__ = "@"\n', 3),
        ("a/_version.py", '__version__: str = "@"\n', 1),
    ],
)
def test_the_version_of_a_project(path: str, text: str, line: int) -> None:
    (fact,) = seen(release.read, path, text.replace("@", "1.4.2"), text.replace("@", "1.4.3"))
    assert (fact.kind, fact.subject, fact.detail, fact.line) == (FactKind.VERSION_CHANGED, "1.4.2", "1.4.3", line)
    assert seen(release.read, path, text, text + "\n") == []
    assert seen(release.read, path, None, text) == []


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pyproject.toml", "[project]\ndynamic = ['version']\n", "[project]\nversion = '1.0'\n"),
        ("setup.cfg", "[metadata]\nversion = attr: a.x\n", "[metadata]\nversion = attr: a.y\n"),
        ("package.json", '{"version": ["1"]}', '{"version": ["2"]}'),
        ("a/__init__.py", "__version__ = read()\n", "__version__ = find()\n"),
        ("a/__init__.py", "if x:\n    __version__ = '1'\n", "if x:\n    __version__ = '2'\n"),
        ("a/other.py", "__version__ = '1'\n", "__version__ = '2'\n"),
        ("pyproject.toml", "[project\n", "[project]\nversion = '1.0'\n"),
    ],
)
def test_what_says_no_version(path: str, old: str, new: str) -> None:
    assert seen(release.read, path, old, new) == []


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("src/pkg/io.py", "pkg.io"),
        ("pkg/__init__.py", "pkg"),
        ("pkg/_io.py", None),
        ("_pkg/io.py", None),
        ("tests/test_io.py", None),
        ("docs/conf.py", None),
        ("setup.py", None),
        ("some-tool/x.py", None),
    ],
)
def test_what_is_a_public_module(path: str, module: str | None) -> None:
    assert interface.public_module(path) == module
    gone = seen(interface.read, path, INTERFACE, None)
    assert [f.subject for f in gone if f.kind is FactKind.MODULE_REMOVED] == ([module] if module else [])


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("requirements.txt", "a==1\n", "a==2\nB_c>=1 # x\n", [("Changed", "a"), ("Added", "b-c")]),
        ("requirements.txt", "a==1\n", "-i https://evil\na==1\n", [("Added", "-i https://evil")]),
        ("pyproject.toml", "[project]\ndependencies = ['a']\n", "[project]\ndependencies = []\n", [("Removed", "a")]),
        ("pyproject.toml", "[tool.ruff]\nx = 1\n", "[tool.ruff]\nx = 2\n", []),
        ("pyproject.toml", "", "[dependency-groups]\ndev = ['x>1', {include-group = 'y'}]\n", [("Added", "x")]),
        ("pyproject.toml", "", "[tool.poetry.group.dev.dependencies]\ny = {git = 'z'}\n", [("Added", "y")]),
        ("web/package.json", "{}", '{"devDependencies": {"left-pad": "1"}, "name": "x"}', [("Added", "left-pad")]),
        ("go.mod", "require a.b/c v1\n", "require (\n\ta.b/c v1\n\td.e/f v2 // indirect\n)\n", [("Added", "d.e/f")]),
        ("Cargo.toml", "[dependencies]\na = '1'\n", "[dependencies]\na = {version = '1'}\n", [("Changed", "a")]),
        ("Gemfile", "", "gem 'rails', '~> 7'\n", [("Added", "rails")]),
        ("composer.json", "{}", '{"require": {"a/b": "1"}}', [("Added", "a/b")]),
        ("Pipfile", "", "[packages]\na = '*'\n", [("Added", "a")]),
    ],
)
def test_dependencies(path: str, old: str, new: str, told: list[tuple[str, str]]) -> None:
    first, *found = seen(dependencies.read, path, old, new)
    assert first.kind is FactKind.MANIFEST_COMPARED
    assert [(f.kind.removeprefix("Dependency"), f.subject) for f in found] == told


def test_a_manifest_that_is_none_is_not_read() -> None:
    assert [(f.kind, f.subject) for f in facts_of(Source("package.json", "{}", "{"))] == [
        (FactKind.UNREAD, "dependencies"),
        (FactKind.UNREAD, "release"),
    ]


MIT = "Permission is hereby granted, free of charge, to any person\n"
GPL = "# SPDX-License-Identifier: GPL-3.0-or-later\n"


@pytest.mark.parametrize(
    ("old", "new", "licence", "kind", "words"),
    [
        (GPL, "x = 1\n", "", FactKind.LICENCE_CHANGED, ("GPL", "none")),
        (GPL, "# SPDX-License-Identifier: MIT\n", "", FactKind.LICENCE_CHANGED, ("GPL", "MIT")),
        (None, GPL, "MIT", FactKind.LICENCE_OTHER, ("GPL", "MIT")),
        (None, GPL, "", FactKind.LICENCE_OTHER, ("GPL", "not known")),
        (None, f"/* {MIT} */", "Apache", FactKind.LICENCE_OTHER, ("MIT", "Apache")),
        (None, GPL, "GPL", None, None),
        (None, f"# {MIT}", "", None, None),
        (GPL, GPL + "x = 1\n", "MIT", None, None),
    ],
)
def test_licences(
    old: str | None, new: str, licence: str, kind: FactKind | None, words: tuple[str, str] | None
) -> None:
    found = seen(licences.read, "src/a.py", old, new, licence=licence)
    assert [(f.kind, (f.subject, f.detail)) for f in found] == ([(kind, words)] if kind else [])
    assert seen(licences.read, "LICENSE", GPL, MIT) == [], "told by its path"


@pytest.mark.parametrize(
    "line",
    [
        "requests.get(u, verify=False)", "subprocess.run(c, shell=True)", "eval(text)", "pickle.loads(b)",
        "yaml.load(f)", "tls.Config{InsecureSkipVerify: true}", "x = 1  # nosec", "rejectUnauthorized: false",
    ],
)  # fmt: skip
def test_hazards_that_grew(line: str) -> None:
    (fact,) = seen(hazards.read, "src/a.py", "x = 1\n", f"x = 1\n{line}\n")
    assert (fact.kind, fact.line, fact.before, fact.after) == (FactKind.HAZARD, 2, 0, 1)
    assert seen(hazards.read, "src/a.py", f"{line}\n", f"{line}\ny = 2\n") == []
    assert seen(hazards.read, "tests/test_a.py", "", f"{line}\n") == []


@pytest.mark.parametrize("line", ["yaml.load(f, SafeLoader)", "model.eval()", "re.compile(x)", "verify=True"])
def test_what_is_no_hazard(line: str) -> None:
    assert seen(hazards.read, "src/a.py", "", f"{line}\n") == []


DEEP = {
    "parentheses": "x = " + "(" * 5000 + ")" * 5000,
    "lists": "[" * 100_000,
    "unary": "x = " + "-" * 100_000 + "1",
    "attributes": "x" + ".a" * 10_000,
    "operators": "x = " + "1+" * 10_000 + "1",
    "blocks": "".join(" " * n + "if x:\n" for n in range(200)),
    "nul": "x = 1\0",
    "surrogates": "x = '\udcff'",
}


def program(asked: list[dict[str, str | None]], code: str = "") -> tuple[int, list[list[dict[str, object]]]]:
    """Exit code and answers of the program; `code` runs in it before it reads."""
    start = f"from orch.mirror.reading import __main__ as program\n{code}\nraise SystemExit(program.main())"
    lines = "".join(json.dumps({"old": None, "licence": ""} | entry) + "\n" for entry in asked)
    command = [sys.executable, "-I", "-c", start]
    done = subprocess.run(command, input=lines.encode(), capture_output=True, check=False, timeout=120, env={})
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", DEEP)
def test_hostile_text_is_a_fact_not_a_crash(name: str) -> None:
    paths = ["src/pkg/a.py", "tests/test_a.py", "package.json", "pyproject.toml", "a.test.ts"]
    code, answers = program([{"path": path, "old": "def f(): ...\n", "new": DEEP[name]} for path in paths])
    assert code == 0
    assert len(answers) == len(paths)
    for facts in answers[:2]:
        assert [fact["kind"] for fact in facts if fact["kind"] == FactKind.UNREAD] == [FactKind.UNREAD]


@pytest.mark.parametrize(
    ("reader", "why"),
    [
        pytest.param("while True: pass", "takes too long", id="a loop"),
        pytest.param("re.match('(a+)+$', 'a' * 40 + 'b')", "takes too long", id="a pattern that goes back and back"),
        pytest.param("b'x' * (1 << 40)", "too large", id="memory"),
    ],
)
def test_a_reader_that_does_what_it_must_not_is_stopped(reader: str, why: str) -> None:
    code = f"import re\ndef read(source):\n    {reader}\n    yield\n"
    code += "program.FILE_SECONDS = 0.3\nprogram.READERS = {'it': read} | program.READERS"
    key = f"key = '{AWS_KEY}'"
    exit_code, (facts,) = program([{"path": "a.py", "new": key}], code)
    assert exit_code == 0
    assert [(fact["kind"], fact["subject"]) for fact in facts] == [("Unread", "it"), ("Credential", "AWS Access Key")]
    assert why in str(facts[0]["detail"])


PATHS = st.sampled_from(
    ["a.py", "tests/test_a.py", "requirements.txt", "pyproject.toml", "package.json", "go.mod", "Cargo.toml", "Gemfile",
     "x.test.ts", "x_test.go", "a.rs", "composer.json", "Pipfile", "README.md", "src/pkg/__init__.py"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["def test_a(", "):\n", "    assert x", "class C:", "\n", "@pytest.mark.skip", "it('", "{", "}", '"dependencies":',
     "[project]", "gem 'x'", "require (", "SPDX-License-Identifier: ", "password = '", "\\", "#", "//", "/*", "'", '"""']
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map("".join))


@given(path=PATHS, old=st.none() | TEXTS, new=st.none() | TEXTS)
@settings(max_examples=200, deadline=None)
def test_whatever_the_text_the_readers_answer(path: str, old: str | None, new: str | None) -> None:
    for fact in facts_of(Source(path, old, new)):
        assert fact.path == path
        assert len(fact.subject) <= LONGEST
        assert len(fact.detail) <= LONGEST
        assert fact.line >= 0
    unchanged = [
        f for f in facts_of(Source(path, new, new)) if f.kind not in (FactKind.UNREAD, FactKind.MANIFEST_COMPARED)
    ]
    assert unchanged == [], "a file that did not change shows nothing"
