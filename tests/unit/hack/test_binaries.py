"""Where the programs of the control plane come from, and in which order."""

import threading
from pathlib import Path

import pytest
from hack import binaries, releases, versions
from hack.versions import TOOLS, SetupError

_VERSIONS = {"etcd": "3.6.8"}
_GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit; fi
echo built >>"$COUNT"
while [ "$1" != -o ]; do shift; done
for tool in {tools}; do printf '#!/bin/sh\\n' >"$2$tool"; chmod +x "$2$tool"; done
{ends}
"""


def _install(folder: Path, **changed: str) -> Path:
    """Programs that say their version and do nothing else; an empty version leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    for tool in TOOLS:
        version = changed.get(tool.replace("-", "_"), _VERSIONS.get(tool, "1.36.4"))
        if version:
            _script(folder / tool, f"#!/bin/sh\necho {version}\n")
    return folder


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


class Machine:
    """What is on this machine: nothing but a shell, unless a test says otherwise."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = tmp_path / "path"
        self.path.mkdir()
        self.builds = tmp_path / "builds"
        self.said: list[str] = []
        self._environment = monkeypatch
        monkeypatch.setenv("PATH", f"{self.path}:/bin:/usr/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("COUNT", str(self.builds))
        monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
        monkeypatch.setattr(binaries.shutil, "which", self._which)
        monkeypatch.setattr(releases, "download", self._no_network)

    def choose(self, folder: Path) -> None:
        """Set KUBEBUILDER_ASSETS, as a person would."""
        self._environment.setenv("KUBEBUILDER_ASSETS", str(folder))

    def install_go(self, version: str = "1.26.1", *, ends: str = "") -> None:
        """A Go whose build counts itself and makes empty programs; `ends` is what it does last."""
        _script(self.path / "go", _GO.format(version=version, tools=" ".join(TOOLS), ends=ends))

    def ensure(self) -> Path:
        """The folder of the programs that are found or made."""
        return binaries.ensure(self.said.append)["etcd"].parent

    def _which(self, name: str) -> str | None:
        """Only what the test installed: this machine may have real ones."""
        path = self.path / name
        return str(path) if path.exists() else None

    @staticmethod
    def _no_network(_: Path) -> None:
        raise releases.ReleaseError("no network")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A bare machine without network."""
    return Machine(tmp_path, monkeypatch)


def test_a_persons_choice_wins(machine: Machine, tmp_path: Path) -> None:
    machine.choose(_install(tmp_path / "chosen"))
    _install(machine.path)
    assert machine.ensure() == tmp_path / "chosen"


def test_a_choice_that_does_not_fit_is_said_and_passed_over(machine: Machine, tmp_path: Path) -> None:
    machine.choose(_install(tmp_path / "chosen", kube_controller_manager=""))
    _install(machine.path)
    assert machine.ensure() == machine.path
    assert machine.said == [
        f"KUBEBUILDER_ASSETS={tmp_path / 'chosen'} is not used: kube-controller-manager missing or not runnable"
    ]


def test_what_is_on_path_comes_before_the_cache(machine: Machine) -> None:
    _install(binaries.cache())
    assert machine.ensure() == binaries.cache()
    _install(machine.path)
    assert machine.ensure() == machine.path


def test_old_programs_on_path_are_passed_over(machine: Machine) -> None:
    _install(machine.path, kube_apiserver="1.29.0", kube_controller_manager="1.29.0", kubectl="1.29.0")
    _install(binaries.cache())
    assert machine.ensure() == binaries.cache()


def test_a_cache_that_lacks_a_program_is_filled_anew(machine: Machine) -> None:
    _install(binaries.cache(), kubectl="")
    machine.install_go()
    machine.ensure()
    assert (binaries.cache() / "kubectl").exists()


def test_the_release_is_preferred_to_a_build(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.install_go()
    monkeypatch.setattr(releases, "download", _install)
    assert machine.ensure() == binaries.cache()
    assert not machine.builds.exists()


def test_without_a_release_it_is_built_and_nothing_else_is_left(machine: Machine) -> None:
    machine.install_go()
    assert machine.ensure() == binaries.cache()
    assert {path.name for path in binaries.cache().iterdir()} == set(TOOLS)
    assert "no network" in machine.said[1]


def test_two_at_a_time_build_once(machine: Machine) -> None:
    machine.install_go()
    threads = [threading.Thread(target=machine.ensure) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert machine.builds.read_text() == "built\n"


def test_what_a_killed_set_up_left_is_not_taken(machine: Machine) -> None:
    _install(binaries.cache().with_name(f"{versions.kubernetes()}.partial"), kubectl="")
    machine.install_go()
    assert {path.name for path in machine.ensure().iterdir()} == set(TOOLS)


def test_a_failed_build_says_why_in_one_line_and_leaves_no_cache(machine: Machine) -> None:
    machine.install_go(ends="echo 'dial tcp: no such host'; exit 1")
    with pytest.raises(SetupError, match=r"^the control plane could not be built \(dial tcp: no such host\)[^\n]*$"):
        machine.ensure()
    assert not binaries.cache().exists()


def test_no_go_and_no_network_says_what_to_install(machine: Machine) -> None:
    with pytest.raises(SetupError, match=r"^neither [^\n]* install Go 1\.26 or newer[^\n]*$"):
        machine.ensure()


def test_an_old_go_says_what_to_install(machine: Machine) -> None:
    machine.install_go("1.19.8")
    with pytest.raises(SetupError, match=r"^Go is too old \(go version go1\.19\.8[^\n]*install Go 1\.26"):
        machine.ensure()


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert binaries.cache().is_relative_to(Path.home() / ".cache")
