"""The verbs around approvals: inbox, approvals list, approvals view, approve, deny, ask-again."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli.options import AllNamespaces, Changed, Labels, Output, Place, Watch, Yes
from orch.cli.verbs.declare import QUICK, online
from orch.cli.verbs.names import Question, Questions, Run

_LONGEST = 1000


def add(app: typer.Typer) -> None:
    """Declare them on the app."""

    @online(app, "inbox")
    def inbox(
        place: Place,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        output: Output = None,
        watch: Watch = False,
    ) -> int:
        """What waits for me: open approvals that I may decide, by my rights and by their rules, and have not decided.

        Example: kubectl orch inbox -A -w
        """
        from orch.cli import inbox as verb

        return verb.approvals(place, verb.Wish(True, False, selector, all_namespaces, output, watch))

    approvals = typer.Typer(help="Look at the questions to people.", no_args_is_help=True, context_settings=QUICK)
    app.add_typer(approvals, name="approvals")
    _looking(approvals)

    @online(app, "approve")
    def approve(
        place: Place, names: Questions, comment: _Comment = None, yes: Yes = False, output: Changed = None
    ) -> int:
        """Show what is asked, ask whether to go on, and approve it as yourself; needs the verb approve.

        Your user name, your groups and the digest of what you were shown are sent along. What moved meanwhile is refused.
        Exit code 0: every answer was taken; 1: one was not, or the operator does not count it.

        Example: kubectl orch approve web-12-1-merge-1f2e3d4c5b --comment "as planned"
        """
        from orch.api.v1alpha1 import Verdict
        from orch.cli import deciding

        return deciding.decide(place, names, deciding.Wish(Verdict.APPROVE, comment, yes, output))

    @online(app, "deny")
    def deny(
        place: Place,
        names: Questions,
        reason: Annotated[str, typer.Option("--reason", help="Why; it is told on the issue.", callback=_short)],
        yes: Yes = False,
        output: Changed = None,
    ) -> int:
        """Deny as yourself. One denial denies, and the run ends; needs the verb approve.

        Exit code 0: every answer was taken; 1: one was not, or the operator does not count it.

        Example: kubectl orch deny web-12-1-merge-1f2e3d4c5b --reason "not on a Friday"
        """
        from orch.api.v1alpha1 import Verdict
        from orch.cli import deciding

        return deciding.decide(place, names, deciding.Wish(Verdict.DENY, reason, yes, output))

    @online(app, "ask-again")
    def ask_again(place: Place, run: Run, output: Changed = None) -> int:
        """Have a run ask anew what is open or has expired: an open Approval is immutable, so a new one takes its place.

        What somebody has answered is not asked again, unless they withdraw. Needs the verb delete on approvals.

        Example: kubectl orch ask-again web-12-1
        """
        from orch.cli import deciding

        return deciding.ask_again(place, run, output)


def _short(text: str | None) -> str | None:
    if text is not None and len(text) > _LONGEST:
        raise typer.BadParameter(f"at most {_LONGEST} characters, not {len(text)}")
    return text


_Comment = Annotated[str | None, typer.Option("--comment", help="Why; it is kept with the decision.", callback=_short)]


def _looking(group: typer.Typer) -> None:
    @online(group, "list")
    def list_(
        place: Place,
        all_: Annotated[bool, typer.Option("--all", help="Those that are decided too.")] = False,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        output: Output = None,
        watch: Watch = False,
    ) -> int:
        """The questions that are open: gate, risk, what they lack, how long they stay open.

        Example: kubectl orch approvals list --all -o wide
        """
        from orch.cli import inbox as verb

        return verb.approvals(place, verb.Wish(False, all_, selector, all_namespaces, output, watch))

    @online(group, "view")
    def view(place: Place, name: Question, output: Output = None) -> int:
        """All that one needs to decide: facts from code, then the model's words, marked as such.

        Example: kubectl orch approvals view web-12-1-merge-1f2e3d4c5b
        """
        from orch.cli import inbox as verb

        return verb.show_one(place, name, output)
