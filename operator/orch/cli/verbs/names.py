"""Arguments that name an object, with their completion. Used by the modules of this room."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli import completion

Repo = Annotated[
    str, typer.Argument(help="An OrchestratedRepo, by name or owner/name.", autocompletion=completion.repositories)
]
AnyRepo = Annotated[
    str | None,
    typer.Argument(help="Only this OrchestratedRepo, by name or owner/name.", autocompletion=completion.repositories),
]
Run = Annotated[str, typer.Argument(help="An IssueRun.", autocompletion=completion.runs)]
Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="REPO|RUN...", help="OrchestratedRepos or IssueRuns.", autocompletion=completion.targets),
]
Questions = Annotated[
    list[str], typer.Argument(metavar="APPROVAL...", help="Approvals.", autocompletion=completion.questions)
]
Question = Annotated[str, typer.Argument(metavar="APPROVAL", help="An Approval.", autocompletion=completion.approvals)]
