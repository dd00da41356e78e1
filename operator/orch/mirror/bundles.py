"""Bundles: history that goes to a work step, and the commit that comes back, which is hostile.

Called by `orch.mirror.child`. A bundle (gitformat-bundle) is a short text header and a pack. We write and read the
header ourselves and give git the pack only: `git bundle` would create refs, and git 2.39 does not fsck what it
unbundles. The pack is indexed in a quarantine beside the mirror, as git-receive-pack does, and joins the mirror only
after fsck, limits and connectivity are fine.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from orch.errors import Terminal
from orch.mirror.confinement import confined
from orch.mirror.environment import HISTORIC_FLAWS
from orch.mirror.git import Git, GitFailed, last_line
from orch.mirror.remotes import need
from orch.mirror.store import Mirror, checked_sha, write_ref

MAX_BYTES = 200_000_000
MAX_OBJECTS = 200_000
FORGOTTEN_SECONDS = 24 * 3600

_SIGNATURES = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_MAX_HEADER = 1_000_000


def bundle(mirror: Mirror, args: dict[str, Any]) -> None:
    """Write the history of `shas` to the new file `path`. Its refs are `refs/orch/<sha>`; `HEAD` is the first."""
    shas = [checked_sha(sha) for sha in args["shas"]]
    need(mirror, shas)
    refs = [f"{shas[0]} HEAD", *(f"{sha} refs/orch/{sha}" for sha in dict.fromkeys(shas))]
    path = Path(args["path"])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _drop_forgotten(path.parent)
    with path.open("xb") as file:
        file.write("\n".join(("# v2 git bundle", *refs, "", "")).encode())
        file.flush()
        wanted = "".join(f"{sha}\n" for sha in shas).encode()
        options = ("--quiet", "--stdout", "--revs", "--delta-base-offset", "--threads=1")
        mirror.git.run("pack-objects", *options, stdin=wanted, stdout=file)


def _drop_forgotten(folder: Path) -> None:
    """Bundles whose caller died before it could delete them."""
    for file in folder.glob("*.bundle"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - FORGOTTEN_SECONDS:
                file.unlink()


def import_bundle(mirror: Mirror, args: dict[str, Any]) -> None:
    """Bring `sha` out of the bundle at `path` into the mirror. Raises Terminal `UnreadableBundle`; imported: no-op."""
    sha, path = checked_sha(args["sha"]), Path(args["path"])
    if not mirror.has(sha):
        _refuse(path.stat().st_size > args["max_bytes"], f"is larger than {args['max_bytes']} bytes")
        with path.open("rb") as file:
            prerequisites = _read_header(file, sha)
            need(mirror, prerequisites)
            _check_count(file, args["max_objects"])
            with mirror.scratch() as quarantine:
                _index(mirror, quarantine, file, sha, args["max_bytes"])
    write_ref(mirror, "imports", sha)


def _read_header(file: IO[bytes], sha: str) -> list[str]:
    """The commits that the pack builds on; the file then stands at the pack."""
    _refuse(file.readline(64) not in _SIGNATURES, "is no git bundle")
    prerequisites: list[str] = []
    heads: list[str] = []
    while (line := file.readline(4096)) != b"\n":
        _refuse(not line.endswith(b"\n") or file.tell() > _MAX_HEADER, "has a broken header")
        text = line.decode(errors="replace").rstrip("\n")
        if text.startswith("@"):
            _refuse(text != "@object-format=sha1", f"needs {text[:80]!r}, which is not supported")
        elif text.startswith("-"):
            prerequisites.append(text[1:].split(" ")[0])
        else:
            heads.append(text.split(" ")[0])
    _refuse(sha not in heads, f"does not hold commit {sha[:12]}")
    _refuse(len(prerequisites) > 1000, "builds on more than 1000 commits")
    return prerequisites


def _check_count(file: IO[bytes], limit: int) -> None:
    """gitformat-pack: `PACK`, version, number of objects, four bytes each. index-pack holds the pack to the number."""
    start = file.tell()
    head = file.read(12)
    _refuse(len(head) < 12 or not head.startswith(b"PACK"), "holds no pack")
    _refuse(int.from_bytes(head[8:12], "big") > limit, f"holds more than {limit} objects")
    file.seek(start)
    os.lseek(file.fileno(), start, os.SEEK_SET)  # git reads the descriptor, not our buffer


def _index(mirror: Mirror, quarantine: Path, file: IO[bytes], sha: str, limit: int) -> None:
    """Index the pack in the quarantine, check it, and move it into the mirror."""
    packs = quarantine / "pack"
    packs.mkdir()
    apart = {"GIT_OBJECT_DIRECTORY": str(quarantine), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror.path / "objects")}
    strict = "--strict=" + ",".join(f"{flaw.lower()}=ignore" for flaw in HISTORIC_FLAWS)
    git = Git(mirror.path)
    try:
        with confined(limit):
            git.run("index-pack", "--stdin", "--fix-thin", strict, f"--max-input-size={limit}", stdin=file, env=apart)
            git.run("rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}", env=apart)
            git.run("rev-list", "--objects", "--quiet", sha, "--not", "--all", env=apart)
    except GitFailed as err:
        raise Terminal("UnreadableBundle", f"the work step's bundle is refused: {last_line(err.stderr)}") from err
    for suffix in (".pack", ".idx"):  # the index last: without it a pack is not there
        for part in packs.glob(f"*{suffix}"):
            shutil.move(part, mirror.path / "objects" / "pack" / part.name)


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise Terminal("UnreadableBundle", f"the work step's bundle {why}")
