"""The guards as a table: what is found where, and what it does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.v1alpha1 import Guard, GuardAction, GuardRule, GuardsSpec
from orch.policy.guards import evaluate, needs_approval, shortlist, verdict
from orch.policy.guards.globs import match
from orch.policy.guards.sizes import SHOWN, not_shown
from orch.policy.guards.tree import path_problem

from .conftest import change, diff

ALLOW, APPROVE, DENY = GuardAction.ALLOW, GuardAction.APPROVE, GuardAction.DENY
AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"


def rules(**actions: GuardAction) -> list[GuardRule]:
    return [GuardRule(guard=Guard(guard), action=action) for guard, action in actions.items()]


def test_an_ordinary_change_passes() -> None:
    assert evaluate(diff(change()), GuardsSpec()) == []
    assert verdict([]) is ALLOW


@pytest.mark.parametrize(
    ("facts", "guard", "rule", "action"),
    [
        pytest.param({"new_mode": "120000"}, Guard.SYMLINK, "120000", DENY, id="a link"),
        pytest.param({"new_mode": "160000"}, Guard.SUBMODULE, "160000", DENY, id="a submodule"),
        pytest.param({"new_mode": "100664"}, Guard.PROTECTED_PATH, "FileMode", DENY, id="an odd mode"),
        pytest.param({"binary": True}, Guard.BINARY_FILE, "binary", APPROVE, id="a binary"),
        pytest.param({"size": 1_048_577}, Guard.LARGE_CHANGE, "maxFileBytes", APPROVE, id="one byte too large"),
        pytest.param({"additions": 1000}, Guard.LARGE_CHANGE, "maxChangedLines", APPROVE, id="1001 lines"),
    ],
)
def test_by_fact(facts: dict[str, Any], guard: Guard, rule: str, action: GuardAction) -> None:
    (found,) = evaluate(diff(change(**facts)), GuardsSpec())
    assert (found.guard, found.rule, found.action) == (guard, rule, action)


@pytest.mark.parametrize("facts", [{"size": 1_048_576}, {"additions": 999}, {"new_mode": "100755"}])
def test_at_the_limit_is_within_it(facts: dict[str, Any]) -> None:
    assert evaluate(diff(change(**facts)), GuardsSpec()) == []


def test_a_diff_that_cannot_be_shown_whole_is_denied() -> None:
    assert list(not_shown("é" * (SHOWN // 2))) == []
    [found] = not_shown("é" * (SHOWN // 2) + "x")
    assert (found.guard, found.rule, found.action) == (Guard.LARGE_CHANGE, "NotShownWhole", DENY)
    assert found.message == "the diff is 900001 bytes, people can be shown 900000: split the issue"


def test_too_many_files() -> None:
    files = [change(f"f{n}.py") for n in range(21)]
    assert evaluate(diff(*files[:20]), GuardsSpec()) == []
    assert [f.rule for f in evaluate(diff(*files), GuardsSpec())] == ["maxChangedFiles"]
    assert evaluate(diff(*files), GuardsSpec(exempt_paths=["f1.py"])) == []


@pytest.mark.parametrize(
    ("path", "denied"),
    [
        ("src/app.py", False),
        ("database/schema.sql", True),
        ("a/database/schema.sql", False),
        (".env.local", True),
        ("deep/down/x.env", True),
        ("config/production/a/b.yaml", True),
        ("config/production.yaml", False),
        ("Database/schema.sql", False),
    ],
)
def test_protected_paths(path: str, denied: bool) -> None:
    spec = GuardsSpec(protected_paths=["**/*.env*", "config/production/**", "database/schema.sql"])
    assert (verdict(evaluate(diff(change(path)), spec)) is DENY) is denied
    assert (verdict(evaluate(diff(change(path, "D")), spec)) is DENY) is denied, "a deletion is a change"


def test_outside_allowed_paths() -> None:
    spec = GuardsSpec(allowed_paths=["services/web/"])
    assert evaluate(diff(change("services/web/a/b.py")), spec) == []
    (found,) = evaluate(diff(change("services/other.py")), spec)
    assert (found.guard, found.rule) == (Guard.PROTECTED_PATH, "allowedPaths")


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/dependabot.yml",
        ".GitHub/workflows/ci.yml",
        "sub/.github/x",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".gitattributes",
        "a/.gitmodules",
        "AGENTS.md",
        "sub/agents.md",
        "CLAUDE.md",
        "CLAUDE.local.md",
        "GEMINI.md",
        ".cursorrules",
        ".cursor/rules/x.mdc",
        ".claude/settings.json",
        ".github/copilot-instructions.md",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "Jenkinsfile",
    ],
)
@pytest.mark.parametrize("status", ["A", "M", "D"])
def test_the_built_in_guard_asks_whatever_the_settings(path: str, status: str) -> None:
    spec = GuardsSpec(exempt_paths=["**"], allowed_paths=["**"], max_changed_files=3000)
    loose = spec.model_copy(update={"rules": [GuardRule.model_construct(guard=Guard.WORKFLOWS, action=ALLOW)]})
    for settings in (spec, loose):
        found = evaluate(diff(change(path, status)), settings)
        assert [f.guard for f in needs_approval(found)] == [Guard.WORKFLOWS]


@pytest.mark.parametrize("path", ["src/codeowners.py", "github/x.py", "docs/agents.md.txt", "claude.py", ".gitignore"])
def test_names_that_are_only_similar(path: str) -> None:
    assert evaluate(diff(change(path)), GuardsSpec()) == []


def test_manifests_of_ours_ask() -> None:
    by_content = diff(change("deploy/x.yaml"), attributes={"deploy/x.yaml": "orch.dev"})
    assert [f.action for f in evaluate(by_content, GuardsSpec())] == [APPROVE]


def test_lfs_is_denied_even_if_exempt() -> None:
    found = evaluate(diff(change("x.psd"), attributes={"x.psd": "lfs"}), GuardsSpec(exempt_paths=["**"]))
    assert [(f.rule, f.action) for f in found] == [("LargeFileStorage", DENY)]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        pytest.param(f"key = '{AWS_KEY}'", DENY, id="a vendor's key"),
        pytest.param("t = 'ghp_" + "a1B2" * 9 + "'", DENY, id="a GitHub token"),
        pytest.param("github_pat_" + "a1B2" * 10, DENY, id="a fine-grained token"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow" * 9, DENY, id="a private key"),
        pytest.param('password = "correct-horse-battery"', APPROVE, id="a password, perhaps"),
        pytest.param('url = "https://bob:s3cr3tpw@example.com/"', APPROVE, id="a password in a URL"),
        pytest.param('password = "test"', ALLOW, id="a test's password"),
        pytest.param("password = get_password()", ALLOW, id="a call"),
        pytest.param("sha = '" + "0123456789abcdef0123" * 2 + "'", ALLOW, id="a commit's sha"),
        pytest.param("if 'BEGIN RSA PRIVATE KEY' in text:", ALLOW, id="code about keys"),
        pytest.param("AKIAIOSFODNN7EXAMPLE", ALLOW, id="the documentation's key"),
    ],
)
def test_secrets_in_added_lines(text: str, action: GuardAction) -> None:
    found = evaluate(diff(change(), sources={"src/app.py": text}), GuardsSpec())
    assert verdict(found) is action
    assert all(text not in f.message for f in found), "a finding never holds what it found"


def test_a_rule_for_secrets_holds_for_likely_ones_too() -> None:
    likely = diff(change(), sources={"src/app.py": 'password = "correct-horse-battery"'})
    assert verdict(evaluate(likely, GuardsSpec(rules=rules(SecretFound=DENY)))) is DENY
    certain = diff(change(), sources={"src/app.py": AWS_KEY})
    assert verdict(evaluate(certain, GuardsSpec(rules=rules(SecretFound=APPROVE)))) is APPROVE
    assert evaluate(certain, GuardsSpec(exempt_paths=["src/*"])) == []


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".env", True),
        ("a/id_rsa", True),
        ("tls/server.KEY", True),
        ("tls/server.pem", False),
        (".npmrc", True),
        (".env.example", False),
        ("environment.py", False),
    ],
)
def test_secrets_by_name(path: str, found: bool) -> None:
    assert (verdict(evaluate(diff(change(path, "A")), GuardsSpec())) is DENY) is found


def test_lines_that_were_not_searched_ask() -> None:
    unseen = diff(change())
    hidden = type(unseen)(unseen.digest, unseen.tree, unseen.changes, facts=None)
    found = evaluate(hidden, GuardsSpec())
    assert {(f.guard, f.rule, f.action) for f in found} == {
        (Guard.SECRET_FOUND, "not searched", APPROVE),
        (Guard.BREAKING_CHANGE, "NotRead", APPROVE),
    }


@pytest.mark.parametrize("action", list(GuardAction))
def test_rules_change_what_a_guard_does(action: GuardAction) -> None:
    found = evaluate(diff(change(binary=True)), GuardsSpec(rules=rules(BinaryFile=action)))
    assert verdict(found) is action


@pytest.mark.parametrize("guard", [Guard.SYMLINK, Guard.SUBMODULE, Guard.WORKFLOWS, Guard.SECRET_FOUND])
def test_some_guards_cannot_be_allowed_even_past_admission(guard: Guard) -> None:
    spec = GuardsSpec.model_construct(
        **dict(GuardsSpec()) | {"rules": [GuardRule.model_construct(guard=guard, action=ALLOW)]}
    )
    link, module = change("l", new_mode="120000"), change("m", new_mode="160000")
    found = evaluate(diff(link, module, change("CODEOWNERS"), change(".env", "A")), spec)
    assert {f.action for f in found if f.guard is guard} == {APPROVE}


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", "a/.GIT/hooks/x", "git~1/x", "GIT~2", ".git /x", ".git./x", ".git::$INDEX_ALLOCATION/x",
        ".g\u200cit/x", "a/../b", "a//b", "./a", "a\\b", "gitmod~1", "GI7EBA~1", ".GitModules", ".gitmodules.",
    ],
)  # fmt: skip
def test_aliases_of_git(path: str) -> None:
    assert path_problem(path) is not None
    (found, *_) = evaluate(diff(change(path)), GuardsSpec(exempt_paths=["**"], rules=rules(ProtectedPath=ALLOW)))
    assert found.action is DENY


@pytest.mark.parametrize("path", ["git", ".github", ".gitignore", "digit~1x/a", "a.git/x", ".gitkeep", "ünï/çødé.py"])
def test_paths_that_are_fine(path: str) -> None:
    assert path_problem(path) is None


def test_collisions_deny_additions_only() -> None:
    both = frozenset({"a.h", "A.h"})
    assert verdict(evaluate(diff(change("A.h", "A"), all_paths=both), GuardsSpec())) is DENY
    assert verdict(evaluate(diff(change("A.h", "M"), all_paths=both), GuardsSpec())) is ALLOW
    assert verdict(evaluate(diff(change("SRC/x", "A"), all_paths=frozenset({"SRC", "src"})), GuardsSpec())) is DENY


@pytest.mark.parametrize(
    ("path", "glob", "hit"),
    [
        ("a/b.py", "*.py", False),
        ("b.py", "*.py", True),
        ("a/b/c", "a/**", True),
        ("a", "a/**", False),
        ("x/Makefile", "**/Makefile", True),
        ("Makefile", "**/Makefile", True),
        ("docs/a/b", "docs/", True),
        ("docs/a", "/docs/", True),
        ("a[1].py", "a[[]1].py", True),
        (".hidden/x", "*/x", True),
    ],
)
def test_globs(path: str, glob: str, hit: bool) -> None:
    assert (match(path, [glob]) is not None) is hit


PATHS = st.text(min_size=1, max_size=60).filter(lambda p: "\0" not in p)


@given(
    paths=st.lists(PATHS, max_size=5, unique=True),
    mode=st.sampled_from(["100644", "100755", "120000", "160000", "100664", "040000"]),
    status=st.sampled_from("AMDT"),
    text=st.text(max_size=200),
    exempt=st.lists(PATHS, max_size=2),
)
def test_whatever_the_diff_the_guards_answer(
    paths: list[str], mode: str, status: str, text: str, exempt: list[str]
) -> None:
    changes = [change(p, status, new_mode="000000" if status == "D" else mode) for p in paths]
    spec = GuardsSpec.model_construct(**dict(GuardsSpec()) | {"exempt_paths": exempt})
    found = evaluate(diff(*changes, sources=dict.fromkeys(paths, text)), spec)
    assert found == evaluate(diff(*reversed(changes), sources=dict.fromkeys(paths, text)), spec)
    for finding in found:
        assert len(finding.path) <= 256
        assert len(finding.message) <= 512
        assert finding.message.isprintable()
        assert not any(c in finding.path for c in "\n\x1b\u202e")
    if status != "D" and mode not in ("100644", "100755"):
        assert not paths or verdict(found) is DENY


@pytest.mark.parametrize(
    ("path", "guard"),
    [
        ("poetry.lock", Guard.DEPENDENCIES),
        ("pom.xml", Guard.DEPENDENCIES),
        ("deploy/Dockerfile", Guard.CONFIGURATION),
        ("infra/main.tf", Guard.CONFIGURATION),
        ("app/settings.py", Guard.CONFIGURATION),
        ("tests/conftest.py", Guard.CONFIGURATION),
        ("app/migrations/0002_x.py", Guard.MIGRATIONS),
        ("db/schema.rb", Guard.MIGRATIONS),
        ("LICENSE.md", Guard.LICENSES),
        ("COPYING", Guard.LICENSES),
        ("src/auth/views.py", Guard.SECURITY),
        ("src/jwt_tokens.go", Guard.SECURITY),
    ],
)
@pytest.mark.parametrize("status", ["A", "M"])
def test_guards_by_what_a_file_is_for(path: str, guard: Guard, status: str) -> None:
    touched = diff(change(path, status))
    assert {(f.guard, f.action) for f in evaluate(touched, GuardsSpec())} == {(guard, APPROVE)}
    assert evaluate(touched, GuardsSpec(exempt_paths=[path])) == []
    assert verdict(evaluate(touched, GuardsSpec(rules=rules(**{guard.value: DENY})))) is DENY


@pytest.mark.parametrize(
    "path",
    ["src/author.py", "src/licences.py", "docs/auth.md", "tests/test_auth.py", "data/prices.json", "src/latest.py",
     "src/contest.go", "docs/migrations/readme.md", "src/configure.py"],
)  # fmt: skip
def test_names_of_ordinary_files(path: str) -> None:
    assert evaluate(diff(change(path)), GuardsSpec()) == []


def test_a_deletion_asks_and_one_of_tests_more_so() -> None:
    assert {f.guard for f in evaluate(diff(change("data/x.json", "D")), GuardsSpec())} == {Guard.DELETION}
    gone = change("web/a.test.ts", "D")
    assert {f.guard for f in evaluate(diff(gone), GuardsSpec())} == {Guard.DELETION, Guard.TESTS_MISSING}
    moved = diff(gone, change("web/unit/a.test.ts", "A"))
    assert {f.guard for f in evaluate(moved, GuardsSpec())} == {Guard.DELETION}


PASSES = "def test_a():\n    assert f() == 1\n\n\ndef test_b():\n    assert f() == 2\n"


@pytest.mark.parametrize(
    ("new", "rule", "line"),
    [
        (PASSES.replace("test_b", "check_b"), "TestsRemoved", 5),
        (PASSES.replace("    assert f() == 2\n", "    f()\n"), "TestsWeakened", 5),
        ("import pytest\n\n\n@pytest.mark.skip\n" + PASSES, "TestsSkipped", 5),
        ("def test_a(:\n", "NotRead", 0),
    ],
)
def test_tests_that_say_less_ask(new: str, rule: str, line: int) -> None:
    weaker = diff(change("tests/test_x.py"), sources={"tests/test_x.py": (PASSES, new)})
    (found,) = evaluate(weaker, GuardsSpec())
    assert (found.guard, found.rule, found.line, found.action) == (Guard.TESTS_MISSING, rule, line, APPROVE)


def test_a_test_is_where_its_body_is_or_its_name_with_as_many_checks() -> None:
    old, new = change("tests/test_x.py"), change("tests/test_y.py", "A")
    kept = PASSES[: PASSES.index("def test_b")]

    def found(elsewhere: str) -> list[str]:
        sources = {"tests/test_x.py": (PASSES, kept), "tests/test_y.py": elsewhere}
        return [f.rule for f in evaluate(diff(old, new, sources=sources), GuardsSpec())]

    assert found("def test_renamed():\n    assert f() == 2\n") == []
    assert found("def test_b():\n    assert f() == 3\n    assert g()\n") == []
    assert found("def test_b():\n    pass\n") == ["TestsRemoved"]
    assert found("def test_c():\n    assert True\n") == ["TestsRemoved"]


def test_code_without_a_test_is_told_where_a_rule_asks_for_it() -> None:
    asked = GuardsSpec(rules=rules(TestsMissing=APPROVE))
    assert [f.rule for f in evaluate(diff(change()), asked)] == ["NoTestChanged"]
    assert evaluate(diff(change(), change("tests/test_app.py")), asked) == []
    assert evaluate(diff(change("README.md")), asked) == []


def test_packages_are_named() -> None:
    sources = {"requirements.txt": ("a==1\nb==1\n", "a==2\nc\n")}
    found = evaluate(diff(change("requirements.txt"), sources=sources), GuardsSpec())
    assert [(f.rule, f.message, f.line) for f in found] == [
        ("PackageRemoved", "removes b", 0),
        ("PackageChanged", "asks for another version of a ==2", 1),
        ("PackageAdded", "adds c", 2),
    ]


def test_a_function_beyond_the_limit_is_told_and_stops_nothing() -> None:
    code = "def f(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(15))
    grown = diff(change(), sources={"src/app.py": ("def f(x):\n    return x\n", code)})
    (found,) = evaluate(grown, GuardsSpec())
    assert (found.guard, found.action, found.line) == (Guard.COMPLEXITY, ALLOW, 1)
    assert "complexity 16, 1 before" in found.message
    assert evaluate(grown, GuardsSpec(max_function_complexity=16)) == []
    assert verdict(evaluate(grown, GuardsSpec(rules=rules(Complexity=APPROVE)))) is APPROVE


def test_many_findings_of_one_kind_hide_none_of_another() -> None:
    many = [change(f".github/workflows/{n}.yml") for n in range(30)]
    found = evaluate(diff(*many, change("src/auth.py"), change("uv.lock")), GuardsSpec())
    told = shortlist(found)
    assert len(told) == 20
    assert {f.guard for f in told} == {Guard.WORKFLOWS, Guard.SECURITY, Guard.DEPENDENCIES, Guard.LARGE_CHANGE}
    assert told == [f for f in found if f in told], "gravest first, as before"
    assert shortlist(found[:3]) == found[:3]
