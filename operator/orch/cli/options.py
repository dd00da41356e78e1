"""The options that all verbs share, and the two ways a verb ends badly. Used by every verb; asks nothing of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

ANSWER_IS_NO: Final = 1
WRONG_USE: Final = 2


Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; default: that of the kubeconfig's context.")
]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig; default: its current one.")]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Kubeconfig file; default: $KUBECONFIG, else ~/.kube/config.")
]


class Failure(Exception):
    """The verb ends with one line on stderr: what, where, what to do. `code` is 1 (no, not found) or 2 (wrong use)."""

    def __init__(self, message: str, *, code: int = ANSWER_IS_NO) -> None:
        super().__init__(message)
        self.code = code
