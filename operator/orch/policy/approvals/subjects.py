"""What exactly people are asked about, and under which name. Called by the gates of the stages."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from orch.api.v1alpha1.approval import Subject
from orch.api.v1alpha1.vocabulary import Gate


def subject(**facts: Any) -> Subject:
    """The exact content that is asked about, with the digest over all of it. Facts: the other fields of `Subject`."""
    bare = Subject(digest="sha256:" + "0" * 64, **facts)
    return bare.model_copy(update={"digest": subject_digest(bare)})


def subject_digest(asked: Subject) -> str:
    """`sha256:…` over the canonical JSON (sorted keys, no blanks) of a subject's wire form without `digest`."""
    wire = {key: value for key, value in asked.dump().items() if key != "digest"}
    text = json.dumps(wire, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def approval_name(target: str, gate: Gate, asked: Subject) -> str:
    """`<target>-<gate>-<first 10 digits of the subject's digest>`: asking twice finds the first question."""
    return f"{target}-{gate.value.lower()}-{asked.digest.removeprefix('sha256:')[:10]}"
