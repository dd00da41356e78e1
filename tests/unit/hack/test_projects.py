"""The projects are what they claim: red with the bug, green after what the model's scripts do, and got without running them."""

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hack.projects import ALL, DEMO, Project, Replacement, fetch_archive, get_project, prepare, seed_for, stress
from hack.projects.stress import MIX, TEST_COMMAND
from hack.versions import SetupError

from orch.agent.files import Files
from orch.agent.tools import CHANGING, READING
from orch.api.v1alpha1.orchestratedrepo import OrchestratedRepoSpec
from orch.api.work import Analysis, Plan
from orch.testservers.github.seed import parse as parse_seed
from orch.testservers.model import Script, load_scripts

EACH = pytest.mark.parametrize("project", ALL, ids=lambda project: project.name)


class Play:
    """Does in a clone what a script's turns ask for, as the agent's tools would."""

    def __init__(self, source: Path, clone: Path, env: dict[str, str]) -> None:
        subprocess.run(["git", "clone", "--quiet", source, clone], check=True)
        self._folder, self._files = clone, Files(clone)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._env = {"PATH": path, "HOME": str(clone), "LANG": "C.UTF-8", **env}

    def passes(self, *commands: str) -> bool:
        return all(self._run(command) == 0 for command in commands)

    def stage(self, script: Script, stage: str) -> Iterable[str]:
        """Carries out the turns; yields each text with which the model ends its turn."""
        found = script.find_stage(stage, 1)
        assert found is not None
        for turn in found.turns:
            for call in turn.tools:
                self._call(call.name, call.input)
            if not turn.tools:
                yield turn.text or ""

    def _call(self, name: str, given: dict[str, str]) -> None:
        if name == "run":
            self._run(given["command"])
        else:
            getattr(self._files, {"list": "list_folder"}.get(name, name))(**given)

    def _run(self, command: str) -> int:
        return subprocess.run(
            command,
            shell=True,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        ).returncode


def _open(project: Project, folder: Path) -> tuple[Play, Script]:
    env = {entry["name"]: entry["value"] for entry in project.spec["pipeline"]["env"]}
    (script,) = load_scripts(project.script)
    return Play(prepare(project.name, folder / "project"), folder / "clone", env), script


def _commands(project: Project) -> list[str]:
    """What a work step runs."""
    pipeline = project.spec["pipeline"]
    return [*pipeline.get("lint", []), *pipeline["test"]]


def _checks(project: Project) -> list[str]:
    return [check["command"] for check in project.checks]


def test_the_demos_project_is_linted_and_mended_at_once(tmp_path: Path) -> None:
    play, script = _open(DEMO, tmp_path)
    (lint,) = DEMO.spec["pipeline"]["lint"]
    assert play.passes(lint)
    assert not play.passes(*DEMO.spec["pipeline"]["test"])
    assert len(list(play.stage(script, "Implement"))) == 1
    assert play.passes(*_commands(DEMO), *_checks(DEMO))


def test_the_first_fix_of_sqlparse_is_wrong_and_the_second_right(tmp_path: Path) -> None:
    project = get_project("sqlparse")
    play, script = _open(project, tmp_path)
    assert not play.passes(*_commands(project))
    ends = [play.passes(*_commands(project)) for _ in play.stage(script, "Implement")]
    assert ends == [False, True]
    assert play.passes(*_checks(project))


def test_the_first_fix_of_isodate_fails_only_the_pull_requests_check(tmp_path: Path) -> None:
    project = get_project("isodate")
    play, script = _open(project, tmp_path)
    assert not play.passes(*_commands(project))
    assert [play.passes(*_commands(project)) for _ in play.stage(script, "Implement")] == [True]
    assert not play.passes(*_checks(project))
    assert [play.passes(*_checks(project)) for _ in play.stage(script, "Checks")] == [True]
    assert play.passes(*_commands(project))


@EACH
def test_what_a_project_says_is_understood(project: Project, tmp_path: Path) -> None:
    spec = {"repository": project.repository, "credentialsRef": {"name": "x"}, **project.spec}
    accepted = OrchestratedRepoSpec.model_validate(spec)
    assert set(accepted.merge.required_checks) == {check["name"] for check in project.checks}
    assert [f"{repo.owner}/{repo.name}" for repo in parse_seed(seed_for(project, tmp_path)).repos] == [
        project.repository
    ]


@EACH
def test_a_script_answers_the_issue_of_its_project_only(project: Project) -> None:
    (script,) = load_scripts(project.script)
    assert script.match.contains is not None
    assert [other.name for other in ALL if script.match.contains in other.issue_title] == [project.name]
    _understood(script)


def _understood(script: Script) -> None:
    known = {tool["name"]: tool["input_schema"] for tool in (*READING, *CHANGING)}
    for stage in script.stages:
        for call in (call for turn in stage.turns for call in turn.tools):
            schema = known[call.name]
            assert set(schema["required"]) <= set(call.input) <= set(schema["properties"])
    for stage_name, shape in (("Analyse", Analysis), ("Plan", Plan)):
        found = script.find_stage(stage_name, 1)
        assert found is not None
        assert set(found.turns[-1].json_) == set(shape.__struct_fields__)  # structured output demands all of them
        msgspec.convert(found.turns[-1].json_, shape)


@EACH
def test_a_repository_is_the_same_each_time(project: Project, tmp_path: Path) -> None:
    heads = {_head(prepare(project.name, tmp_path / str(number))) for number in range(2)}
    assert len(heads) == 1
    assert not list((tmp_path / "0").rglob("PKG-INFO"))


def _head(folder: Path) -> str:
    asked = ["git", "-C", folder, "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_a_bug_that_does_not_fit_the_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Replacement(path="parse.py", released="no such line", buggy="")
    bug = dataclasses.replace(DEMO.bug, replacements=(other,))
    monkeypatch.setattr("hack.projects.catalog.ALL", (dataclasses.replace(DEMO, bug=bug),))
    with pytest.raises(SetupError, match=r"does not fit parse\.py"):
        prepare(DEMO.name, tmp_path / "project")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index, and an empty cache."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return shelf


def _booby_trapped(shelf: Path, mark: Path) -> Project:
    """A project whose distribution writes to `mark` if anything of it is run."""
    code = f"open({str(mark)!r}, 'w')\n".encode()
    path = shelf / "trapped-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("setup.py", "trapped.py", "../outside.py"):
            member = tarfile.TarInfo(f"trapped-1.0/{name}")
            member.size = len(code)
            tar.addfile(member, io.BytesIO(code))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    bug = dataclasses.replace(DEMO.bug, replacements=())
    return dataclasses.replace(DEMO, name="trapped", version="1.0", sha256=digest, bug=bug)


def test_fetching_and_preparing_run_nothing_of_a_package(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _booby_trapped(shelf, tmp_path / "mark")
    monkeypatch.setattr("hack.projects.catalog.ALL", (project,))
    prepare("trapped", tmp_path / "sources" / "project")
    assert sorted(path.name for path in (tmp_path / "sources").rglob("*.py")) == ["setup.py", "trapped.py"]
    assert not (tmp_path / "mark").exists()


def test_an_archive_that_was_fetched_once_needs_no_index(shelf: Path, tmp_path: Path) -> None:
    project = _booby_trapped(shelf, tmp_path / "mark")
    fetch_archive(project)
    (shelf / project.archive).unlink()
    assert fetch_archive(project).is_file()


def test_another_archive_than_the_pinned_one_is_refused(shelf: Path, tmp_path: Path) -> None:
    project = dataclasses.replace(_booby_trapped(shelf, tmp_path / "mark"), sha256="0" * 64)
    with pytest.raises(SetupError, match="is not the one that"):
        fetch_archive(project)
    assert not list((tmp_path / "cache").rglob("*.tar.gz"))


def test_a_damaged_archive_in_the_cache_is_fetched_anew(shelf: Path, tmp_path: Path) -> None:
    project = _booby_trapped(shelf, tmp_path / "mark")
    fetch_archive(project).write_bytes(b"half of it")
    assert hashlib.sha256(fetch_archive(project).read_bytes()).hexdigest() == project.sha256


def test_without_network_and_cache_one_line_says_so(shelf: Path) -> None:
    with pytest.raises(SetupError) as caught:
        fetch_archive(DEMO)
    assert "\n" not in str(caught.value)
    assert "connect to the network once" in str(caught.value)


def test_a_stress_load_goes_as_it_says(tmp_path: Path) -> None:
    load = stress(tmp_path / "load", repositories=2, issues=5)
    scripts = {script.name: script for script in load_scripts(load.script)}
    assert [repo.name for repo in parse_seed(load.seed).repos] == ["stress-1", "stress-2"]
    OrchestratedRepoSpec.model_validate({"repository": "o/r", "credentialsRef": {"name": "x"}, **load.spec})
    assert [issue.outcome for issue in load.issues] == [*MIX, *MIX]
    ends = {"right": [True], "wrong-then-right": [False, True], "never-right": [False]}
    for number, issue in enumerate(load.issues[:5]):
        play = Play(tmp_path / "load" / issue.repository.rpartition("/")[2], tmp_path / f"clone-{number}", {})
        assert play.passes(TEST_COMMAND)
        _understood(scripts[issue.title])
        results = [play.passes(TEST_COMMAND) for _ in play.stage(scripts[issue.title], "Implement")]
        assert results == ends[issue.outcome]


def test_each_stress_issue_has_the_one_script_that_matches_it(tmp_path: Path) -> None:
    load = stress(tmp_path, repositories=2, issues=12)
    patterns = [script.match.contains or "" for script in load_scripts(load.script)]
    assert [[pattern for pattern in patterns if pattern in issue.title] for issue in load.issues] == [
        [issue.title] for issue in load.issues
    ]
