"""The verbs that need no server, and what a person gets who types them wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orch.api.v1alpha1 import Mode
from orch.api.validate import validate
from orch.cli.app import run
from orch.cli.documents import documents
from orch.cli.init import default_name
from orch.cli.verbs.choices import ModeName

ROOT = Path(__file__).resolve().parents[3]
GOOD = "apiVersion: orch.dev/v1alpha1\nkind: OrchestratedRepo\nmetadata: {name: web}\nspec:\n  repository: acme/web\n"
CREDENTIALS = "  credentialsRef: {name: s}\n"


@pytest.mark.parametrize("repository", ["acme/web", "acme/My_App", "acme/___", "acme/" + "x" * 100])
def test_what_init_prints_is_valid(repository: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", repository, "-n", "team-a"]) == 0
    printed = capsys.readouterr().out
    assert validate(yaml.safe_load(printed)) == []
    assert f"kubectl create secret generic {default_name(repository)}-github -n team-a" in printed


@pytest.mark.parametrize(
    "arguments",
    [["init", "web"], ["init", "a/b", "-n", "a; rm"], ["init", "a/b", "--name", "X"], ["nothing"], ["run", "x"]],
)
def test_wrong_use_is_two_and_no_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "No such command 'stauts'. Did you mean 'status'? See kubectl orch --help"),
        (["approvals", "lst"], "No such command 'lst'. Did you mean 'list'? See kubectl orch approvals --help"),
        (["status", "--frob"], "No such option: --frob See kubectl orch status --help"),
        (["approve"], "Missing argument 'APPROVAL...'. See kubectl orch approve --help"),
        (["mode", "web", "Auto"], "'Auto' is not one of 'Manual', 'Supervised', 'Autonomous'."),
        (["status", "-o", "xml"], "'xml' is not one of 'wide', 'json', 'yaml', 'name'."),
        (["status", "--as-group", "x"], "--as-group needs --as"),
        (["drain", "--timeout", "soon"], "--timeout soon: must be a duration"),
        (["status", "--kubeconfig", "no-such"], "there is no kubeconfig no-such"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_is_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_no_verb_at_all_is_the_list_of_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    printed = capsys.readouterr()
    assert printed.out.count(" explain ") == 1
    assert printed.err == ""


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "samples").glob("*.yaml")), ids=lambda p: p.name)
def test_the_samples_are_valid(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(path)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("is valid")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(GOOD + CREDENTIALS + "  mod: Manual\n", ":7: spec.mod: unknown field", id="unknown field"),
        pytest.param(GOOD, ":4: spec.credentialsRef: is required", id="missing: the line of its parent"),
        pytest.param(
            GOOD + CREDENTIALS + "  mode: Manual\n  mode: Manual\n", "spec.mode: is written twice", id="twice"
        ),
        pytest.param(
            GOOD + CREDENTIALS + "---\n" + GOOD, ":11: spec.credentialsRef: is required", id="the second document"
        ),
        pytest.param("a: [", ":1: no YAML", id="no YAML"),
        pytest.param("a: &x [*x]", "aliases that never end", id="itself"),
        pytest.param("", "holds no document", id="empty"),
        pytest.param("- 1", "must be a mapping", id="a list"),
        pytest.param("kind: Secret\napiVersion: v1", "is no kind of orch", id="a stranger"),
    ],
)
def test_validate_says_where(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "repo.yaml"
    file.write_text(text)
    assert run(["validate", str(file)]) == 1
    assert said in capsys.readouterr().out


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(tmp_path / "none.yaml")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_an_alias_bomb_ends() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(yaml.YAMLError):
        documents("\n".join(lines))


def test_a_time_stays_a_string() -> None:
    (document,) = documents("t: 2026-01-31T12:00:00Z")
    assert document.value == {"t": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize("words", [["--help"], ["version"], ["explain", "--help"]])
def test_what_needs_no_cluster_loads_nothing_heavy(words: list[str]) -> None:
    heavy = {"kubernetes", "kopf", "pydantic", "asyncio", "yaml"}
    code = f"import sys; from orch.cli.app import run; run({words!r}); sys.exit(' '.join({heavy!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_words_of_options_are_those_of_the_api() -> None:
    assert [word.value for word in ModeName] == [word.value for word in Mode]
