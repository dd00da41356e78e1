"""Artifacts on disk, named by the digest of their content: `<folder>/ab/<hex>`. Used by `shelves`.

A name never holds anything but its content: what is uploaded is written beside, hashed on the way, and renamed when it
is whole, right and on disk. It knows nothing of who may read what.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from orch.gateway.errors import Refusal

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_CHUNK: Final = 1_000_000


class ArtifactStore:
    """`limit`: bytes of one artifact."""

    def __init__(self, folder: Path, *, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._partial.iterdir():  # uploads that a crash has cut
            left.unlink()

    def find(self, digest: str) -> Path | None:
        """The file of an artifact, None if there is none. Raises Refusal for what is no digest."""
        path = self._path(digest)
        return path if path.is_file() else None

    async def receive(self, digest: str, content: AsyncIterator[bytes], *, announced: int | None) -> Upload:
        """Take in what is said to have this digest. `announced`: its length, where the client told it.

        Raises Refusal for more bytes than the limit, and for content of another digest."""
        path = self._path(digest)
        if announced is not None and announced > self._limit:
            raise self._too_large()
        number, name = await asyncio.to_thread(tempfile.mkstemp, dir=self._partial)
        upload = Upload(Path(name), path, 0)
        try:
            with os.fdopen(number, "wb") as file:
                found, upload.size = await self._take(content, file)
            if f"sha256:{found}" != digest:
                raise Refusal(400, "the content is not that of the digest", label="digest")
        except BaseException:
            upload.discard()
            raise
        return upload

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

    def __init__(self, partial: Path, path: Path, size: int) -> None:
        self._partial = partial
        self._path = path
        self.size = size

    def keep(self) -> bool:
        """Give it its name, durably; False if it was there already."""
        is_new = not self._path.exists()
        self._path.parent.mkdir(exist_ok=True, mode=0o700)
        self._partial.replace(self._path)
        _sync(self._path.parent)
        _sync(self._path.parent.parent)
        return is_new

    def discard(self) -> None:
        """Drop it."""
        with suppress(FileNotFoundError):
            self._partial.unlink()


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
