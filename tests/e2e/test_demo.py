"""`make demo` as people run it: twice, side by side, without network, cut short, on the real services behind a company's proxy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hack.projects import TOKENS
from hack.world import People
from tests.e2e.company import company
from tests.e2e.desk import BOT
from tests.e2e.lots import make, read_script, script
from tests.e2e.stage import ROOT, Demo, interfaces, left

from orch.testservers import model
from orch.testservers.github.server import serve_in_thread as serve_github

_ALONE = ("bwrap", "--dev-bind", "/", "/", "--unshare-net", "--die-with-parent", "--")
"""Runs a command where loopback is the only network."""
MODEL_KEY = "sk-ant-a-persons-own"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demos of this module live: in `demo`, with their temporary files beside it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Demo]]:
    """`start(…)`: a demo; what is left of one that a test gave up ends with the test."""
    begun: list[Demo] = []

    def begin(**how: object) -> Demo:
        begun.append(Demo(home / "demo", **how))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for demo in begun:
        demo.kill()


def test_two_side_by_side_of_which_one_has_no_network_and_one_is_interrupted(
    home: Path, start: Callable[..., Demo]
) -> None:
    if not _can_be_alone():
        pytest.skip("no network namespace can be made here (bwrap --unshare-net)")
    alone = start(before=_ALONE)
    alone.says("the operator run")
    [folder] = (home / "demo").glob("run-*")
    assert interfaces(int((folder / "pid").read_text())) == {"lo"}
    other = start()
    other.says("✓ analysed")
    [cut] = set((home / "demo").iterdir()) - {folder}
    other.interrupt()
    assert other.ends() == 130
    assert other.said.endswith("stopped; nothing runs any more\n")
    assert left(cut) == []
    assert not cut.exists()
    assert alone.ends() == 0, alone.said  # it has what it needs, whether or not it was done before
    for words in ("✓ merged as", "USD for", "+++ b/", "RollbackPoint", "export KUBECONFIG="):
        assert words in alone.said
    assert left(home) == []
    assert list((home / "demo").iterdir()) == []


def test_on_the_real_services_behind_a_proxy_and_then_taken_down(
    home: Path, start: Callable[..., Demo], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In the same place as the demos before it."""
    office = tmp_path_factory.mktemp("office")
    load = make(office / "load", repositories=1, issues=1)
    [issue] = load.issues
    look, *rest = read_script(load, issue.title)["Implement"]
    spy = {"tools": [{"name": "run", "input": {"command": "cat /proc/*/environ | tr '\\0' '\\n' > zones/seen.txt"}}]}
    script(load, issue.title, {"Implement": [look, spy, *rest]})
    with (
        serve_github(office / "github", load.seed) as hub,
        model.serve_in_thread(office / "model", scripts=load.script, api_key=MODEL_KEY) as service,
        company(
            office / "network", {"api.github.com": hub.url, "github.com": hub.url, "api.anthropic.com": service.url}
        ) as network,
    ):
        maintainer = People(hub.url, TOKENS["maintainer"])
        number = maintainer.open_issue(issue.repository, issue.title, issue.body)
        env = {
            "REPO": issue.repository,
            "ISSUE": str(number),
            "GITHUB_TOKEN": TOKENS[BOT],
            "ANTHROPIC_API_KEY": MODEL_KEY,
            "HTTPS_PROXY": network.proxy,
            "http_proxy": network.proxy,
            "SSL_CERT_FILE": str(network.authority),
        }
        demo = start(env=env, terminal=True)
        demo.says("Go on?")
        assert network.asked == [], "nothing is sent before somebody agrees"
        demo.answers("y")
        demo.says("Approve ")
        demo.answers("y")
        demo.says("Everything still runs")
        assert set(network.asked) == {
            f"CONNECT {name}:443" for name in ("api.github.com", "github.com", "api.anthropic.com")
        }
        [pull] = maintainer.ask("GET", f"/repos/{issue.repository}/pulls?state=closed")
        assert pull["merged_at"]
        seen = maintainer.diff(issue.repository, pull["number"])
        maintainer.close()
    assert "+PYTHONPATH=" in seen, "the step has looked into the environment of all that it could see"
    for secret in ("proxy", "ssl_cert", network.proxy, TOKENS[BOT], MODEL_KEY):
        assert secret.lower() not in seen.lower()
    _take_down(home)
    assert demo.ends() == 130
    assert left(home) == []
    assert not (home / "demo").exists()
    assert list((home / "tmp").iterdir()) == []


def _can_be_alone() -> bool:
    """Whether a sandbox can be made in a place without network, as the demo does."""
    if shutil.which(_ALONE[0]) is None:
        return False
    inner = ("bwrap", "--ro-bind", "/", "/", "--unshare-all", "--unshare-user", "--proc", "/proc", "true")
    return subprocess.run([*_ALONE, *inner], capture_output=True, check=False).returncode == 0


def _take_down(home: Path) -> None:
    down = [sys.executable, str(ROOT / "hack" / "demo" / "down.py"), str(home / "demo")]
    assert subprocess.run(down, capture_output=True, text=True, check=True).stdout == "the demo is gone\n"
