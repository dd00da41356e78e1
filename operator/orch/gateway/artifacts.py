"""Artifacts on disk, named by the digest of their content: `<folder>/ab/<hex>`. Used by `shelves`.

A name never holds anything but its content: what is uploaded is written beside, hashed on the way, and renamed when it
is whole, right and on disk. A file's time of modification is when it was last stored or looked up, also across a restart:
`sweep` removes what that was too long ago for. It knows nothing of who may read what.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from orch.gateway.errors import Refusal
from orch.ports import Clock

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_CHUNK: Final = 1_000_000


def _now() -> datetime:
    return datetime.now(UTC)


class ArtifactStore:
    """`limit`: bytes of one artifact. `clock`: default the machine's."""

    def __init__(self, folder: Path, *, limit: int, clock: Clock = _now) -> None:
        self._folder = folder
        self._limit = limit
        self._clock = clock
        self._names = threading.Lock()
        """Held where a name is given, used or taken away: what is used is never removed in the same moment."""
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._partial.iterdir():  # uploads that a crash has cut
            left.unlink()

    def find(self, digest: str) -> Path | None:
        """The file of an artifact, which counts as used now; None if there is none. Raises Refusal for what is no digest."""
        path = self._path(digest)
        with self._names:
            if not path.is_file():
                return None
            with suppress(OSError):  # a disk that takes no writes loses nothing to a sweep either
                _set_time(path, self._clock())
        return path

    async def sweep(
        self, unused_since: datetime, *, forget: Callable[[Sequence[str]], Awaitable[None]]
    ) -> AsyncIterator[dict[str, int]]:
        """Remove what was neither stored nor looked up since then, a folder at a time: `forget` is told the digests that are
        to go, then they go, and what went is yielded, digest → bytes. Raises OSError. Cut short, it leaves whole artifacts;
        the next one goes on."""
        since = unused_since.timestamp()
        for shelf in await asyncio.to_thread(lambda: sorted(self._folder.glob("[0-9a-f][0-9a-f]"))):
            if unused := await asyncio.to_thread(_unused, shelf, since):
                await forget([f"sha256:{path.name}" for path in unused])
                yield await asyncio.to_thread(self._remove, unused, since)

    def _remove(self, paths: Sequence[Path], since: float) -> dict[str, int]:
        """But for what somebody has used meanwhile, and what another sweep has removed."""
        removed = {}
        for path in paths:
            with self._names, suppress(FileNotFoundError):
                found = path.stat(follow_symlinks=False)
                if found.st_mtime < since:
                    path.unlink()
                    removed[f"sha256:{path.name}"] = found.st_size
        return removed

    async def receive(self, digest: str, content: AsyncIterator[bytes], *, announced: int | None) -> Upload:
        """Take in what is said to have this digest. `announced`: its length, where the client told it.

        Raises Refusal for more bytes than the limit, and for content of another digest."""
        path = self._path(digest)
        if announced is not None and announced > self._limit:
            raise self._too_large()
        number, name = await asyncio.to_thread(self._begin)
        upload = Upload(Path(name), path, self._names, self._clock)
        try:
            with os.fdopen(number, "wb") as file:
                found, upload.size = await self._take(content, file)
            if f"sha256:{found}" != digest:
                raise Refusal(400, "the content is not that of the digest", label="digest")
        except BaseException:
            upload.discard()
            raise
        return upload

    def _begin(self) -> tuple[int, str]:
        """A new file beside the artifacts. Whoever has cleared the folder has taken the place for it as well."""
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.mkstemp(dir=self._partial)

    async def _take(self, content: AsyncIterator[bytes], file: IO[bytes]) -> tuple[str, int]:
        hashed, size, pending = hashlib.sha256(), 0, bytearray()

        def flush() -> None:
            hashed.update(pending)
            file.write(pending)
            pending.clear()

        async for chunk in content:
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            pending += chunk
            if len(pending) >= _CHUNK:
                await asyncio.to_thread(flush)

        def finish() -> None:
            flush()
            file.flush()
            os.fsync(file.fileno())

        await asyncio.to_thread(finish)
        return hashed.hexdigest(), size

    def _path(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise Refusal(400, "an artifact is named `sha256:` and 64 hex digits in lower case", label="digest")
        return self._folder / match[1][:2] / match[1]

    def _too_large(self) -> Refusal:
        return Refusal(413, f"an artifact has at most {self._limit} bytes", label="size")


class Upload:
    """Content that has arrived and is right, but does not yet stand under its name."""

    def __init__(self, partial: Path, path: Path, names: threading.Lock, clock: Clock) -> None:
        self._partial = partial
        self._path = path
        self._names = names
        self._clock = clock
        self.size = 0

    def keep(self) -> bool:
        """Give it its name, durably; False if it was there already."""
        _set_time(self._partial, self._clock())
        self._path.parent.mkdir(exist_ok=True, mode=0o700)
        with self._names:
            is_new = not self._path.exists()
            self._partial.replace(self._path)
        _sync(self._path.parent)
        _sync(self._path.parent.parent)
        return is_new

    def discard(self) -> None:
        """Drop it."""
        with suppress(FileNotFoundError):
            self._partial.unlink()


def _unused(shelf: Path, since: float) -> list[Path]:
    """The files that were last used before then."""
    found = []
    for path in shelf.iterdir():
        with suppress(FileNotFoundError):  # another sweep was faster
            if path.stat(follow_symlinks=False).st_mtime < since:
                found.append(path)
    return found


def _set_time(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
