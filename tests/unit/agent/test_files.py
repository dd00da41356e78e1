"""The file tools: nothing outside the checkout, no `.git`, exact edits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orch.agent.files import Files, ToolError


@pytest.fixture
def files(tmp_path: Path) -> Files:
    root = tmp_path / "root"
    (root / ".git").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text("one\ntwo\nthree\n")
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    (root / "binary").write_bytes(b"\0\1")
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "inside").symlink_to("src/a.py")
    return Files(root)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "out", "up/secret", "src/../../secret", ".git/config", ".GIT/config", "a\0b"]
)
def test_outside_is_refused(files: Files, path: str) -> None:
    acts: list[Callable[[], str]] = [
        lambda: files.view(path),
        lambda: files.write(path, "x"),
        lambda: files.edit(path, "s", "x"),
        lambda: files.search("s", path),
    ]
    for act in acts:
        with pytest.raises(ToolError):
            act()
    assert (files.root.parent / "secret").read_text() == "secret"


@pytest.mark.parametrize("path", ["../secret", ".git", "..", "", "up/secret"])
def test_deleting_outside_is_refused(files: Files, path: str) -> None:
    with pytest.raises(ToolError):
        files.delete(path)
    assert (files.root.parent / "secret").exists()


def test_deleting_a_link_leaves_its_target(files: Files) -> None:
    files.delete("out")
    assert (files.root.parent / "secret").exists()
    assert not (files.root / "out").is_symlink()


def test_view_numbers_lines(files: Files) -> None:
    assert files.view("src/a.py", 2, 2) == "     2\ttwo\n… 1 more lines of 3: view them with start=3"
    assert "three" in files.view("inside")


def test_view_is_cut(files: Files) -> None:
    files.write("big.txt", "x" * 1_000 + "\n" + "line\n" * 50_000)
    assert len(files.view("big.txt")) < 31_000
    with pytest.raises(ToolError, match="50001 lines"):
        files.view("big.txt", 60_000)


@pytest.mark.parametrize(("path", "message"), [("binary", "binary"), ("src", "folder"), ("none", "not there")])
def test_what_cannot_be_viewed(files: Files, path: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        files.view(path)


def test_edit_is_exact_and_unique(files: Files) -> None:
    files.edit("src/a.py", "two\n", "2\n")
    assert (files.root / "src/a.py").read_text() == "one\n2\nthree\n"
    for old, message in (("nope", "0 times"), ("e", "3 times"), ("", "empty")):
        with pytest.raises(ToolError, match=message):
            files.edit("src/a.py", old, "x")
    assert files.written == {"src/a.py"}


def test_edit_keeps_dos_line_ends(files: Files) -> None:
    files.edit("dos.txt", "one\ntwo", "1\n2")
    assert (files.root / "dos.txt").read_bytes() == b"1\r\n2\r\n"


def test_write_makes_folders_and_search_finds(files: Files) -> None:
    files.write("new/deep/b.py", "needle here\n")
    assert files.search("need+le", glob="*.py") == "new/deep/b.py:1:needle here"
    assert files.search("absent") == "no match"
    assert files.search("-e") == "no match"
    with pytest.raises(ToolError, match="search failed"):
        files.search("(")


def test_search_is_capped(files: Files) -> None:
    files.write("many.txt", "needle " * 100 + "\n" + "needle\n" * 5_000)
    found = files.search("needle")
    assert len(found) <= 30_000
    assert max(map(len, found.splitlines())) <= 400


def test_list_hides_git_and_marks_folders(files: Files) -> None:
    assert files.list_folder().splitlines() == ["binary", "dos.txt", "inside", "out", "src/", "src/a.py", "up"]
    assert files.list_folder("src") == "src/a.py"
