"""The failure taxonomy. Adapters translate into it, the control loop acts on it; nothing here does I/O.

    OrchError                what went wrong, where, what to do; the text goes into a condition
    ├── RateLimited          wait exactly until `retry_at`; no attempt is consumed
    ├── BudgetExhausted      wait for a window, a new limit or a person; the work is kept
    ├── Transient            try again with back-off; consumes `attempts.transient`
    │   ├── StillRunning     it can begin when something else has ended
    │   ├── LeaseEnding      not sent, for another operator may be about to act: the next renewal tells; no attempt consumed
    │   └── Ambiguous        a write was sent and its answer lost: wait, look twice, only then repeat
    ├── Lost                 a work step has vanished: the next number, no attempt consumed
    ├── Terminal             this run is over, a retry as it is would end the same way
    │   └── NotFound         the thing asked for does not exist (any more), or we may not see it
    ├── PolicyDenied         policy says no; a person changes the policy or the issue
    ├── NeedsHuman           waits for a person
    │   ├── CredentialsRefused   the token is missing, wrong or lacks a permission: all runs of the repository wait
    │   ├── WrongRepository      the repository's name is another one's now, or nobody's
    │   ├── HeadMoved            the branch is no longer where we left it
    │   └── NotMergeable         a rule of the repository blocks the merge; the text names it
    └── Cancelled            a person ended it

A message never holds a token, a clock or a request id: it is written to status, and a text that changes by
itself would rewrite the object for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # a mirror child has no use for it, and waits for each import
    from datetime import datetime


class OrchError(Exception):
    """Base of all failures that the loop knows. `reason` is CamelCase for machines, the message is for people."""

    failure_class: ClassVar[str] = "Transient"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RateLimited(OrchError):
    """The server said when to come back."""

    failure_class = "RateLimited"

    def __init__(self, message: str, *, retry_at: datetime) -> None:
        super().__init__("RateLimited", message)
        self.retry_at = retry_at


class BudgetExhausted(OrchError):
    """The next call could cost more than is left."""

    failure_class = "BudgetExhausted"


class Transient(OrchError):
    """Worth another try: a 5xx on a read, a connection that broke before the request was sent."""

    failure_class = "Transient"


class StillRunning(Transient):
    """What is asked for cannot begin before something of its own has ended."""


class LeaseEnding(Transient):
    """The lease may end before an act's answer. The next renewal, due within seconds, lets it go; or another operator does it."""


class Ambiguous(Transient):
    """A write was sent and nobody knows whether it happened. The effect becomes `Unknown`."""


class Lost(OrchError):
    """A work step was started and cannot be found."""

    failure_class = "Lost"


class Terminal(OrchError):
    """The run ends here."""

    failure_class = "Terminal"


class NotFound(Terminal):
    """Not there, or not visible with these credentials: GitHub answers 404 to both."""


class PolicyDenied(OrchError):
    """A rule of the OrchestratedRepo refuses."""

    failure_class = "PolicyDenied"


class NeedsHuman(OrchError):
    """Only a person can go on from here."""

    failure_class = "NeedsHuman"


class CredentialsRefused(NeedsHuman):
    """The credential is missing, malformed, expired or lacks a permission."""


class WrongRepository(NeedsHuman):
    """The repository is not the one that was pinned: its name may have been taken by a stranger. Nothing is written."""


class HeadMoved(NeedsHuman):
    """The remote ref is not the one that was expected."""


class NotMergeable(NeedsHuman):
    """GitHub refuses the merge: required reviews, checks, an out-of-date branch, a conflict."""


class Cancelled(OrchError):
    """A person closed, unlabelled, cancelled or declined."""

    failure_class = "Cancelled"
