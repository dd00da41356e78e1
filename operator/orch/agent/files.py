"""The file tools: list, search, view, edit, write, delete, all beneath the checkout.

Called by `toolserver`, in the sandbox that holds the checkout, so a symlink leads at most to what that sandbox sees; paths
outside the checkout and inside `.git` are refused all the same. A refusal is a `ToolError`, whose text the model reads.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Final

MOST_ENTRIES: Final = 1_000
MOST_LINES: Final = 2_000
MOST_TEXT: Final = 30_000
"""Characters that one answer holds at most."""
MOST_MATCHES: Final = 200
MOST_LINE: Final = 400
MOST_OUTPUT: Final = 1_000_000
BIGGEST_FILE: Final = 10_000_000
SEARCH_SECONDS: Final = 30
_HIDDEN: Final = frozenset(
    {".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", ".venv", ".tox"}
)


class ToolError(Exception):
    """What a tool could not do and why: goes back to the model, which can do better."""


class Files:
    """The tools on one checkout. `written`: the paths that the tools have changed, relative to the root."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.written: set[str] = set()

    def locate(self, path: str) -> Path:
        """The real place of a path of the checkout. Raises ToolError for one outside it or inside `.git`."""
        if "\0" in path:
            raise ToolError("a path cannot hold a NUL character")
        try:
            place = Path(os.path.realpath(self.root / path.strip()))
        except OSError as err:
            raise ToolError(f"{path[:200]}: {err.strerror}") from err
        if not place.is_relative_to(self.root):
            raise ToolError(f"{path[:200]} is outside the checkout: use paths relative to its root")
        if any(part.lower() == ".git" for part in place.relative_to(self.root).parts):
            raise ToolError(f"{path[:200]}: .git is off limits")
        return place

    def list_folder(self, path: str = ".", depth: int = 2) -> str:
        """Files and folders (with a trailing /) down to `depth` levels."""
        top = self.locate(path)
        if not top.is_dir():
            raise ToolError(f"{path} is no folder")
        lines: list[str] = []
        self._walk(top, max(1, min(depth, 10)), lines)
        if len(lines) > MOST_ENTRIES:
            lines[MOST_ENTRIES:] = [f"… more than {MOST_ENTRIES} entries: list a folder further down"]
        return "\n".join(lines) or "(empty)"

    def _walk(self, folder: Path, depth: int, lines: list[str]) -> None:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name in _HIDDEN or len(lines) > MOST_ENTRIES:
                continue
            is_dir = entry.is_dir(follow_symlinks=False)
            lines.append(os.path.relpath(entry.path, self.root) + ("/" if is_dir else ""))
            if is_dir and depth > 1:
                self._walk(Path(entry.path), depth - 1, lines)

    def search(self, pattern: str, path: str = ".", glob: str = "") -> str:
        """Lines that match an extended regular expression, as `path:line: text`."""
        place = os.path.relpath(self.locate(path), self.root)
        hidden = [f"--exclude-dir={name}" for name in sorted(_HIDDEN)]
        include = [f"--include={glob}"] if glob else []
        command = ["grep", "-rnIE", *hidden, *include, "-m", str(MOST_MATCHES), "-e", pattern, "--", place]
        lines = [line.removeprefix("./")[:MOST_LINE] for line in _output(command, self.root).splitlines()]
        more = [f"… {len(lines) - MOST_MATCHES} more matches"] if len(lines) > MOST_MATCHES else []
        return "\n".join(lines[:MOST_MATCHES] + more)[:MOST_TEXT] or "no match"

    def view(self, path: str, start: int = 1, end: int = 0) -> str:
        """The file's lines `start` to `end` (0: as many as fit), with their numbers."""
        lines = self._text(path).splitlines()
        first = max(1, start)
        last = min(end if end > 0 else len(lines), len(lines), first + MOST_LINES - 1)
        if first > max(1, len(lines)):
            raise ToolError(f"{path} has {len(lines)} lines")
        shown: list[str] = []
        size = 0
        for number in range(first, last + 1):
            line = f"{number:6}\t{lines[number - 1][:2_000]}"
            size += len(line) + 1
            if size > MOST_TEXT:
                break
            shown.append(line)
        left = len(lines) - (first + len(shown) - 1)
        if left > 0:
            shown.append(f"… {left} more lines of {len(lines)}: view them with start={first + len(shown)}")
        return "\n".join(shown) or "(empty file)"

    def edit(self, path: str, old: str, new: str) -> str:
        """Replace `old`, which must occur exactly once, by `new`."""
        text = self._text(path)
        if not old:
            raise ToolError("old is empty: use write for a new file")
        if "\r\n" in text and "\r\n" not in old:  # a file with DOS line ends keeps them
            old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
        count = text.count(old)
        if count != 1:
            advice = "view the file and copy the text exactly" if count == 0 else "give more of the lines around it"
            raise ToolError(f"old occurs {count} times in {path}, not once: {advice}")
        self._put(path, text.replace(old, new))
        return f"edited {path}"

    def write(self, path: str, content: str) -> str:
        """Create or replace a file; folders on the way are made."""
        if len(content) > BIGGEST_FILE:
            raise ToolError(f"the content is longer than {BIGGEST_FILE} characters")
        self._put(path, content)
        return f"wrote {path}"

    def delete(self, path: str) -> str:
        """Delete one file."""
        name = Path(path).name  # the entry itself, not what a link leads to
        if name.lower() in ("", "..", ".git"):
            raise ToolError(f"{path[:200]} cannot be deleted")
        place = self.locate(str(Path(path).parent)) / name
        try:
            place.unlink()
        except OSError as err:
            raise ToolError(f"{path}: {err.strerror}") from err
        self.written.discard(os.path.relpath(place, self.root))
        return f"deleted {path}"

    def read_capped(self, path: str, limit: int) -> str | None:
        """The first `limit` bytes of a text file at the root, None if there is none. Never follows a link out."""
        try:
            place = self.locate(path)
            with place.open("rb") as file:
                return file.read(limit).decode(errors="replace")
        except (ToolError, OSError):
            return None

    def _text(self, path: str) -> str:
        place = self.locate(path)
        try:
            if not place.is_file():
                raise ToolError(f"{path} is {'a folder' if place.is_dir() else 'not there'}")
            if place.stat().st_size > BIGGEST_FILE:
                raise ToolError(f"{path} is larger than {BIGGEST_FILE} bytes")
            data = place.read_bytes()
        except OSError as err:
            raise ToolError(f"{path}: {err.strerror}") from err
        if b"\0" in data[:8_000]:
            raise ToolError(f"{path} is a binary file")
        try:
            return data.decode()
        except UnicodeDecodeError as err:
            raise ToolError(f"{path} is not UTF-8: change it with a command") from err

    def _put(self, path: str, content: str) -> None:
        place = self.locate(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode(errors="replace"))
        except OSError as err:
            raise ToolError(f"{path}: {err.strerror}") from err
        self.written.add(os.path.relpath(place, self.root))


def _output(command: list[str], folder: Path) -> str:
    """The first MOST_OUTPUT bytes that a search prints."""
    if any("\0" in word for word in command):
        raise ToolError("a search cannot hold a NUL character")
    with (
        os.fdopen(os.memfd_create("errors"), "w+b") as errors,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        timer = threading.Timer(SEARCH_SECONDS, process.kill)
        timer.start()
        try:
            data = process.stdout.read(MOST_OUTPUT) if process.stdout else b""
            if len(data) == MOST_OUTPUT:
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
        if not data and code < 0:
            raise ToolError(f"the search took longer than {SEARCH_SECONDS} s: search a smaller folder")
        if not data and code > 1:
            errors.seek(0)
            raise ToolError(f"the search failed: {errors.read(300).decode(errors='replace').strip()}")
    return data.decode(errors="replace")
