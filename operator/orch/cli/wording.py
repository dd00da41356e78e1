"""What an Approval lacks, and who can give it, in words. Called by `explain`, `inbox` and `approvals`; pure."""

from __future__ import annotations

from orch.api.v1alpha1 import Approval


def lacking(approval: Approval) -> str:
    """`1 of 2 approvals by people with the verb approve`, as the operator last counted."""
    policy, missing = approval.spec.policy, approval.status.missing
    count = missing.approvals if missing else policy.quorum
    return f"{count} of {policy.quorum} approvals by people with the verb approve"
