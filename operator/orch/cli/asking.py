"""The question before something is done that a person has to mean. Called by the verbs that show first what they are about."""

from __future__ import annotations

import typer

from orch.cli.options import WRONG_USE, Failure, Form


def confirm(question: str, *, sure: bool, output: Form | None, declined: str) -> None:
    """Ask whether to go on, unless they said that they are sure. Raises Failure, `declined` being what then was not done."""
    if sure:
        return
    if not typer.get_text_stream("stdin").isatty():
        raise Failure("nobody is there to ask: say --yes", code=WRONG_USE)
    if not typer.confirm(question, err=output is not None):
        raise Failure(declined)
