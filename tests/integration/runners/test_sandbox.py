"""What code of a repository can reach from its sandbox, tried from inside with canaries planted outside (THREATS 2)."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.agent.test_change import turns
from tests.integration.agent.world import TICKET
from tests.integration.runners.conftest import Site

from orch.adapters.runners.sandbox import Python, agent_sandbox
from orch.adapters.runners.subprocess_runner import _find_bwrap
from orch.api.work import Commands, StepOutcome, StepReport

CANARY = "canary-5f1d"


def script(command: str) -> str:
    """A step whose model runs one command."""
    return turns(f"tools: [{{name: run, input: {{command: {json.dumps(command)}}}}}]", "text: Done.", "text: Done.")


async def shown(site: Site, command: str, **changes: object) -> str:
    """What the command prints in the sandbox."""
    runner = site.serve(script(command))
    report = await site.finish(runner, site.step(commands=Commands(test=("true",), **changes)))
    return result_of(site, report)


def result_of(site: Site, report: StepReport) -> str:
    entries = [json.loads(line) for line in site.said(report).splitlines()]
    return "\n".join(entry["result"] for entry in entries if entry["kind"] == "tool")


def untouched() -> str:
    """For find: what was there before there was a ticket. Toolchains are gigabytes, which nobody reads in a test."""
    places = ("/proc", "/sys", "/dev", "/usr", sys.prefix, *Python.current().folders)
    return "\\( " + " -o ".join(f"-path {shlex.quote(place)}" for place in places) + " \\)"


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_no_ticket_no_input_no_socket_no_home(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "kubeconfig").write_text(CANARY)
    look = "; ".join(
        [
            "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'",
            f"cat {tmp_path}/kubeconfig; ls -a {tmp_path}",
            "cat /run/orch/ticket /run/orch/input.json; ls -R /run; ls -a /home /root /var /srv /opt; cat /etc/shadow",
            "find / -xdev \\( -name ticket -o -name '*.sock' -o -name order.json \\) -not -path '/proc/*' -not -path '/usr/*'",
            "echo ticket-canary-of-our-own >/tmp/found",
            f"find / {untouched()} -prune -o -type f -exec grep -s ticket-canary {{}} +",
        ]
    )
    said = await shown(site, look)
    assert "/tmp/found:ticket-canary-of-our-own" in said, "it was not looked for"
    assert TICKET not in said
    assert CANARY not in said
    assert "steps/" not in said
    assert "g.sock" not in said
    assert "kubeconfig" in said
    assert "No such file" in said


async def test_no_network_not_even_the_hosts_loopback(site: Site, listener: int) -> None:
    probe = (
        "python3 - <<'E'\nimport socket\n"
        f"for host in ('127.0.0.1', '::1', '1.1.1.1'):\n"
        f"    try:\n        socket.create_connection((host, {listener}), 3); print('REACHED', host)\n"
        "    except OSError as err:\n        print('cannot', err)\nE\n cat /proc/net/dev"
    )
    said = await shown(site, probe)
    assert said.count("cannot") == 3
    assert "REACHED" not in said
    assert "eth0" not in said


async def test_own_processes_only_and_no_privileges(site: Site) -> None:
    said = await shown(
        site, "id -u; ls -d /proc/[0-9]*; cat /proc/self/status; mount -t tmpfs x /mnt; unshare -Ur true"
    )
    assert said.startswith("1000\n")
    assert len([line for line in said.splitlines() if line.startswith("/proc/")]) < 10
    assert "CapEff:\t0000000000000000" in said
    assert "CapBnd:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert "unshare failed" in said


async def test_nothing_but_the_checkout_its_state_and_tmp_can_be_written(site: Site) -> None:
    places = "/ /usr /usr/local/bin /etc /run /home /dev /proc/sys/kernel /checkout /state /tmp /dev/shm"
    tries = f"for d in {places}; do touch $d/x-probe && echo WROTE $d; done"
    said = await shown(site, tries)
    wrote = [line.removeprefix("WROTE ") for line in said.splitlines() if line.startswith("WROTE")]
    assert wrote == ["/checkout", "/state", "/tmp", "/dev/shm"]


async def test_what_a_command_leaves_running_is_ended(site: Site) -> None:
    runner = site.serve(
        turns(
            "tools: [{name: run, input: {command: 'setsid -f sleep 600; nohup sleep 601 & echo started'}}]",
            'tools: [{name: run, input: {command: \'cat /proc/[0-9]*/cmdline | tr "\\0" " "\'}}]',
            "text: Done.",
            "text: Done.",
        )
    )
    report = await site.finish(runner, site.step(commands=Commands(test=("true",))))
    assert report.outcome is StepOutcome.NOTHING_TO_DO
    said = result_of(site, report)
    assert "started" in said
    assert "sleep 60" not in said


async def test_limits_hold(site: Site) -> None:
    said = await shown(site, "ulimit -c; ulimit -f; yes | head -c 1000000")
    assert "[…" in said
    assert len(said) < 40_000
    core, file_blocks = said.splitlines()[:2]
    assert core == "0"
    assert int(file_blocks) * 512 == 2_000_000_000


async def test_the_pipelines_variables_are_there(site: Site) -> None:
    said = await shown(site, "echo $FLAVOUR in $PWD", env={"FLAVOUR": "vanilla"})
    assert said.startswith("vanilla in /checkout")


def test_the_agents_sandbox_has_no_code(tmp_path: Path) -> None:
    """The other half: ticket and gateway, but neither checkout nor step folder, network or home."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "steps").mkdir()
    python = Python.current()
    bwrap = _find_bwrap("bwrap")
    assert isinstance(bwrap, list)
    inside = agent_sandbox(python, input_json=b"{}", ticket=b"T", gateway_folder=str(tmp_path / "gateway"))
    look = (
        "ls /checkout /state /home; ls -R /run; cat /run/orch/ticket; cat /proc/net/dev; env; touch /run/orch/gateway/x"
    )
    command, descriptors = inside.wrap(bwrap, ["/bin/sh", "-c", look])
    done = subprocess.run(command, pass_fds=descriptors, capture_output=True, text=True, check=False)
    for descriptor in descriptors:
        os.close(descriptor)
    assert "ls: cannot access '/checkout'" in done.stderr
    assert "ls: cannot access '/state'" in done.stderr
    assert "Read-only file system" in done.stderr
    assert "eth0" not in done.stdout
    assert "ticket" in done.stdout
