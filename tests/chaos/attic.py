"""The gateway's data folder from outside: what lies there for long, and what steps have told and handed in."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from tests.e2e.desk import Desk, Run


class Attic:
    """One gateway's. `forgotten`: artifacts that nobody has used since 1970."""

    def __init__(self, desk: Desk) -> None:
        self._folder = desk.world.folder / "gateway"
        self.forgotten: list[Path] = []

    def forget_one(self) -> None:
        """Leave an artifact there that is older than any retention."""
        data = secrets.token_bytes(16)
        path = self._artifact(f"sha256:{hashlib.sha256(data).hexdigest()}")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1, 1))
        self.forgotten.append(path)

    def is_swept(self) -> bool:
        """Whether nothing of that is left."""
        return not any(path.exists() for path in self.forgotten)

    def record(self, run: Run, step: dict[str, Any]) -> bytes:
        """What a step has told while it worked."""
        name = hashlib.sha256(f"{run.status['identity']}/{step['name']}".encode()).hexdigest()
        path = self._folder / "records" / name
        return path.read_bytes() if path.exists() else b""

    def transcript(self, step: dict[str, Any]) -> bytes:
        """What a step has handed in at its end."""
        report = json.loads(self._artifact(step["outputDigest"]).read_bytes())
        return self._artifact(report["transcript"]).read_bytes()

    def _artifact(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self._folder / "artifacts" / name[:2] / name
