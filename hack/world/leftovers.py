"""What an installation leaves behind on an API server that others go on using."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def outside_namespaces(documents: Iterable[dict[str, Any]], mark: str) -> Iterator[dict[str, Any]]:
    """Those of the cluster as a whole that bear the installation's mark in their name.

    Namespaces, with all that is in them, go with the server: to delete one costs it more than most tests."""
    for document in documents:
        meta = document["metadata"]
        if mark in meta["name"] and document["kind"] != "Namespace" and "namespace" not in meta:
            yield document
