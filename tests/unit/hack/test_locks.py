"""One at a time, whatever becomes of the holder."""

import subprocess
import sys
from pathlib import Path

from hack.locks import exclusive, is_held

ROOT = Path(__file__).resolve().parents[3]
_HOLDER = "import sys; from pathlib import Path; from hack.locks import exclusive\n" + (
    "with exclusive(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def _start_holder(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_lock_is_free_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with _start_holder(path) as holder:
        assert is_held(path)
        holder.kill()
    assert not is_held(path)


def test_who_has_to_wait_is_told_once(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", []
    with _start_holder(path) as holder:

        def let_go() -> None:
            told.append("waiting")
            holder.communicate()

        with exclusive(path, waiting=let_go):
            assert told == ["waiting"]


def test_who_waited_for_a_lock_that_was_deleted_takes_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with _start_holder(path) as holder:

        def delete_and_let_go() -> None:
            path.unlink()
            holder.communicate()

        with exclusive(path, waiting=delete_and_let_go):
            assert is_held(path)


def test_no_file_is_no_holder(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")
    assert not (tmp_path / "none").exists()
