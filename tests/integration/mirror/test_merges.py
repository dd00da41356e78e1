"""Merges in the mirror: without a work tree, with our parents, and None where people must look."""

from datetime import UTC, datetime

import pytest

from orch.adapters.git import MirrorGit
from orch.ports import Author, Remote

from .conftest import Server, Work

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHO = Author("orch", "orch@example.com")


async def _merge(git: MirrorGit, remote: Remote, ours: str, theirs: str) -> str | None:
    return await git.merge(remote, ours=ours, theirs=theirs, message="Merge main\n", author=WHO, time=WHEN)


async def _sides(
    git: MirrorGit, remote: Remote, person: Work, ours: dict[str, str], theirs: dict[str, str]
) -> tuple[str, str]:
    """Two commits on the same base: one that a step gave back, one on the remote's main."""
    base = await git.fetch(remote, "main")
    mine = person.commit({**ours}, "ours")
    await git.import_bundle(remote, person.bundle(mine, base), sha=mine)
    person.git("reset", "--hard", "--quiet", base)
    person.commit({**theirs}, "theirs")
    person.push()
    return mine, await git.fetch(remote, "main")


async def test_a_clean_merge_has_both_sides_and_two_parents(git: MirrorGit, remote: Remote, person: Work) -> None:
    ours, theirs = await _sides(git, remote, person, {"a.txt": "a\n"}, {"b.txt": "b\n"})
    merged = await _merge(git, remote, ours, theirs)
    assert merged is not None
    assert merged == await _merge(git, remote, ours, theirs)
    assert await git.is_ancestor(remote, ancestor=ours, sha=merged)
    assert await git.is_ancestor(remote, ancestor=theirs, sha=merged)
    diff = await git.diff(remote, base=theirs, sha=merged)
    assert [change.path for change in diff.changes] == ["a.txt"]


async def test_a_conflict_is_no_merge(git: MirrorGit, remote: Remote, person: Work) -> None:
    ours, theirs = await _sides(git, remote, person, {"same.txt": "ours\n"}, {"same.txt": "theirs\n"})
    assert await _merge(git, remote, ours, theirs) is None


async def test_what_a_merge_brought(git: MirrorGit, remote: Remote, person: Work, server: Server) -> None:
    base = await git.fetch(remote, "main")
    first = person.commit({"a.txt": "a\n"}, "one")
    second = person.commit({"b.txt": "b\n"}, "two")
    person.push()
    await git.fetch(remote, "main")
    facts = await git.merged(remote, sha=second, base=base)
    assert facts.parent == first
    assert facts.commits == (first, second)
    assert server.sha("main") == second


async def test_only_updates_is_true_of_merges_of_the_base_branch_alone(
    git: MirrorGit, remote: Remote, person: Work
) -> None:
    ours, theirs = await _sides(git, remote, person, {"a.txt": "a\n"}, {"b.txt": "b\n"})
    first = await _merge(git, remote, ours, theirs)
    assert first is not None
    person.commit({"c.txt": "c\n"}, "and on")
    person.push()
    newest = await git.fetch(remote, "main")
    second = await _merge(git, remote, first, newest)
    assert second is not None
    for head in (ours, first, second):
        assert await git.only_updates(remote, content=ours, sha=head, base=newest)
    assert not await git.only_updates(remote, content=first, sha=ours, base=newest)
    assert not await git.only_updates(remote, content=ours, sha=second, base=theirs), "a merge of something else"


@pytest.mark.parametrize("parents", [1, 2])
async def test_only_updates_is_false_of_anything_else_in_the_merge(
    git: MirrorGit, remote: Remote, person: Work, parents: int
) -> None:
    ours, theirs = await _sides(git, remote, person, {"a.txt": "a\n"}, {"b.txt": "b\n"})
    person.git("reset", "--hard", "--quiet", theirs)
    evil = person.commit({"a.txt": "a\n", "evil.txt": "e\n"}, "a tree that nobody merged")
    await git.import_bundle(remote, person.bundle(evil, theirs), sha=evil)
    made = await git.commit(
        remote, tree_of=evil, parents=[ours, theirs][:parents], message="Merge main\n", author=WHO, time=WHEN
    )
    assert not await git.only_updates(remote, content=ours, sha=made, base=theirs)


async def test_only_updates_is_false_where_both_sides_touched_a_file(
    git: MirrorGit, remote: Remote, person: Work
) -> None:
    lines = [f"{number}\n" for number in range(20)]
    person.commit({"long.txt": "".join(lines)}, "a long file")
    person.push()
    ours, theirs = await _sides(
        git,
        remote,
        person,
        {"long.txt": "".join(["first\n", *lines[1:]])},
        {"long.txt": "".join([*lines[:-1], "last\n"])},
    )
    merged = await _merge(git, remote, ours, theirs)
    assert merged is not None
    assert not await git.only_updates(remote, content=ours, sha=merged, base=theirs)


async def test_whose_each_commit_says_it_is(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")

    async def all_say(sha: str) -> bool:
        return await git.all_say(remote, sha=sha, base=base, trailer="Orch-Run", value="abc")

    assert await all_say(base)
    heads = []
    for number, message in enumerate(
        ("One\n\nOrch-Run: abc\nSigned-off-by: a <a@b>\n", "Two\n\nOrch-Run: abcd\n", "Th\xe9")
    ):
        heads.append(person.commit({"a.txt": f"{number}\n"}, message))
        await git.import_bundle(remote, person.bundle(heads[-1], base), sha=heads[-1])
    assert [await all_say(head) for head in heads] == [True, False, False]
