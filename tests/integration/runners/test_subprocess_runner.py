"""The subprocess runner: a step runs once by its name, survives its operator, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.integration.agent.test_answer import GOOD
from tests.integration.agent.test_change import FIX, turns
from tests.integration.agent.world import TICKET
from tests.integration.runners.conftest import Site, place, until
from tests.small_disk import on_a_small_disk

from orch.adapters.runners.processes import Process, descendants
from orch.adapters.runners.supervise import LEAST_FREE
from orch.api.work import Limits, StepOutcome, encode
from orch.errors import Terminal, Transient
from orch.ports import StepState

HANGING = turns("{delay: 600, text: never}")


def family(uid: str) -> list[Process]:
    process = Process.parse(uid)
    assert process is not None
    return descendants(process.pid)


async def test_a_step_from_start_to_report(site: Site) -> None:
    runner = site.serve(FIX)
    step = site.step()
    report = await site.finish(runner, step)
    assert report.outcome is StepOutcome.DONE, report.message
    assert report.change is not None
    assert list(site.repository.read_result(site.world.artifacts[report.change.bundle], report.change.sha)) == [
        "calc.py"
    ]
    await runner.forget(place(step))
    assert [path.name for path in (site.data / "steps").iterdir()] == []
    await runner.forget(place(step))


async def test_a_second_operator_adopts_by_name(site: Site) -> None:
    first = site.serve(turns(f"{{delay: 1, {GOOD}}}"))
    step = site.step("Analyse")
    uid = await site.start(first, step)
    second = site.runner()
    assert await second.start(step, input_digest="", ticket=TICKET, seconds=100) == uid
    status = await site.wait(second, step, uid)
    assert status.state is StepState.SUCCEEDED, status.message
    assert len(site.world.calls) == 1
    assert await second.start(step, input_digest="", ticket=TICKET, seconds=100) == uid


async def test_started_twice_at_once_it_runs_once(site: Site) -> None:
    runner = site.serve(turns(GOOD))
    step = site.step("Analyse")
    uids = await asyncio.gather(*(site.start(site.runner(), step) for _ in range(4)))
    assert len(set(uids)) == 1
    status = await site.wait(runner, step, uids[0])
    assert status.state is StepState.SUCCEEDED, status.message
    assert len(site.world.calls) == 1
    assert [path.name for path in (site.data / "steps").iterdir()] == [place(step)]


async def test_another_question_under_its_name_is_asked_anew(site: Site) -> None:
    """As a run asks that was restored from a backup, or made anew: its steps have the names of those before."""
    runner = site.serve(HANGING)
    step = site.step("Analyse")
    first = await runner.start(step, input_digest="sha256:a", ticket=TICKET, seconds=100)
    await site.until_asked()
    second = await runner.start(step, input_digest="sha256:b", ticket=TICKET, seconds=100)
    site.started.append((runner, place(step), second))
    assert second != first
    process = Process.parse(first)
    assert process is not None
    assert not process.is_alive()


async def test_two_runs_of_one_name_are_apart(site: Site) -> None:
    """Names are unique in a namespace only."""
    runner = site.serve(HANGING)
    step = site.step("Analyse")
    uids = [await site.start(runner, replace(step, identity=identity)) for identity in ("a" * 16, "b" * 16)]
    assert len(set(uids)) == 2
    assert all(process is not None and process.is_alive() for process in map(Process.parse, uids))


OPERATOR = """
import asyncio, os, sys
from pathlib import Path
from orch.adapters.runners.subprocess_runner import SubprocessRunner
from orch.api.work import StepInput, decode
data, socket, step, ticket = sys.argv[1:]
runner = SubprocessRunner(Path(data), Path(socket))
uid = asyncio.run(runner.start(decode(step, StepInput), input_digest="", ticket=ticket, seconds=100))
print(uid, flush=True)
os.kill(os.getpid(), 9)
"""


async def test_a_step_survives_the_crash_of_its_operator(site: Site) -> None:
    site.serve(turns(f"{{delay: 1, {GOOD}}}"))
    step = site.step("Analyse")
    words = [str(site.data), str(site.world.socket), encode(step).decode(), TICKET]
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", OPERATOR, *words], capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    uid = died.stdout.decode().strip()
    status = await site.wait(site.runner(), step, uid)
    assert status.state is StepState.SUCCEEDED, status.message


async def test_cancel_leaves_no_process(site: Site) -> None:
    runner = site.serve(HANGING)
    step = site.step()
    uid = await site.start(runner, step)
    await site.until_asked()
    members = family(uid)
    assert len(members) >= 4
    await runner.cancel(place(step), uid)
    assert [process for process in members if process.is_alive()] == []
    status = await runner.observe(place(step), uid)
    assert (status.state, status.message) == (StepState.FAILED, "cancelled")
    await runner.cancel(place(step), uid)


async def test_a_killed_supervisor_takes_all_with_it_and_the_step_is_gone(site: Site) -> None:
    runner = site.serve(HANGING)
    step = site.step()
    uid = await site.start(runner, step)
    await site.until_asked()
    members = family(uid)
    os.kill(int(uid.split("-")[0]), signal.SIGKILL)
    await until(lambda: not any(process.is_alive() for process in members))
    assert (await runner.observe(place(step), uid)).state is StepState.GONE


async def test_a_killed_program_leaves_a_step_that_is_gone(site: Site) -> None:
    """Nobody knows what it would have come to: that is no failure of the step's own."""
    runner = site.serve(HANGING)
    step = site.step("Analyse")
    uid = await site.start(runner, step)
    await site.until_asked()
    (agent,) = [process for process in family(uid) if _program(process) == "orch.agent"]
    agent.kill(signal.SIGKILL)
    assert (await site.wait(runner, step, uid)).state is StepState.GONE
    assert family(uid) == []


def _program(process: Process) -> str:
    """Which module of ours a process runs, its sandbox's own processes aside."""
    words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
    return words[words.index("-m") + 1] if "python" in words[0] and "-m" in words else ""


async def test_what_was_never_there_is_gone(site: Site) -> None:
    runner = site.serve(HANGING)
    assert (await runner.observe("no-such-step", "1-1")).state is StepState.GONE
    await runner.cancel("no-such-step", "1-1")


async def test_the_deadline_ends_a_step(site: Site) -> None:
    runner = site.serve(HANGING)
    step = site.step()
    uid = await site.start(runner, step, seconds=4)
    status = await site.wait(runner, step, uid)
    assert status.state is StepState.FAILED
    assert status.message == "ended: the step took longer than 4 s"
    assert family(uid) == []


ON_A_SMALL_DISK = """
import asyncio, sys
from pathlib import Path
from orch.adapters.runners.subprocess_runner import SubprocessRunner
from orch.api.work import StepInput, decode
from orch.policy.identity import step_place
from orch.ports import StepState
data, socket, text, ticket = sys.argv[1:]
step = decode(text, StepInput)

async def main():
    runner = SubprocessRunner(Path(data), Path(socket), insecure=True, bwrap="no-such-bwrap")
    uid = await runner.start(step, input_digest="", ticket=ticket, seconds=100)
    while (status := await runner.observe(step_place(step.identity, step.name), uid)).state is StepState.RUNNING:
        await asyncio.sleep(0.05)
    print(status.state, status.message)

asyncio.run(main())
"""


async def test_a_step_ends_before_its_disk_is_full(site: Site) -> None:
    """The disk is the host's: whoever fills it stops the operator and the gateway too."""
    site.serve(HANGING)
    words = [str(site.data), str(site.world.socket), encode(site.step()).decode(), TICKET]
    small = on_a_small_disk(site.data, LEAST_FREE // 2)
    done = await asyncio.to_thread(
        subprocess.run,
        [*small, sys.executable, "-c", ON_A_SMALL_DISK, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("Failed ended: less than 500 MB are free"), (done.stdout, done.stderr)


async def test_a_killed_tool_server_fails_the_step(site: Site) -> None:
    """A command may kill everything it can: it is in one sandbox with the tool server."""
    runner = site.serve(turns("{tools: [{name: run, input: {command: 'kill -9 -1'}}], repeat: true}"))
    step = site.step(limits=Limits(seconds=60, turns=3))
    status = await site.wait(runner, step, await site.start(runner, step))
    assert status.state is StepState.FAILED
    assert "hung up" in status.message


async def test_a_gateway_that_comes_back_is_found(site: Site) -> None:
    """Its socket is a new one: the sandbox sees the folder, not the socket."""
    runner = site.serve(turns(GOOD))
    step = site.step("Analyse")
    moved = site.world.socket.with_name("away")
    site.world.socket.rename(moved)
    uid = await site.start(runner, step)
    moved.rename(site.world.socket)
    status = await site.wait(runner, step, uid)
    assert status.state is StepState.SUCCEEDED, status.message


async def test_a_step_that_was_never_finished_being_made_is_removed_at_the_next_start(site: Site) -> None:
    site.serve(HANGING)
    steps = site.data / "steps"
    old, young, step = steps / ".new-old", steps / ".new-young", steps / "web-7-1-implement-1"
    for folder in (old, young, step):
        folder.mkdir(parents=True)
        (folder / "ticket").write_text("a ticket")
    two_hours_ago = time.time() - 7200
    for folder in (old, step):
        os.utime(folder, (two_hours_ago, two_hours_ago))
    await site.runner().prepare()
    assert [folder.exists() for folder in (old, young, step)] == [False, True, True]


async def test_without_bubblewrap_work_is_refused(site: Site) -> None:
    site.serve(FIX)
    runner = site.runner(bwrap="no-such-bwrap")
    with pytest.raises(Terminal, match="no-such-bwrap is not installed") as caught:
        await runner.start(site.step(), input_digest="", ticket=TICKET, seconds=60)
    assert caught.value.reason == "SandboxUnavailable"
    assert "\n" not in caught.value.message
    with pytest.raises(Terminal, match="no-such-bwrap is not installed"):
        await runner.prepare()


async def test_insecure_runs_without_a_sandbox_and_still_leaves_no_process(site: Site) -> None:
    hiding = "setsid -f sleep 600"
    site.serve(turns(f"{{tools: [{{name: run, input: {{command: '{hiding}'}}}}]}}", "{delay: 600, text: never}"))
    runner = site.runner(bwrap="no-such-bwrap", insecure=True)
    step = site.step()
    uid = await site.start(runner, step)
    await site.until_asked(2)
    members = family(uid)
    assert len(members) >= 3
    await runner.cancel(place(step), uid)
    assert [process for process in members if process.is_alive()] == []


async def test_a_socket_beside_other_files_is_refused(site: Site) -> None:
    runner = site.serve(FIX)
    (site.world.socket.parent / "model.key").write_text("secret")
    with pytest.raises(Terminal, match="give the socket a folder of its own"):
        await runner.start(site.step(), input_digest="", ticket=TICKET, seconds=60)


async def test_without_a_gateway_it_is_tried_again(site: Site, tmp_path: Path) -> None:
    site.serve(FIX)
    step = site.step()
    site.world.socket = tmp_path / "nowhere" / "g.sock"
    with pytest.raises(Transient, match="start the gateway"):
        await site.runner().start(step, input_digest="", ticket=TICKET, seconds=60)


async def test_a_tree_that_does_not_want_to_go_is_removed(site: Site) -> None:
    """Hostile code made it."""
    runner = site.serve(FIX)
    folder = site.data / "steps" / "stubborn"
    deep = folder / "checkout"
    deep.mkdir(parents=True)
    program = "import os\nfor _ in range(1500): os.mkdir('d' * 100); os.chdir('d' * 100)"
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=deep, check=True
    )  # deeper than a path may be long
    folder.joinpath("checkout").chmod(0)
    await runner.forget("stubborn")
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "a\0b"])
async def test_a_name_is_no_path(site: Site, name: str) -> None:
    runner = site.serve(FIX)
    with pytest.raises(Terminal, match="cannot be the name"):
        await runner.forget(name)
