"""`orch manifests`: manifests/ for an operator of another name, in another namespace, or beside another one. Prints; applies nothing.

Called by the front door (`orch.programs`).
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Final

import yaml

from orch.api.manifests import Installation, manifests

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUFFIX: Final = re.compile(r"([a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?)?")


def main(argv: list[str]) -> int:
    """Print YAML for `kubectl apply -f -`. 0: done; 2: wrong arguments."""
    default = Installation()
    parser = argparse.ArgumentParser(prog="orch manifests", description="Print admission policies and roles.")
    parser.add_argument(
        "--namespace", type=_label, default=default.namespace, help=f"the operator's [{default.namespace}]"
    )
    parser.add_argument("--user", default="", help=f"its user name [{default.operator}]")
    parser.add_argument(
        "--suffix", type=_suffix, default="", help="ends cluster-wide names; set ORCH_SUFFIX to the same"
    )
    watch = "a namespace that it watches, as in ORCH_NAMESPACES; may be repeated [all]"
    parser.add_argument("--watch", metavar="NAMESPACE", type=_label, action="append", default=[], help=watch)
    asked = parser.parse_args(argv)
    installation = Installation(asked.namespace, asked.user, asked.suffix, tuple(asked.watch))
    documents = [document for file in manifests(installation).values() for document in file]
    sys.stdout.write(yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True))
    return 0


def _label(text: str) -> str:
    if _LABEL.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a namespace: lower case letters, digits and -")
    return text


def _suffix(text: str) -> str:
    if _SUFFIX.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} must be lower case letters, digits and -, at most 40 characters")
    return text
