"""Mirror children: one does many acts, none is left over, and none takes another's answer."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.children import Children
from orch.adapters.git import MirrorGit
from orch.adapters.runners.processes import descendants
from orch.mirror.protocol import Request, decode_answer
from orch.ports import Remote

from .conftest import Server, Work


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Awaitable[str]]:
    """Ask for a verb that no mirror knows: the answer names it."""

    async def answer(children: Children, verb: str = "dance", seconds: float = 60) -> str:
        request = Request(
            verb=verb, data=tmp_path / "data", key="github.test-1", url="https://github.test/a/b.git", args={}
        )
        with pytest.raises(errors.Terminal) as caught:
            decode_answer(await children.ask(request, seconds))
        return caught.value.message

    return answer


def alive() -> set[int]:
    """The mirror children of this process."""
    found = set()
    for process in descendants(os.getpid()):
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes() if process.is_alive() else b""
        if b"orch.mirror\0" in line:
            found.add(process.pid)
    return found


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)


async def test_one_child_does_one_act_after_another(ask: Callable[..., Awaitable[str]]) -> None:
    children = Children(2)
    await ask(children)
    first = alive()
    await ask(children)
    assert alive() == first
    assert len(first) == 1
    await children.close()
    assert alive() == set()


async def test_acts_at_once_have_a_child_each_up_to_the_limit_and_their_own_answers(
    ask: Callable[..., Awaitable[str]],
) -> None:
    children = Children(2)
    verbs = [f"dance-{number}" for number in range(6)]
    answers = await asyncio.gather(*(ask(children, verb) for verb in verbs))
    assert answers == [f"the mirror knows no verb {verb!r}" for verb in verbs]
    assert len(alive()) == 2
    await children.close()


async def test_a_child_that_was_idle_for_long_is_let_go(ask: Callable[..., Awaitable[str]]) -> None:
    children = Children(2, idle=0.05)
    await ask(children)
    await until(lambda: alive() == set())
    await ask(children)
    await children.close()


async def test_a_child_that_died_while_it_was_idle_is_replaced(ask: Callable[..., Awaitable[str]]) -> None:
    children = Children(2)
    await ask(children)
    (killed,) = alive()
    os.kill(killed, signal.SIGKILL)
    await until(lambda: alive() == set())
    await asyncio.sleep(0.2)  # until the event loop has heard of it
    await ask(children)
    assert alive() - {killed}
    await children.close()


async def test_a_child_that_dies_in_the_middle_of_an_act_is_told(tmp_path: Path) -> None:
    children = Children(1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a/b.git"
        request = Request(verb="fetch", data=tmp_path, key="github.test-1", url=url, args={"branch": "main"})
        asking = asyncio.create_task(children.ask(request, 60))
        await asyncio.to_thread(silent.accept)
        os.kill(*alive(), signal.SIGKILL)
        with pytest.raises(errors.Transient, match="the mirror's child for fetch died without an answer"):
            await asking
    assert alive() == set()


async def test_nobody_knows_what_became_of_a_push_whose_child_died(
    git: MirrorGit, remote: Remote, person: Work, server: Server, tmp_path: Path
) -> None:
    base = await git.fetch(remote, "main")
    entered = tmp_path / "entered"
    os.mkfifo(entered)
    held = server.hold(tmp_path, first=f"echo > {entered}")
    pushing = asyncio.create_task(git.push(remote, sha=base, branch="orch/1", expected=None))
    await asyncio.to_thread(entered.read_bytes)
    os.kill(*alive(), signal.SIGKILL)
    with pytest.raises(errors.Ambiguous, match="the mirror's child for push died without an answer"):
        await pushing
    held.unlink()
