"""The Git port over a real server: the way of a change, and what happens when it is walked twice or meets somebody else."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.ports import Author, Credential, Remote

from .conftest import Server, Work, run_git

BOT = Author("orch", "orch@example.com")
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def publish(
    git: MirrorGit, remote: Remote, person: Work, files: dict[str, str | bytes | None]
) -> tuple[str, str]:
    """A work step's change, imported and committed by us: (base, our commit)."""
    base = await git.fetch(remote, "main")
    sha = person.commit(files)
    await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    return base, await git.commit(remote, tree_of=sha, parents=[base], message="Fix it\n", author=BOT, time=TIME)


async def test_a_change_travels_from_bundle_to_branch(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    base, ours = await publish(git, remote, person, {"src/app.py": "print('three')\n", "new/a.txt": "a\nb\n"})
    diff = await git.diff(remote, base=base, sha=ours)
    assert {(c.path, c.status, c.additions, c.deletions, c.size) for c in diff.changes} == {
        ("src/app.py", "M", 1, 2, 15),
        ("new/a.txt", "A", 2, 0, 4),
    }
    assert diff.facts is None, "nobody asked for a reading"
    assert "+print('three')" in await git.patch(remote, base=base, sha=ours)
    await git.push(remote, sha=ours, branch="orch/1", expected=None)
    assert server.sha("orch/1") == ours == await git.remote_sha(remote, "orch/1")
    shown = run_git(server.bare, "show", "-s", "--format=%an|%ae|%cn|%ce|%at|%ct|%P|%s", ours)
    assert shown == f"orch|orch@example.com|orch|orch@example.com|1767323045|1767323045|{base}|Fix it"


async def test_the_same_commit_twice_is_one(git: MirrorGit, remote: Remote, person: Work) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    again = await git.commit(remote, tree_of=ours, parents=[base], message="Fix it\n", author=BOT, time=TIME)
    assert again == ours


async def test_equal_content_has_an_equal_digest_whatever_the_commits(
    git: MirrorGit, remote: Remote, person: Work
) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    other = await git.commit(remote, tree_of=ours, parents=[base], message="Other\n", author=BOT, time=TIME)
    first, second = await git.diff(remote, base=base, sha=ours), await git.diff(remote, base=base, sha=other)
    assert ours != other
    assert first.digest == second.digest


async def test_the_diff_starts_at_the_merge_base(git: MirrorGit, remote: Remote, person: Work) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    person.git("reset", "-q", "--hard", base)
    person.commit({"b": "somebody else's\n"})
    person.push()
    moved = await git.fetch(remote, "main")
    diff = await git.diff(remote, base=moved, sha=ours)
    assert [c.path for c in diff.changes] == ["a"]


async def test_a_push_repeated_after_a_crash_is_no_error(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    _, ours = await publish(git, remote, person, {"a": "1\n"})
    await git.push(remote, sha=ours, branch="orch/1", expected=None)
    await git.push(remote, sha=ours, branch="orch/1", expected=None)
    assert server.sha("orch/1") == ours


async def test_a_push_that_was_carried_out_and_sent_again_is_no_error(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    """As when a connection dies before the answer: the branch is where we want it before the server comes to our words."""
    _, ours = await publish(git, remote, person, {"a": "1\n"})
    hook = server.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "$3" >"$1"\n')
    hook.chmod(0o755)
    (server.bare / "refs/heads/orch").mkdir()
    await git.push(remote, sha=ours, branch="orch/1", expected=None)
    assert server.sha("orch/1") == ours


async def test_somebody_elses_branch_is_never_overwritten(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    person.commit({"theirs": "x\n"})
    person.push("orch/1")
    theirs = server.sha("orch/1")
    for expected in (None, base):
        with pytest.raises(errors.HeadMoved, match="somebody else pushed"):
            await git.push(remote, sha=ours, branch="orch/1", expected=expected)
    assert server.sha("orch/1") == theirs
    await git.push(remote, sha=ours, branch="orch/1", expected=theirs)
    assert server.sha("orch/1") == ours


async def test_a_branch_that_vanished_is_not_made_again(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    with pytest.raises(errors.HeadMoved):
        await git.push(remote, sha=ours, branch="orch/1", expected=base)
    assert await git.remote_sha(remote, "orch/1") is None


async def test_ancestors(git: MirrorGit, remote: Remote, person: Work) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    assert await git.is_ancestor(remote, ancestor=base, sha=ours)
    assert not await git.is_ancestor(remote, ancestor=ours, sha=base)


async def test_a_bundle_can_be_cloned_by_a_work_step(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path
) -> None:
    base, ours = await publish(git, remote, person, {"a": "1\n"})
    bundle = await git.bundle(remote, [ours, base])
    run_git(tmp_path, "clone", "-q", str(bundle), "checkout")
    assert run_git(tmp_path / "checkout", "rev-parse", "HEAD") == ours
    assert (tmp_path / "checkout" / "a").read_text() == "1\n"
    bundle.unlink()
    assert list(bundle.parent.iterdir()) == []


async def test_a_missing_branch_and_an_empty_repository(
    git: MirrorGit, remote: Remote, server: Server, person: Work
) -> None:
    with pytest.raises(errors.NotFound, match="no such branch"):
        await git.fetch(remote, "nope")
    run_git(server.bare, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(errors.NotFound, match="or is empty"):
        await git.fetch(remote, "main")


async def test_commits_that_the_mirror_lacks_are_fetched(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    base = await git.fetch(remote, "main")
    later = person.commit({"later": "x\n"})
    person.push()
    assert await git.is_ancestor(remote, ancestor=base, sha=later)


async def test_a_commit_nobody_has_says_so(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    with pytest.raises(errors.Transient) as caught:
        await git.diff(remote, base=base, sha="1" * 40)
    assert caught.value.reason == "MirrorIncomplete"


@pytest.mark.parametrize("broken", ["objects", "HEAD", "everything"])
async def test_a_broken_mirror_is_made_anew(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, broken: str
) -> None:
    base = await git.fetch(remote, "main")
    mirror = tmp_path / "data" / "mirrors" / "github.test-1.git"
    for file in [p for p in mirror.rglob("*") if p.is_file()]:
        if broken == "everything" or (broken == "HEAD" and file.name == "HEAD") or (broken in file.parts):
            file.chmod(0o600)
            file.write_bytes(b"rubbish")
    assert await git.fetch(remote, "main") == base
    assert (await git.diff(remote, base=base, sha=base)).changes == ()


@pytest.mark.parametrize("ref", ["branches/main", "imports/{theirs}", "commits/{ours}"])
async def test_what_a_killed_git_left_locked_is_let_go(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, ref: str
) -> None:
    base, ours = await publish(git, remote, person, {"README.md": "Changed.\n"})
    refs = tmp_path / "data" / "mirrors" / "github.test-1.git" / "refs" / "orch"
    theirs = person.git("rev-parse", "HEAD")
    lock = refs / f"{ref.format(theirs=theirs, ours=ours)}.lock"
    assert lock.with_suffix("").exists()
    lock.touch()
    await git.import_bundle(remote, person.bundle(theirs, base), sha=theirs)
    assert await git.commit(remote, tree_of=theirs, parents=[base], message="Fix it\n", author=BOT, time=TIME) == ours
    person.push()
    assert await git.fetch(remote, "main") == theirs
    assert not lock.exists()


async def test_many_at_once_on_one_mirror(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    shas = [person.commit({f"f{n}": f"{n}\n"}) for n in range(6)]
    bundles = [person.bundle(sha, base) for sha in shas]
    await asyncio.gather(
        *(git.import_bundle(remote, bundle, sha=sha) for bundle, sha in zip(bundles, shas, strict=True)),
        *(git.fetch(remote, "main") for _ in range(4)),
    )
    diffs = await asyncio.gather(*(git.diff(remote, base=base, sha=sha) for sha in shas))
    assert [len(diff.changes) for diff in diffs] == [1, 2, 3, 4, 5, 6]


async def test_two_repositories_have_two_mirrors(git: MirrorGit, remote: Remote, person: Work, tmp_path: Path) -> None:
    other = Remote("127.0.0.1:80-2", remote.url, remote.credential)
    await asyncio.gather(git.fetch(remote, "main"), git.fetch(other, "main"))
    names = {p.name for p in (tmp_path / "data" / "mirrors").glob("*.git")}
    assert names == {"github.test-1.git", "127.0.0.1%3A80-2.git"}


async def test_cancelling_ends_git(
    git: MirrorGit, remote: Remote, person: Work, server: Server, tmp_path: Path
) -> None:
    _, ours = await publish(git, remote, person, {"a": "1\n"})
    entered = tmp_path / "entered"
    os.mkfifo(entered)
    held = server.hold(tmp_path, first=f"echo > {entered}")
    pushing = asyncio.create_task(git.push(remote, sha=ours, branch="orch/1", expected=None))
    await asyncio.to_thread(entered.read_bytes)
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    held.unlink()
    assert await asyncio.to_thread(are_gone, tmp_path / "data")


async def test_a_deadline_on_a_push_leaves_the_outcome_open(
    remote: Remote, person: Work, server: Server, tmp_path: Path, git: MirrorGit
) -> None:
    _, ours = await publish(git, remote, person, {"a": "1\n"})
    held = server.hold(tmp_path)
    hasty = MirrorGit(tmp_path / "data", deadlines={"push": 1.0})
    with pytest.raises(errors.Ambiguous, match="took longer than 1 s"):
        await hasty.push(remote, sha=ours, branch="orch/1", expected=None)
    held.unlink()
    assert await asyncio.to_thread(are_gone, tmp_path / "data")


async def test_a_push_that_the_fence_holds_back_does_not_leave(
    remote: Remote, person: Work, tmp_path: Path, git: MirrorGit
) -> None:
    _, ours = await publish(git, remote, person, {"a": "1\n"})

    def fence() -> None:
        raise errors.LeaseEnding("LeaseEnding", "the lease may end before the answer")

    fenced = MirrorGit(tmp_path / "data", fence=fence)
    assert await fenced.remote_sha(remote, "orch/1") is None, "what only reads is let through"
    with pytest.raises(errors.LeaseEnding):
        await fenced.push(remote, sha=ours, branch="orch/1", expected=None)
    await fenced.close()
    assert await git.remote_sha(remote, "orch/1") is None


def are_gone(data: Path) -> bool:
    """Whether no git runs on our mirrors any more. The kernel may need a moment to end what was killed."""
    deadline = time.monotonic() + 20
    while children_of(data) and time.monotonic() < deadline:
        time.sleep(0.01)
    return children_of(data) == []


def children_of(data: Path) -> list[str]:
    """Command lines of git processes on our mirrors."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"--git-dir={data}" in line:
            found.append(line)
    return found


@pytest.mark.parametrize("sha", ["", "HEAD", "--upload-pack=x", "a" * 39, "A" * 40, "refs/heads/main"])
async def test_only_full_shas_reach_git(git: MirrorGit, remote: Remote, person: Work, sha: str) -> None:
    with pytest.raises(errors.Terminal, match="not a full commit sha"):
        await git.push(remote, sha=sha, branch="orch/1", expected=None)


@pytest.mark.parametrize("branch", ["", "-x", "a..b", "a b", "a:b", "a.lock", "x/.y", "@", "a/", "a\n"])
async def test_only_branch_names_reach_git(git: MirrorGit, remote: Remote, person: Work, branch: str) -> None:
    with pytest.raises(errors.Terminal, match="not a branch name"):
        await git.fetch(remote, branch)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("file:///tmp/x.git", id="a local path"),
        pytest.param("/tmp/x.git", id="a path without a scheme"),
        pytest.param("ext::sh -c touch% /tmp/pwned", id="a helper that runs commands"),
        pytest.param("ssh://git@github.com/a/b", id="ssh"),
        pytest.param("http://example.com/a/b", id="plain http to another machine"),
        pytest.param("https://user:pass@example.com/a/b", id="a password in the URL"),
        pytest.param("https://exa mple.com/a", id="blanks"),
    ],
)
async def test_refused_remotes(git: MirrorGit, url: str) -> None:
    with pytest.raises(errors.PolicyDenied):
        await git.fetch(Remote("k", url, Credential("t")), "main")


async def test_what_somebody_else_has_pushed_to_a_branch(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    shas = [person.commit({"a.txt": f"{number}\n"}, f"Change {number}\n\nA body.") for number in range(7)]
    person.push("orch/1")
    assert await git.fetch_theirs(remote, "orch/1") == shas[-1]
    added = await git.added(remote, base=base, sha=shas[-1])
    assert added.count == 7
    assert [(commit.sha, commit.author, commit.subject) for commit in added.newest] == [
        (sha, "Ann", f"Change {number}") for number, sha in reversed(list(enumerate(shas)))
    ][:5]
    assert (await git.added(remote, base=shas[-1], sha=base)).newest == ()


async def test_a_commit_that_says_hostile_things_of_itself_is_told_as_text(
    git: MirrorGit, remote: Remote, person: Work
) -> None:
    base = await git.fetch(remote, "main")
    raw = person.git("cat-file", "commit", base).splitlines()
    head = [raw[0], f"parent {base}", "author \x1b]0;x\x07 <a@b> 1 +0000", "committer c <c@d> 1 +0000"]
    text = "\n".join(head) + "\n\n" + "\x1b[2J" + "x" * 3_000_000 + "\n"
    sha = person.git("hash-object", "-w", "-t", "commit", "--stdin", stdin=text.encode())
    person.git("update-ref", "HEAD", sha)
    person.push("orch/1")
    assert await git.fetch_theirs(remote, "orch/1") == sha
    added = await git.added(remote, base=base, sha=sha)
    assert added.count == 1
    assert added.newest[0].author == "\x1b]0;x\x07"
    assert added.newest[0].subject.startswith("\x1b[2Jxxx")


async def test_a_tree_that_fsck_refuses_does_not_get_in_by_a_branch(
    git: MirrorGit, remote: Remote, person: Work
) -> None:
    base = await git.fetch(remote, "main")
    tree = person.git(
        "hash-object", "-w", "-t", "tree", "--literally", "--stdin",
        stdin=b"100644 .git\0" + bytes.fromhex(person.blob(b"x")),
    )  # fmt: skip
    sha = person.git("commit-tree", tree, "-p", base, "-m", "hostile")
    person.git("update-ref", "HEAD", sha)
    person.push("orch/1")
    with pytest.raises(errors.Transient, match="fetch"):
        await git.fetch_theirs(remote, "orch/1")
