"""What keeps a mirror small: old imports go, what is needed stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orch import errors
from orch.adapters.git import MirrorGit
from orch.mirror import store
from orch.ports import Remote

from .conftest import Server, Work


async def test_cleaning_drops_old_imports_only(
    git: MirrorGit, remote: Remote, person: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = await git.fetch(remote, "main")
    shas = [person.commit({"a": f"{n}\n"}) for n in range(3)]
    for sha in shas:
        await git.import_bundle(remote, person.bundle(sha, base), sha=sha)
    refs = tmp_path / "data/mirrors/github.test-1.git/refs/orch/imports"
    os.utime(refs / shas[0], (1, 1))
    monkeypatch.setattr(store, "PACKS_BEFORE_CLEANING", 1)
    with store.open_mirror(tmp_path / "data", remote.key, remote.url, None, alone=True) as mirror:
        store.clean(mirror)
    assert {p.name for p in refs.iterdir()} == set(shas[1:])
    assert len((await git.diff(remote, base=base, sha=shas[2])).changes) == 1
    assert await git.fetch(remote, "main") == base


async def test_a_forgotten_bundle_is_deleted(git: MirrorGit, remote: Remote, person: Work, tmp_path: Path) -> None:
    base = await git.fetch(remote, "main")
    forgotten, recent = await git.bundle(remote, [base]), await git.bundle(remote, [base])
    os.utime(forgotten, (1, 1))
    await git.bundle(remote, [base])
    assert not forgotten.exists()
    assert recent.exists()


async def test_a_busy_ref_is_not_taken_for_a_moved_one(
    git: MirrorGit, remote: Remote, person: Work, server: Server
) -> None:
    base = await git.fetch(remote, "main")
    (server.bare / "refs/heads/orch").mkdir(parents=True)
    lock = server.bare / "refs/heads/orch/1.lock"
    lock.touch()
    with pytest.raises(errors.Transient) as caught:
        await git.push(remote, sha=base, branch="orch/1", expected=None)
    assert caught.value.reason == "PushContended"
    lock.unlink()
    await git.push(remote, sha=base, branch="orch/1", expected=None)
    assert server.sha("orch/1") == base
