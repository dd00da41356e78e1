"""The environment in which tests call git: nobody's settings but those of `tests/gitconfig`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SETTINGS: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("gitconfig")),
    "GIT_TERMINAL_PROMPT": "0",
}


def git_env(name: str = "Alice", *, date: str = "") -> dict[str, str]:
    """Of somebody without a home, who commits under this name, at `date` if it is given."""
    mine = {"NAME": name, "EMAIL": f"{name.lower()}@example.com"} | ({"DATE": date} if date else {})
    person = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in mine.items()}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C", **SETTINGS, **person}
