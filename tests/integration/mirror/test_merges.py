"""Merges in the mirror: without a work tree, with our parents, and None where people must look."""

from datetime import UTC, datetime

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
