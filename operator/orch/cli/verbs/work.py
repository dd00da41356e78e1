"""The verbs that set runs to work: run, retry."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli.options import Changed, Place
from orch.cli.verbs.declare import online
from orch.cli.verbs.names import Run

_Follow = Annotated[bool, typer.Option("--watch", "-w", help="Follow it; exit code 0 when merged, else 1.")]
_Budget = Annotated[str | None, typer.Option("--budget", help="US dollars at most, e.g. 2.50.")]
_Model = Annotated[str | None, typer.Option("--model", help="Model for all its work.")]
_PlanApproval = Annotated[bool, typer.Option("--plan-approval", help="Ask for approval of the plan.")]


def add(app: typer.Typer) -> None:
    """Declare them on the app."""

    @online(app, "run")
    def run(
        place: Place,
        issue: Annotated[str, typer.Argument(metavar="ISSUE", help="owner/name#123, or REPO followed by 123.")],
        number: Annotated[int | None, typer.Argument(help="The issue's number, unless ISSUE holds it.")] = None,
        watch: _Follow = False,
        budget: _Budget = None,
        model: _Model = None,
        plan_approval: _PlanApproval = False,
        output: Changed = None,
    ) -> int:
        """Have one issue processed now: create an IssueRun, one at a time for an issue.

        --budget, --model and --plan-approval only ever make policy stricter. Ctrl-C stops the watching, never the run.
        Exit code with --watch 0: it was merged; 1: it ended otherwise.

        Example: kubectl orch run acme/web#12 --budget 2.50 --watch
        """
        from orch.cli import run as verb

        return verb.run(place, issue, number, verb.Wish(budget, model, plan_approval), watch, output)

    @online(app, "retry")
    def retry(
        place: Place,
        run: Run,
        watch: _Follow = False,
        budget: _Budget = None,
        model: _Model = None,
        plan_approval: _PlanApproval = False,
        output: Changed = None,
    ) -> int:
        """Try again: create the next attempt, which is told what this one learnt.

        Without options of its own it takes over those of the run before. Exit codes are those of run.

        Example: kubectl orch retry web-12-1 --plan-approval
        """
        from orch.cli import run as verb

        return verb.retry(place, run, verb.Wish(budget, model, plan_approval), watch, output)
