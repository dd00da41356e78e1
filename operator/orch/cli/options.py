"""The options that all verbs share, as kubectl spells them, and the two ways a verb ends badly.

Used by every verb; asks nothing of a server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from orch.cli import completion

ANSWER_IS_NO: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130


class Failure(Exception):
    """The verb ends with one line on stderr: what, where, what to do. `code` is 1 (no, not found) or 2 (wrong use)."""

    def __init__(self, message: str, *, code: int = ANSWER_IS_NO) -> None:
        super().__init__(message)
        self.code = code


class Format(StrEnum):
    """What `-o` takes."""

    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Form(StrEnum):
    """What `-o` takes where one object is made or changed: there is no table of it."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True)
class Place:
    """Where a verb works and as whom: the values of the options that lead to a cluster."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Which:
    """The repositories that a verb is about: one, those with these labels, or all; of one namespace or of all."""

    repo: str | None = None
    labels: str | None = None
    everywhere: bool = False

    @property
    def are_chosen(self) -> bool:
        """Whether some are left out."""
        return self.repo is not None or self.labels is not None

    def where(self, namespace: str) -> str | None:
        """The namespace to list; None for all."""
        return None if self.everywhere else namespace


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="Namespace; default: that of the kubeconfig's context.",
        autocompletion=completion.namespaces,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        help="Context of the kubeconfig; default: its current one.",
        autocompletion=completion.contexts,
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Kubeconfig file; default: $KUBECONFIG, else ~/.kube/config.",
        autocompletion=completion.files,
    ),
]
AsUser = Annotated[
    str | None, typer.Option("--as", help="Act as this user; needs the verb impersonate.", metavar="USER")
]
AsGroups = Annotated[
    list[str] | None, typer.Option("--as-group", help="A group of that user; may be given again.", metavar="GROUP")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in all namespaces.")]
Labels = Annotated[str | None, typer.Option("--selector", "-l", help="Only objects with these labels, e.g. team=web.")]
Output = Annotated[
    Format | None, typer.Option("--output", "-o", help="Form: wide, json, yaml or name; default: a table.")
]
Changed = Annotated[
    Form | None, typer.Option("--output", "-o", help="Print the object: json, yaml or name; default: a sentence.")
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on, and print each line that changes.")]
Gateway = Annotated[
    str,
    typer.Option(
        "--gateway",
        envvar="ORCH_GATEWAY_URL",
        help="Address of the gateway: on this machine, e.g. its port forwarded to here, or https.",
        show_default=True,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to go on.")]
OperatorNamespace = Annotated[
    str,
    typer.Option(
        "--operator-namespace", envvar="ORCH_OPERATOR_NAMESPACE", help="Namespace of the operator.", show_default=True
    ),
]
