"""Credentials that were not in the file before. The kind is told, never the credential."""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source, line_of
from orch.policy.secrets import scan


def read(source: Source) -> Iterator[SourceFact]:
    """The first of each kind, by its line. What stood in the old side already is not new, wherever it moved."""
    if source.new is None:
        return
    old, seen = source.old or "", set()
    for secret in scan(source.new, path=source.path):
        if (secret.kind, secret.certain) in seen or secret.value in old:
            continue
        seen.add((secret.kind, secret.certain))
        kind = FactKind.CREDENTIAL if secret.certain else FactKind.LIKELY_CREDENTIAL
        at = source.new.find(secret.value)
        yield source.fact(kind, line=line_of(source.new, at) if at >= 0 else 0, subject=secret.kind)
