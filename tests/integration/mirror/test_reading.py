"""Sources read through the real mirror: real trees in, findings out, and what is written to hurt the reader."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orch.adapters.git import MirrorGit
from orch.api.facts import FactKind, SourceFact
from orch.api.v1alpha1 import Guard, GuardAction, GuardsSpec
from orch.mirror import sources
from orch.mirror.git import Git
from orch.mirror.raw import DIFF_OPTIONS, parse
from orch.policy.guards import Finding, evaluate
from orch.ports import Remote, TreeDiff

from .conftest import Work

BEFORE = {
    "LICENSE": "MIT License\n\nPermission is hereby granted, free of charge, to any person\n",
    "pkg/__init__.py": "def open_it(path, mode='r'):\n    return path\n\n\ndef close_it(path):\n    return path\n",
    "tests/test_pkg.py": "def test_a():\n    assert 1 == 1\n    assert 2 == 2\n\n\ndef test_b():\n    assert 3\n",
    "requirements.txt": "requests==2.31\n",
}


@pytest.fixture
async def base(git: MirrorGit, remote: Remote, person: Work) -> str:
    person.commit(dict(BEFORE))
    person.push()
    return await git.fetch(remote, "main")


async def read(
    git: MirrorGit, remote: Remote, person: Work, base: str, files: dict[str, str | bytes | None]
) -> TreeDiff:
    sha = person.commit(files)
    await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    return await git.diff(remote, base=base, sha=sha, read=True)


def found(diff: TreeDiff, guard: Guard) -> list[Finding]:
    return [finding for finding in evaluate(diff, GuardsSpec()) if finding.guard is guard]


def told(diff: TreeDiff) -> set[tuple[str, FactKind, str]]:
    return {(fact.path, fact.kind, fact.subject) for fact in diff.facts or ()}


async def test_each_guard_finds_its_own(git: MirrorGit, remote: Remote, person: Work, base: str) -> None:
    weaker = BEFORE["tests/test_pkg.py"].replace("    assert 2 == 2\n", "")
    diff = await read(
        git, remote, person, base,
        {
            "pkg/__init__.py": BEFORE["pkg/__init__.py"].replace("def close_it", "def shut_it"),
            "tests/test_pkg.py": weaker,
            "requirements.txt": "requests==2.31\nleft-pad==1\n",
            "pkg/copied.py": "# SPDX-License-Identifier: GPL-3.0-only\nx = 1\n",
            "pkg/run.py": "import os\n\nos.system('ls')\n",
            "pkg/key.py": "KEY = 'AKIA" + "QWERTYUIOPASDFGH'\n",
            "pkg/long.py": "def f(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(20)),
            "db/migrations/0001.sql": "DROP TABLE x;\n",
            "Dockerfile": "FROM scratch\n",
            "README.md": None,
        },
    )  # fmt: skip
    where = {(f.guard, f.path, f.line) for f in evaluate(diff, GuardsSpec())}
    assert where == {
        (Guard.BREAKING_CHANGE, "pkg/__init__.py", 5),
        (Guard.BREAKING_CHANGE, "", 0),
        (Guard.TESTS_MISSING, "tests/test_pkg.py", 1),
        (Guard.DEPENDENCIES, "requirements.txt", 2),
        (Guard.LICENSES, "pkg/copied.py", 0),
        (Guard.SECURITY, "pkg/run.py", 3),
        (Guard.SECRET_FOUND, "pkg/key.py", 1),
        (Guard.COMPLEXITY, "pkg/long.py", 1),
        (Guard.MIGRATIONS, "db/migrations/0001.sql", 0),
        (Guard.CONFIGURATION, "Dockerfile", 0),
        (Guard.DELETION, "README.md", 0),
    }


async def test_a_fix_with_its_test_passes(git: MirrorGit, remote: Remote, person: Work, base: str) -> None:
    fixed = BEFORE["pkg/__init__.py"].replace("    return path\n", "    return str(path)\n")
    tests = BEFORE["tests/test_pkg.py"] + "\n\ndef test_c():\n    assert open_it(1) == '1'\n"
    diff = await read(git, remote, person, base, {"pkg/__init__.py": fixed, "tests/test_pkg.py": tests})
    assert evaluate(diff, GuardsSpec()) == []


async def test_tests_that_moved_are_not_missing(git: MirrorGit, remote: Remote, person: Work, base: str) -> None:
    moved = {"tests/test_pkg.py": None, "tests/unit/test_all.py": BEFORE["tests/test_pkg.py"]}
    diff = await read(git, remote, person, base, moved)
    assert found(diff, Guard.TESTS_MISSING) == []
    emptied = await read(
        git, remote, person, base, {"tests/unit/test_all.py": "def test_a():\n    pass\n\n\ndef test_b():\n    pass\n"}
    )
    (finding,) = found(emptied, Guard.TESTS_MISSING)
    assert (finding.path, finding.rule) == ("tests/test_pkg.py", "TestsRemoved")


async def test_nothing_of_what_is_read_is_run(
    git: MirrorGit, remote: Remote, person: Work, base: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    canary = tmp_path_factory.mktemp("canary") / "touched"
    touch = f"open({str(canary)!r}, 'w').close()\n"
    hostile = {
        "pkg/__init__.py": f"# coding: utf-8\n{touch}def open_it(path, x=open({str(canary)!r}, 'w')): ...\n",
        "conftest.py": touch,
        "setup.py": touch,
        "tests/conftest.py": touch,
        "tests/test_pkg.py": touch,
        "sitecustomize.py": touch,
        "griffe.py": touch,
        "lizard.py": touch,
        "pyproject.toml": "[tool.griffe]\nextensions = ['evil']\n",
    }
    diff = await read(git, remote, person, base, dict(hostile))
    assert found(diff, Guard.BREAKING_CHANGE)
    assert not canary.exists()


HURT = {
    "parsers": "x = " + "(" * 50_000 + ")" * 50_000 + "\n",
    "stack": "x = " + "1+" * 200_000 + "1\n",
    "chain": "x" + ".a" * 200_000 + "\n",
}


@pytest.mark.parametrize("name", HURT)
async def test_one_file_that_hurts_the_reader_hides_no_other(
    git: MirrorGit, remote: Remote, person: Work, base: str, name: str
) -> None:
    key = "KEY = 'AKIA" + "QWERTYUIOPASDFGH'\n" + "# larger\n" * 60_000
    diff = await read(git, remote, person, base, {"pkg/__init__.py": HURT[name], "pkg/key.py": key})
    assert ("pkg/key.py", FactKind.CREDENTIAL, "AWS Access Key") in told(diff)
    unread = [f for f in diff.facts or () if f.kind is FactKind.UNREAD and f.path == "pkg/__init__.py"]
    assert unread, "that it was not read is a fact"
    assert GuardAction.APPROVE in {f.action for f in found(diff, Guard.BREAKING_CHANGE)}


def test_a_file_that_kills_the_reader_costs_its_own_facts_only(person: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    first = person.git("rev-parse", "HEAD")
    key = "KEY = 'AKIA" + "QWERTYUIOPASDFGH'\n"
    deadly = {f"deadly-{n}.py": f"x = {n}\n" for n in range(2)}
    person.commit({**deadly, "a.py": key, "long.py": key + "# line\n" * 99})
    raw = person.git("diff-tree", *DIFF_OPTIONS, "--raw", "-z", first, "HEAD")
    monkeypatch.setattr(sources, "_started", lambda: dying_reader("deadly"))
    facts = sources.facts(Git(person.path / ".git"), first, parse(raw.encode()), binary=set())
    assert {(f["path"], f["kind"]) for f in facts} == {
        ("deadly-0.py", "Unread"),
        ("deadly-1.py", "Unread"),
        ("a.py", "Credential"),
        ("long.py", "Credential"),
    }
    person.commit({f"deadly-{n}.py": f"x = {n}\n" for n in range(2, 9)})
    raw = person.git("diff-tree", *DIFF_OPTIONS, "--raw", "-z", first, "HEAD")
    facts = sources.facts(Git(person.path / ".git"), first, parse(raw.encode()), binary=set())
    unread = {f["path"]: f["detail"] for f in facts if f["kind"] == "Unread"}
    assert len(unread) == 11, "after some deaths the rest is not read, and that is told of each"
    assert unread["long.py"] == "the change takes too long to read"


def dying_reader(word: str) -> subprocess.Popen[bytes]:
    """The real program, with one reader more: it kills the process at a file whose path holds the word."""
    code = (
        "import os\nfrom orch.mirror.reading import __main__ as program\n"
        "def read(source):\n"
        f"    if {word!r} in source.path: os.kill(os.getpid(), 11)\n"
        "    return iter(())\n"
        "program.READERS = program.READERS | {'last': read}\nraise SystemExit(program.main())\n"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-I", "-c", code], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


async def test_small_files_are_read_before_large_ones_use_the_limit_up(
    git: MirrorGit, remote: Remote, person: Work, base: str
) -> None:
    large = {f"a/{n}.txt": f"{n} line of text\n" * 60_000 for n in range(10)}
    diff = await read(git, remote, person, base, {**large, "z.py": "KEY = 'AKIA" + "QWERTYUIOPASDFGH'\n"})
    assert ("z.py", FactKind.CREDENTIAL, "AWS Access Key") in told(diff)
    assert SourceFact("a/9.txt", FactKind.UNREAD, subject="*", detail="it is larger than what is read") in (
        diff.facts or ()
    )
    assert {f.action for f in found(diff, Guard.SECRET_FOUND) if f.path == "a/9.txt"} == {GuardAction.APPROVE}
