"""`init`: a first OrchestratedRepo as YAML. Called by `orch.cli.app`; prints no token and asks no server."""

from __future__ import annotations

import re

import typer
import yaml

from orch.api.v1alpha1 import OrchestratedRepo
from orch.api.validate import validate
from orch.cli.options import WRONG_USE, Failure

_LONGEST_NAME = 40


def init(repository: str, name: str | None, host: str, namespace: str | None) -> int:
    """Print the object. Raises Failure when it would be refused."""
    name = name or default_name(repository)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    spec = {"repository": repository, "host": host, "credentialsRef": {"name": f"{name}-github"}, "mode": "Supervised"}
    api_version = f"{OrchestratedRepo.GROUP}/{OrchestratedRepo.VERSION}"
    found = {"apiVersion": api_version, "kind": OrchestratedRepo.KIND, "metadata": metadata, "spec": spec}
    if problems := validate(found):
        raise Failure(f"{problems[0]}: call it as `kubectl orch init owner/name`", code=WRONG_USE)
    if namespace and re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", namespace) is None:
        raise Failure(f"{namespace!r} is no namespace: use lower case letters, digits and -", code=WRONG_USE)
    where = f" -n {namespace}" if namespace else ""
    head = (
        "# The Secret with the token, made once (the token may read and write contents, issues,\n"
        "# pull requests, commit statuses and actions):\n"
        f"#   kubectl create secret generic {name}-github{where} --from-literal=token=YOUR_TOKEN\n"
        "# With --from-file=token=FILE instead, the token stays out of your shell's history.\n"
        "# All other fields have defaults: kubectl explain orepo.spec\n"
    )
    typer.echo(head + yaml.safe_dump(found, sort_keys=False), nl=False)
    return 0


def default_name(repository: str) -> str:
    """The repository's own name as an object's name: `acme/My_App` → `my-app`, at most 40 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", repository.rpartition("/")[2].lower())
    return words[:_LONGEST_NAME].strip("-") or "repository"
