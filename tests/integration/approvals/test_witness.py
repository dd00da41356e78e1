"""The witness of the sequences: silent where everything is as it should be, and loud about an operator with a fault planted into it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.fakes.cluster import Enforced
from tests.integration.approvals.scene import VOTERS, Joined, Scene, yes
from tests.integration.approvals.witness import Books

from orch.adapters.git import MirrorGit
from orch.api.v1alpha1 import Gate
from orch.ports import Remote
from orch.stages import Done, RunContext, Waiting
from orch.stages.effects import once


def test_the_good_sequence_pushes_and_merges(joined: Joined) -> None:
    async def play() -> Books:
        scene = Scene(joined, quorum=2)
        await scene.open()
        for _ in range(3):
            await scene.goes_well()
        scene.close()
        return scene.books

    books = joined.do(play())
    assert books.wrong == []
    assert books.done == ["push", "merge"]


def test_who_repeats_somebodys_words_has_neither_answered_nor_forged(joined: Joined) -> None:
    async def play() -> Books:
        scene = Scene(joined, quorum=2)
        await scene.open()
        asked = scene.questions()[-1]
        for user in ("boris", "anna"):
            await scene.answer(user, asked, yes("boris"), key="boris")
        scene.close()
        return scene.books

    books = joined.do(play())
    assert books.wrong == []
    assert [set(answers) for answers in books.answers.values()] == [{"boris"}]


async def _nobody_is_asked(*_: Any) -> Done:
    return Done()


async def _unguarded(ctx: RunContext, _gate: Gate, key: str, **acts: Any) -> str | Waiting:
    return await once(ctx, key, **acts)


async def _pushes_what_it_was_not_told(
    git: MirrorGit, remote: Remote, *, sha: str, branch: str, expected: str | None
) -> None:
    await git._ask("push", remote, sha=await git.fetch(remote, "main"), branch=branch, expected=expected)


async def _may_do_anything(*_: Any, **__: Any) -> bool:
    return True


def _open_gate(stage: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sys.modules[f"orch.stages.{stage}"], "ask", _nobody_is_asked)
    patch.setattr(sys.modules[f"orch.stages.{stage}"], "once_open", _unguarded)


async def _without_a_question_before_the_push(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    _open_gate("publish", patch)
    await scene.look()


async def _without_a_question_before_the_merge(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    await scene.goes_well()
    assert (scene.books.wrong, scene.books.done) == ([], ["push"])
    _open_gate("merge", patch)
    scene.checks_end("success")
    scene.on_pull("alice", "approve")
    await scene.look()


async def _with_answers_of_people_who_lost_the_verb(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("orch.reconcilers.counting.is_allowed", _may_do_anything)
    await scene.agree()
    await scene.let_approve()
    await scene.look()


async def _with_answers_that_were_forged(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    scene.enforcement = Enforced()
    await scene.lose_and_restore_the_binding()


async def _with_another_commit_than_was_approved(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MirrorGit, "push", _pushes_what_it_was_not_told)
    await scene.goes_well()


@pytest.mark.parametrize(
    ("plant", "act"),
    [
        (_without_a_question_before_the_push, "push"),
        (_without_a_question_before_the_merge, "merge"),
        (_with_answers_of_people_who_lost_the_verb, "push"),
        (_with_answers_that_were_forged, "push"),
        (_with_another_commit_than_was_approved, "push"),
    ],
    ids=lambda value: getattr(value, "__name__", value).strip("_"),
)
def test_the_witness_sees_an_operator_that_acts(
    joined: Joined,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[Scene, pytest.MonkeyPatch], Awaitable[None]],
    act: str,
) -> None:
    async def play() -> list[str]:
        scene = Scene(joined, quorum=2)
        await scene.open()
        assert scene.books.wrong == []
        await plant(scene, monkeypatch)
        scene.close()
        return scene.books.wrong

    wrong = joined.do(play())
    assert wrong
    assert wrong[0].startswith(f"{act} of ")
    assert wrong[0].endswith("which was not approved")


def test_what_was_forged_while_the_binding_was_gone_leads_to_nothing(joined: Joined) -> None:
    async def play() -> tuple[Books, int]:
        scene = Scene(joined, quorum=2)
        await scene.open()
        await scene.lose_and_restore_the_binding()
        for _ in range(2):
            await scene.look()
        scene.close()
        return scene.books, await scene.most_answers()

    books, forged = joined.do(play())
    assert forged == len(VOTERS), "they are there, and do not count"
    assert (books.wrong, books.done) == ([], [])
