"""Changed paths that a git filter would rewrite on checkout or add: LFS, or any other `filter=`.

Called by `orch.mirror.trees`. What a reviewer sees of such a path is not what a checkout holds.
"""

from __future__ import annotations

from orch.mirror.blobs import contents
from orch.mirror.raw import Record
from orch.mirror.store import Mirror

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_MAX = 1024
"""Bytes; the LFS specification's own limit for a pointer file."""


def filtered(mirror: Mirror, sha: str, records: list[Record], paths: list[bytes]) -> dict[bytes, str]:
    """Path → the filter's name (`lfs`), for changed files."""
    files = [r for r in records if r.is_file]
    return _by_attribute(mirror, sha, files, paths) | dict.fromkeys(_pointers(mirror, files), "lfs")


def _by_attribute(mirror: Mirror, sha: str, files: list[Record], paths: list[bytes]) -> dict[bytes, str]:
    """By the `.gitattributes` of the new tree, read through a throw-away index."""
    if not files or not any(path.rpartition(b"/")[2] == b".gitattributes" for path in paths):
        return {}
    asked = b"".join(r.path + b"\0" for r in files)
    with mirror.scratch() as folder:
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        mirror.git.run("read-tree", sha, env=index)
        output = mirror.git.run("check-attr", "--cached", "--stdin", "-z", "filter", stdin=asked, env=index).stdout
    fields = output.split(b"\0")[:-1]
    answers = zip(fields[::3], fields[2::3], strict=True)
    return {path: value.decode(errors="replace") for path, value in answers if value not in (b"unspecified", b"unset")}


def _pointers(mirror: Mirror, files: list[Record]) -> list[bytes]:
    """Files whose content is an LFS pointer, whatever the attributes say."""
    ids = (r.new_id for r in files)
    found = contents(mirror.git, ids, at_most=_POINTER_MAX)
    pointers = {blob for blob, content in found if content.startswith(_POINTER)}
    return [r.path for r in files if r.new_id in pointers]
