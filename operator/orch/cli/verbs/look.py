"""The verbs that only look: status, explain, plan, diff, logs, transcript, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orch.cli import completion
from orch.cli.options import AllNamespaces, Gateway, Labels, Output, Place, Watch, Which
from orch.cli.verbs.declare import online
from orch.cli.verbs.names import AnyRepo, Run

_Step = Annotated[
    str | None,
    typer.Argument(
        help="One of its work steps, e.g. implement-1; default: the newest.", autocompletion=completion.steps
    ),
]
_TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File with the token to show, where the kubeconfig holds none.",
        metavar="FILE",
        autocompletion=completion.files,
    ),
]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the step has ended.")]
_HERE = "http://127.0.0.1:8443"


def add(app: typer.Typer) -> None:
    """Declare them on the app."""

    @online(app, "status")
    def status(
        place: Place,
        repo: AnyRepo = None,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        output: Output = None,
        watch: Watch = False,
    ) -> int:
        """Each repository on one line: mode, state, runs, pull requests, cost, quota, approvals.

        Example: kubectl orch status -A -w
        """
        from orch.cli import status as verb

        return verb.status(place, verb.Wish(Which(repo, selector, all_namespaces), output, watch))

    @online(app, "explain")
    def explain(
        place: Place,
        target: Annotated[
            str,
            typer.Argument(
                metavar="RUN|REPO|owner/name#N", help="A run, or whose issue.", autocompletion=completion.targets
            ),
        ],
        issue: Annotated[int | None, typer.Option("--issue", help="The issue's number, unless it is named.")] = None,
        output: Output = None,
        watch: Watch = False,
    ) -> int:
        """Why is it not moving? Each gate with its verdict, since when, and who or what it waits for.

        Example: kubectl orch explain acme/web#12
        """
        from orch.cli.explain import verb

        return verb.explain(place, target, issue, output, watch=watch)

    @online(app, "plan")
    def plan(
        place: Place,
        run: Run,
        raw: Annotated[bool, typer.Option("--json", help="Print the document as it was kept.")] = False,
    ) -> int:
        """What a run is going to do, in the model's words: untrusted text, with control characters as escapes.

        Example: kubectl orch plan web-12-1
        """
        from orch.cli import artifacts

        return artifacts.plan(place, run, raw)

    @online(app, "diff")
    def diff(place: Place, run: Run) -> int:
        """The newest change of a run against its base branch, as orch's own mirror has it.

        Example: kubectl orch diff web-12-1
        """
        from orch.cli import artifacts

        return artifacts.diff(place, run)

    @online(app, "logs")
    def logs(
        place: Place,
        run: Run,
        step: _Step = None,
        follow: _Follow = False,
        gateway: Gateway = _HERE,
        token_file: _TokenFile = None,
    ) -> int:
        """The commands and tools that a work step has run, and what they printed; needs `get` on issueruns/log.

        The gateway keeps it, and is shown your cluster token. Where it does not run on this machine, forward its port to here
        (kubectl port-forward, ssh -L). A step tells what it does within a second, so one that is at work or has died is there as
        far as it came. Untrusted text: each line stands behind a bar, control characters are escapes.

        Example: kubectl orch logs web-12-1 implement-1 --follow
        """
        from orch.cli import transcripts

        return transcripts.logs(place, transcripts.Wish(run, step, gateway, token_file, follow))

    @online(app, "transcript")
    def transcript(
        place: Place,
        run: Run,
        step: _Step = None,
        follow: _Follow = False,
        gateway: Gateway = _HERE,
        token_file: _TokenFile = None,
        raw: Annotated[bool, typer.Option("--json", help="One JSON object a line, as it was recorded.")] = False,
    ) -> int:
        """All that a work step was told, said and did: `logs` with the prompts and the model's words between.

        Kept, reached and shown as `logs` is.

        Example: kubectl orch transcript web-12-1 plan-1 --json
        """
        from orch.cli import transcripts

        return transcripts.transcript(place, transcripts.Wish(run, step, gateway, token_file, follow), raw)

    @online(app, "audit")
    def audit(
        place: Place,
        repo: AnyRepo = None,
        since: Annotated[str, typer.Option("--since", help="How far back, e.g. 90m or 24h.")] = "24h",
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        output: Output = None,
    ) -> int:
        """Who asked for what, who decided, and what orch did: from the objects that are there, and their Events.

        Deleted objects tell nothing here: the operator's audit lines are the whole record.

        Example: kubectl orch audit web --since 90m
        """
        from orch.cli import audit as verb

        return verb.audit(place, verb.Wish(Which(repo, selector, all_namespaces), since, output))
