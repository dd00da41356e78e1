"""Documents for people: the plan and the diff as ConfigMaps of the run, noted in `status.artifacts`."""

from __future__ import annotations

from typing import Final

from orch.api.v1alpha1 import Artifact, ArtifactKind, ArtifactRef
from orch.stages.contract import RunContext

_KEPT: Final = 20


async def keep(ctx: RunContext, name: str, key: str, text: str) -> ArtifactRef:
    """Keep a text under `<run>-<name>`, once; where it is."""
    full = await ctx.records.keep_document(ctx.run, name, {key: text})
    kept = ArtifactRef(kind=ArtifactKind.CONFIG_MAP, name=full, key=key)
    rest = [entry for entry in ctx.run.status.artifacts if entry.name != name]
    ctx.run.status.artifacts = [*rest[-(_KEPT - 1) :], Artifact(name=name, ref=kept)]
    return kept
