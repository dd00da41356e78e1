"""Commits that are signed: git takes the signature for good, a commit made again is the same, and the key stays where it is."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.ports import Author, Credential, Remote

from .conftest import Server, Work

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed (Debian: apt install openssh-client)"
)

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOT = Author("orch", "orch@example.com")


def make_key(folder: Path, kind: str = "ed25519", passphrase: str = "") -> tuple[Credential, str]:
    """A private key, and its public half."""
    path = folder / f"{kind}{len(passphrase)}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", path], check=True)
    return Credential(path.read_text()), path.with_suffix(".pub").read_text()


def is_signed(server: Server, sha: str, public: str, folder: Path) -> bool:
    """What git says of a commit on the server."""
    signers = folder / "signers"
    signers.write_text(f'* namespaces="git" {public}')
    trust = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}"]
    return subprocess.run(["git", "-C", server.bare, *trust, "verify-commit", sha], check=False).returncode == 0


async def test_a_commit_and_a_merge_of_ours_are_signed_the_same_each_time(
    git: MirrorGit, remote: Remote, person: Work, server: Server, tmp_path: Path
) -> None:
    key, public = make_key(tmp_path)
    _, strange = make_key(tmp_path, "ecdsa")
    signer = replace(BOT, key=key)
    base = await git.fetch(remote, "main")
    theirs = person.commit({"a": "1\n"})
    await git.import_bundle(remote, person.bundle(theirs, base), sha=theirs)

    async def commit(author: Author) -> str:
        return await git.commit(remote, tree_of=theirs, parents=[base], message="Fix it\n", author=author, time=TIME)

    ours = await commit(signer)
    assert ours == await commit(signer) != await commit(BOT)
    merged = await git.merge(remote, ours=base, theirs=ours, message="Merge\n", author=signer, time=TIME)
    assert merged is not None
    await git.push(remote, sha=merged, branch="orch/1", expected=None)
    for sha in (ours, merged):
        assert is_signed(server, sha, public, tmp_path)
        assert not is_signed(server, sha, strange, tmp_path)
    key_body = key.reveal().splitlines()[1]
    assert key_body not in repr(signer)
    assert all(key_body.encode() not in file.read_bytes() for file in git._data.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("kind", "passphrase", "said"),
    [("ed25519", "secret", "has a passphrase"), ("rsa", "", "is not ed25519"), ("", "", "cannot be read")],
)
async def test_a_key_that_is_not_taken_is_told_with_what_to_do(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, kind: str, passphrase: str, said: str
) -> None:
    key = make_key(tmp_path, kind, passphrase)[0] if kind else Credential("no key at all")
    assert person.git("rev-parse", "HEAD")
    base = await git.fetch(remote, "main")
    with pytest.raises(errors.CredentialsRefused, match=said) as refused:
        await git.commit(remote, tree_of=base, parents=[base], message="x\n", author=replace(BOT, key=key), time=TIME)
    assert "ssh-keygen -t ed25519" in refused.value.message
