"""When people are asked, what exactly they are asked about, and what their answers amount to.

| module | what it answers |
|---|---|
| `asking` | whether a gate asks at all |
| `rules` | which rules of the repository are about it, and whose answers count by them |
| `subjects` | what exactly is asked about, and the question's name |
| `counting` | what the answers amount to |
| `recording` | what that is in the Approval's status |

Pure. Called by the gates of the stages and by the Approval reconciler.
"""

from orch.policy.approvals.asking import NotRequired, Required, needed
from orch.policy.approvals.counting import (
    LOOK_AGAIN,
    Count,
    People,
    can_decide,
    count,
    fingerprint,
    is_decided,
    read_logins,
)
from orch.policy.approvals.recording import lacks, record, supersede
from orch.policy.approvals.rules import Situation, applied, matching, stricter
from orch.policy.approvals.subjects import approval_name, subject, subject_digest

__all__ = [
    "LOOK_AGAIN",
    "Count",
    "NotRequired",
    "People",
    "Required",
    "Situation",
    "applied",
    "approval_name",
    "can_decide",
    "count",
    "fingerprint",
    "is_decided",
    "lacks",
    "matching",
    "needed",
    "read_logins",
    "record",
    "stricter",
    "subject",
    "subject_digest",
    "supersede",
]
