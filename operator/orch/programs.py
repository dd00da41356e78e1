"""`orch PROGRAM …`: the front door of every process. Each program is imported only when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from orch.cli.lean import spare_the_client

PROGRAMS: Final = {
    "operator": ("orch.main", "the control loop: watches the custom resources and brings runs nearer to done"),
    "gateway": ("orch.gateway.main", "the one place where model money is spent; holds the model key and the artifacts"),
    "manifests": ("orch.cli.manifests", "prints admission policies and roles, for an operator of any name"),
    "agent": ("orch.agent.main", "one work step beside a stranger's code; started by the operator"),
    "standin-github": ("orch.testservers.github.server", "GitHub on loopback, for demo and tests"),
    "standin-model": ("orch.testservers.model.server", "the Messages API on loopback, answers from scripts"),
}


def main(argv: list[str] | None = None) -> int:
    """Run a program; return its exit code. 2: no such program."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(usage())
        return 0 if arguments else 2
    if arguments[0] not in PROGRAMS:
        sys.stderr.write(f"orch: there is no program {arguments[0]!r}\n{usage()}")
        return 2
    spare_the_client()
    run: Callable[[list[str]], int] = import_module(PROGRAMS[arguments[0]][0]).main
    try:
        return run(arguments[1:])
    except KeyboardInterrupt:
        return 130


def usage() -> str:
    """The list of programs."""
    lines = [f"  {name:<16}{text}" for name, (_, text) in PROGRAMS.items()]
    return "\n".join(["usage: orch PROGRAM [--help]", *lines]) + "\n"
