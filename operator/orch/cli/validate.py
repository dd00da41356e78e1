"""`validate`: what admission would say to files, with line numbers; offline, and by a server's dry run on request.

Called by `orch.cli.app`. It changes nothing anywhere.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from orch.api.v1alpha1 import GROUP, KINDS
from orch.api.validate import Problem
from orch.api.validate import validate as problems_of
from orch.cli.documents import Document, documents
from orch.cli.options import WRONG_USE, Failure, Place
from orch.policy.text import one_line

_LARGEST: Final = 3 * 1024 * 1024
"""Bytes of a file: what the API server takes in one request."""


@dataclass(frozen=True)
class _Verdict:
    source: str
    document: Document
    problems: list[Problem]


def validate(files: list[str], server: Place | None) -> int:
    """0 when nothing is wrong, else 1. Raises Failure for a file that cannot be read."""
    verdicts: list[_Verdict] = []
    unreadable = 0
    for source in files:
        try:
            found = documents(_read(source))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or "cannot be read"
            _print(source, mark.line + 1 if mark else 1, f"no YAML: {what}")
            unreadable += 1
            continue
        if not found:
            _print(source, 1, "holds no document")
            unreadable += 1
        verdicts += [_Verdict(source, doc, [*doc.problems, *problems_of(doc.value)]) for doc in found]
    if server is not None:
        verdicts = _ask_server(verdicts, server)
    for verdict in verdicts:
        _report(verdict)
    return 1 if unreadable or any(verdict.problems for verdict in verdicts) else 0


def _read(source: str) -> str:
    try:
        content = sys.stdin.buffer.read(_LARGEST + 1) if source == "-" else Path(source).read_bytes()
        if len(content) > _LARGEST:
            raise Failure(f"{source}: larger than {_LARGEST} bytes, which no API server takes", code=WRONG_USE)
        return content.decode()
    except OSError as error:
        raise Failure(f"cannot read {source}: {error.strerror}; name a file, or - for stdin", code=WRONG_USE) from None
    except UnicodeDecodeError:
        raise Failure(f"{source}: no UTF-8 text; save it as UTF-8", code=WRONG_USE) from None


def _report(verdict: _Verdict) -> None:
    for problem in sorted(verdict.problems, key=lambda p: verdict.document.line(p.path)):
        _print(verdict.source, verdict.document.line(problem.path), str(problem))
    if not verdict.problems:
        value = verdict.document.value
        _print(verdict.source, verdict.document.line(""), f"{value['kind']}/{_name(value)} is valid")


def _print(source: str, line: int, text: str) -> None:
    typer.echo(f"{source}:{line}: {one_line(text, 2000)}")


def _name(value: Any) -> str:
    return str(value["metadata"].get("name") or value["metadata"].get("generateName"))


def _ask_server(verdicts: list[_Verdict], place: Place) -> list[_Verdict]:
    """What passed offline goes to the server; what did not is refused there too, by the same schema."""
    from orch.cli.connection import on_cluster
    from orch.kube.client import Kube
    from orch.kube.errors import Invalid, KubeNotFound

    async def ask(kube: Kube, namespace: str) -> list[_Verdict]:
        answers = []
        for verdict in verdicts:
            if not verdict.problems:
                try:
                    await _dry_run(kube, namespace, verdict.document.value)
                except (Invalid, KubeNotFound) as refused:
                    if isinstance(refused, KubeNotFound) and refused.unserved:
                        raise
                    answers.append(_Verdict(verdict.source, verdict.document, [_server_problem(refused)]))
                    continue
            answers.append(verdict)
        return answers

    return on_cluster(ask, place)


async def _dry_run(kube: Any, namespace: str, value: dict[str, Any]) -> None:
    """Create, or replace what is there (then the rules about immutable fields speak too)."""
    from orch.kube.objects import Objects
    from orch.kube.resource import Resource

    resource = Resource.of(next(kind for kind in KINDS if value["kind"] == kind.KIND and kind.GROUP == GROUP))
    objects, metadata = Objects(kube, resource), value["metadata"]
    where = metadata.get("namespace") or namespace
    current = await objects.find(where, metadata["name"]) if metadata.get("name") else None
    if current is None:
        await objects.create(where, value, dry_run=True)
        return
    body = {**value, "metadata": {**metadata, "resourceVersion": current["metadata"]["resourceVersion"]}}
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    await kube.request("update", resource, namespace=where, name=metadata["name"], query=query, body=body)


def _server_problem(refused: Any) -> Problem:
    fields = getattr(refused, "fields", ())
    unknown = re.search(r'unknown field "([^"]+)"', refused.message)
    path = fields[0] if fields else unknown.group(1) if unknown else ""
    return Problem(path, f"the server refuses: {refused.message}")
